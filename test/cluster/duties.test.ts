// What members do for their cluster besides agreeing, on real processes: they find each other
// through another etcd, go on alone when the others are lost, and notice that their data differ.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes, text } from "../../src/client/bytes.ts";
import { Client } from "../../src/client/client.ts";
import { AlarmType } from "../../src/wire/messages/rpc-maintenance.ts";
import { changeDatabase } from "../compat/bad-days.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "../compat/member-process.ts";
import { type ClusterMember, ProcessCluster } from "./process-cluster.ts";

const HEALTHY_WITHIN_MS = 60_000;
const POLL_MS = 50;
const ALARM_CHECKS = 600;
const OURS = [OUR_ETCD, OUR_ETCD, OUR_ETCD];

const root = mkdtempSync(join(tmpdir(), "quorate-duties-"));
after(() => rmSync(root, { recursive: true, force: true }));

async function withCluster(
  name: string,
  flags: readonly string[],
  run: (cluster: ProcessCluster) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(root, `${name}-`));
  const cluster = await ProcessCluster.make(directory, OURS);
  try {
    for (const member of cluster.members) member.start(flags);
    await cluster.untilHealthy(HEALTHY_WITHIN_MS);
    await run(cluster);
  } finally {
    await cluster.close();
  }
}

async function withClient<Result>(
  member: ClusterMember,
  run: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ endpoints: [member.endpoint] });
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, POLL_MS));

function namesOf(member: ClusterMember): Promise<string[]> {
  return withClient(member, async ({ cluster }) => {
    const { members } = await cluster.memberList({ linearizable: true });
    return members.map(({ name }) => name).sort();
  });
}

async function valueAt(member: ClusterMember, key: string): Promise<string | undefined> {
  const { kvs } = await withClient(member, ({ kv }) => kv.range({ key: bytes(key) }));
  return kvs[0] === undefined ? undefined : text(kvs[0].value);
}

test("--force-new-cluster: what is left of a cluster goes on alone", async () => {
  await withCluster("force", [], async ({ members }) => {
    const [one, two, three] = members as [ClusterMember, ClusterMember, ClusterMember];
    await withClient(one, ({ kv }) => kv.put({ key: bytes("k"), value: bytes("v") }));
    // A read at the survivor: it knows that the write was agreed.
    assert.equal(await valueAt(two, "k"), "v");
    await Promise.all([one.stop(), three.stop()]);
    // In good order: what is not yet written down as committed is not kept, in etcd neither.
    await two.stop("SIGTERM");
    two.start(["--force-new-cluster"]);
    await two.untilHealthy(performance.now() + HEALTHY_WITHIN_MS);
    assert.deepEqual(await namesOf(two), ["m2"]);
    assert.equal(await valueAt(two, "k"), "v");
    await withClient(two, ({ kv }) => kv.put({ key: bytes("k"), value: bytes("alone") }));
    await two.stop("SIGTERM");
    two.start();
    await two.untilHealthy(performance.now() + HEALTHY_WITHIN_MS);
    assert.deepEqual(await namesOf(two), ["m2"]);
    assert.equal(await valueAt(two, "k"), "alone");
    assert.ok(!one.isRunning && !three.isRunning);
  });
});

/** Takes a past value out of the history of a member that is down. */
function damage({ place }: ClusterMember, revision: number): Promise<void> {
  const path = join(place.dataDir, "member", "snap", "db");
  return changeDatabase(path, (backend) => backend.deleteRecord(revision, 0, false));
}

test("corrupt data: the member does not start, or the leader raises the alarm", async () => {
  const flags = ["--corrupt-check-time=1s"];
  await withCluster("corrupt", flags, async ({ members }) => {
    const [one, two, three] = members as [ClusterMember, ClusterMember, ClusterMember];
    for (const value of ["a", "b", "c"]) {
      await withClient(one, ({ kv }) => kv.put({ key: bytes("k"), value: bytes(value) }));
    }
    assert.equal(await valueAt(three, "k"), "c");
    await three.stop("SIGTERM");
    await damage(three, 3);

    three.start([...flags, "--feature-gates=InitialCorruptCheck=true"]);
    await three.untilEnded();
    const log = readFileSync(`${three.place.dataDir}.log`, "utf8");
    assert.match(log, /"msg":"found different hash values from remote peer"/);
    assert.match(log, /"error":"[0-9a-f]+ found data inconsistency with peers"/);

    three.start(flags);
    const alarmed = await withClient(two, async ({ maintenance }) => {
      for (let check = 0; check < ALARM_CHECKS; check++) {
        const { alarms } = await maintenance.alarm({ action: 0 });
        if (alarms.length > 0) return alarms;
        await pause();
      }
      return [];
    });
    assert.deepEqual(
      alarmed.map(({ memberID, alarm }) => [memberID, alarm]),
      [[three.place.id, AlarmType.CORRUPT]],
    );
  });
});

test("v3 discovery: members find each other in the keys of another etcd", async () => {
  const directory = mkdtempSync(join(root, "discovery-"));
  const service = await MemberProcess.start(OUR_ETCD, join(directory, "s"), await freePorts());
  const started: MemberProcess[] = [];
  try {
    const size = { key: bytes("/_etcd/registry/tok/_config/size"), value: bytes("2") };
    await service.client.kv.put(size);
    const flags = ["--discovery-token=tok", `--discovery-endpoints=${service.endpoint}`];
    const members = await Promise.all(
      ["m1", "m2"].map(async (name) => {
        const dataDir = join(directory, name);
        const ports = await freePorts();
        return MemberProcess.start(OUR_ETCD, dataDir, ports, [...flags, "--name", name], true);
      }),
    );
    started.push(...members);
    const { members: listed } = await members[0]!.client.cluster.memberList({ linearizable: true });
    assert.deepEqual(listed.map(({ name }) => name).sort(), ["m1", "m2"]);
  } finally {
    await Promise.all([...started, service].map((member) => member.kill()));
  }
});
