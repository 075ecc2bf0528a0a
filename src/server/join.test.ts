import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../base/log.ts";
import type { PeerAnswer, PeerRequest } from "../io/network.ts";
import type { Member } from "../state/members/member-json.ts";
import { joinCluster, refuseIfBootstrapped } from "./join.ts";
import { encodePeerMembers } from "./peer-members.ts";

function member(id: bigint, name: string, url: string, given: Partial<Member> = {}): Member {
  return { id, name, peerUrls: [url], isLearner: false, clientUrls: [], ...given };
}

/** As the cluster has them: m3 was just added and has told no name. */
const EXISTING = [
  member(1n, "m1", "http://1", { clientUrls: ["http://c1"] }),
  member(2n, "m2", "http://2", { clientUrls: ["http://c2"] }),
  member(3n, "", "http://3"),
];
const CONFIGURED = [
  member(91n, "m1", "http://1"),
  member(92n, "m2", "http://2"),
  member(93n, "m3", "http://3"),
];

interface World {
  existing?: readonly Member[];
  clusterVersion?: string;
  isDowngrading?: boolean;
  down?: readonly string[];
  configured?: readonly Member[];
  maxLearners?: number;
}

function network({ existing = EXISTING, clusterVersion = "3.7.0", ...world }: World) {
  const answerTo = (path: string): PeerAnswer => {
    const headers = { "x-etcd-cluster-id": "cc" };
    if (path === "/members") return { status: 200, headers, body: encodePeerMembers(existing) };
    const versions = { etcdserver: "3.7.3", etcdcluster: clusterVersion };
    const text = path === "/version" ? JSON.stringify(versions) : `${world.isDowngrading === true}`;
    return { status: 200, headers, body: Buffer.from(text) };
  };
  return {
    ask(url: string, request: PeerRequest, done: (answer: PeerAnswer | Error) => void): void {
      if (world.down?.includes(url) === true) done(new Error("connection refused"));
      else done(answerTo(request.path));
    },
  };
}

function join(world: World) {
  return joinCluster({
    network: network(world),
    log: silentLogger,
    name: "m3",
    members: world.configured ?? CONFIGURED,
    options: { electionMs: 1000, maxLearners: world.maxLearners ?? 1 },
    sameUrls: async (a, b) => a.join() === b.join() || `${a.join()} is not ${b.join()}`,
  });
}

test("who joins has the ids that the cluster gave", async () => {
  const joined = await join({ down: ["http://1"] });
  assert.deepEqual(joined, { memberId: 3n, clusterId: 0xccn, members: EXISTING });
});

test("without an answer, with other members or addresses there is no joining", async () => {
  await assert.rejects(join({ down: ["http://1", "http://2"] }), {
    message:
      "cannot fetch cluster info from peer urls: " +
      "could not retrieve cluster information from the given URLs",
  });
  await assert.rejects(join({ existing: [] }), /failed to get raft cluster member\(s\)/);
  await assert.rejects(join({ existing: EXISTING.slice(1) }), /member count is unequal/);
  const other = [...EXISTING.slice(0, 2), member(3n, "", "http://elsewhere")];
  await assert.rejects(
    join({ existing: other }),
    /no match found for existing member \(3, \[http:\/\/elsewhere\]\)/,
  );
});

test("the version of the cluster has to be one that this member knows", async () => {
  await join({ clusterVersion: "3.0.0" });
  for (const clusterVersion of ["3.8.0", "2.3.0", "not_decided"]) {
    await assert.rejects(join({ clusterVersion }), /incompatible with current running cluster/);
  }
  // During a downgrade the others still are a minor version above.
  await join({ clusterVersion: "3.8.0", isDowngrading: true });
  await assert.rejects(join({ isDowngrading: true }), /incompatible/);
});

test("more learners than this member allows", async () => {
  const learners = EXISTING.map((one) => ({ ...one, isLearner: one.id > 1n }));
  await assert.rejects(join({ existing: learners }), {
    message: "membership: too many learner members in cluster",
  });
  await join({ existing: learners, maxLearners: 2 });
});

test("a member of a new cluster that the others know from before does not start anew", async () => {
  const existing = CONFIGURED.map((one) => ({ ...one, clientUrls: ["http://c"] }));
  const asking = (world: World) =>
    refuseIfBootstrapped({ network: network(world), name: "m3", members: CONFIGURED });
  await assert.rejects(asking({ existing }), {
    message: "member 5d has already been bootstrapped",
  });
  await asking({ existing: CONFIGURED });
  await asking({ existing, down: ["http://1", "http://2"] });
});
