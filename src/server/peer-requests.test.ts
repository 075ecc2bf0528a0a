import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../base/log.ts";
import type { PeerAnswer, PeerRequest } from "../io/network.ts";
import { Errors } from "../wire/errors.ts";
import { decodeLeaseInternalResponse, encodeLeaseInternalRequest } from "../wire/messages/lease.ts";
import {
  decodeLeaseKeepAliveResponse,
  encodeLeaseKeepAliveRequest,
} from "../wire/messages/rpc-lease.ts";
import type { RpcError } from "../wire/status.ts";
import { LeaseClock } from "./lease-clock.ts";
import { PeerRequests } from "./peer-requests.ts";
import type { ReadWaiter } from "./reads.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { CLUSTER, OWN, SmallCluster } from "./testing/small-cluster.ts";

const LEARNER = 0x44n;

class Peer {
  readonly cluster: SmallCluster;
  readonly leaseClock: LeaseClock;
  readonly requests: PeerRequests;
  /** Undefined: reads are confirmed. */
  readError: RpcError | undefined;

  constructor() {
    this.cluster = new SmallCluster().has(OWN, "http://1:1");
    const { clock, applied, promotion, appliedWait } = this.cluster;
    const { state } = applied;
    const confirmRead = (waiter: ReadWaiter): boolean => {
      if (this.readError !== undefined) waiter.fail(this.readError);
      return this.readError === undefined;
    };
    this.leaseClock = new LeaseClock({
      ...{ clock, log: silentLogger, leases: state.leases, confirmRead },
      electionMs: 1000,
      retryMs: 500,
      checkpoints: false,
      propose() {},
    });
    this.requests = new PeerRequests({
      ...{ clock, log: silentLogger, clusterId: CLUSTER, state, members: state.members },
      ...{ promotion, applied: appliedWait, leaseClock: this.leaseClock, confirmRead },
      metrics: new ServerMetrics(),
      storageVersion: () => "3.7.0",
    });
  }

  ask(request: PeerRequest): PeerAnswer {
    let found: PeerAnswer | undefined;
    this.requests.handle(request, (answer) => {
      found = answer;
    });
    this.cluster.settle();
    this.cluster.clock.pass(0);
    assert.ok(found !== undefined, "answered");
    return found;
  }

  /** Status and text. */
  short(method: "GET" | "POST", path: string, body?: string | Uint8Array): [number, string] {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const answer = this.ask({ method, path, ...(bytes === undefined ? {} : { body: bytes }) });
    return [answer.status, Buffer.from(answer.body).toString()];
  }
}

test("members and versions", () => {
  const peer = new Peer();
  const { status, headers, body } = peer.ask({ method: "GET", path: "/members" });
  assert.equal(status, 200);
  assert.deepEqual(headers, {
    "content-type": "application/json",
    "x-etcd-cluster-id": "cc",
  });
  assert.equal(
    Buffer.from(body).toString(),
    '[{"id":17,"peerURLs":["http://1:1"],"name":"m17"}]\n',
  );
  assert.deepEqual(peer.short("GET", "/version"), [
    200,
    '{"etcdserver":"3.7.3","etcdcluster":"not_decided","storage":"3.7.0"}',
  ]);
});

test("what is asked wrongly", () => {
  const peer = new Peer();
  assert.deepEqual(peer.short("GET", "/nothing"), [404, "404 page not found\n"]);
  const post = peer.ask({ method: "POST", path: "/members" });
  assert.deepEqual([post.status, post.headers["allow"]], [405, "GET"]);
  assert.equal(peer.ask({ method: "GET", path: "/members/promote/1" }).headers["allow"], "POST");
  assert.deepEqual(peer.short("GET", "/leases"), [405, "Method Not Allowed\n"]);
});

test("whether a downgrade is under way is read like any other truth", () => {
  const peer = new Peer();
  assert.deepEqual(peer.short("GET", "/downgrade/enabled"), [200, "false"]);
  peer.readError = Errors.Timeout;
  assert.deepEqual(peer.short("GET", "/downgrade/enabled"), [
    500,
    "failed linearized read: etcdserver: request timed out\n",
  ]);
});

test("promotion: the status codes that members of etcd read", () => {
  const peer = new Peer();
  const { cluster } = peer;
  cluster.has(LEARNER, "http://4:4", { isLearner: true });
  cluster.match.set(OWN, 100).set(LEARNER, 50);
  const promote = (id: bigint | string) => peer.short("POST", `/members/promote/${id}`);
  assert.deepEqual(promote("x1"), [404, "member x1 not found in cluster\n"]);
  assert.deepEqual(promote(2n ** 64n), [404, `member ${2n ** 64n} not found in cluster\n`]);
  assert.deepEqual(promote(5n), [404, "membership: ID not found\n"]);
  assert.deepEqual(promote(LEARNER), [412, `${Errors.LearnerNotReady.message}\n`]);
  cluster.match.set(LEARNER, 100);
  const [status, members] = promote(LEARNER);
  assert.equal(status, 200);
  assert.match(members, /"id":68,"peerURLs":\["http:\/\/4:4"\],"name":"m68"/);
  assert.deepEqual(promote(LEARNER), [412, "membership: can only promote a learner member\n"]);
  cluster.commitIndex = 1000;
  let status500 = 0;
  peer.requests.handle({ method: "POST", path: "/members/promote/68" }, (answer) => {
    status500 = answer.status;
  });
  cluster.clock.pass(1000);
  assert.equal(status500, 500);
});

test("hashes to compare", () => {
  const peer = new Peer();
  peer.cluster.applied.put("k", "v");
  const { state } = peer.cluster.applied;
  const hash = state.hashByRevision(2);
  assert.ok("hash" in hash);
  const [status, text] = peer.short("GET", "/members/hashkv", '{"revision":2}');
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), {
    header: { revision: 2 },
    hash: hash.hash,
    ...(hash.compactRevision === 0 ? {} : { compact_revision: hash.compactRevision }),
    hash_revision: 2,
  });
  assert.equal(peer.short("GET", "/members/hashkv", "{}")[0], 200);
  assert.deepEqual(peer.short("GET", "/members/hashkv", '{"revision":3}'), [
    400,
    "mvcc: required revision is a future revision\n",
  ]);
  for (const wrong of ["", "x", "[]x", '{"revision":"2"}', '{"revision":1.5}']) {
    assert.deepEqual(peer.short("GET", "/members/hashkv", wrong), [
      400,
      "error unmarshalling request\n",
    ]);
  }
  const headers = { "x-etcd-cluster-id": "cd" };
  const other = peer.ask({ method: "GET", path: "/members/hashkv", headers });
  assert.equal(other.status, 412);
  assert.equal(Buffer.from(other.body).toString(), "cluster ID mismatch\n");
});

test("leases: what a leader tells those who were asked instead of it", () => {
  const peer = new Peer();
  const { applied, clock } = peer.cluster;
  applied.grant(7n, 60);
  const renew = (id: bigint) => peer.short("POST", "/leases", encodeLeaseKeepAliveRequest({ id }));
  const remaining = (id: bigint, keys = true) => {
    const leaseTimeToLiveRequest = { id, keys };
    const body = encodeLeaseInternalRequest({ leaseTimeToLiveRequest });
    return peer.ask({ method: "POST", path: "/leases/internal", body });
  };
  assert.deepEqual(renew(7n), [400, "not a primary lessor\n"]);
  assert.equal(remaining(7n).status, 500);
  peer.leaseClock.promote();
  assert.deepEqual(renew(8n), [404, "lease not found\n"]);
  assert.equal(remaining(8n).status, 404);
  clock.pass(1000);
  const body = encodeLeaseKeepAliveRequest({ id: 7n });
  const renewed = peer.ask({ method: "POST", path: "/leases", body });
  assert.equal(renewed.headers["content-type"], "application/protobuf");
  const { id, ttl } = decodeLeaseKeepAliveResponse(renewed.body);
  assert.deepEqual([id, ttl], [7n, 60]);
  clock.pass(1500);
  const told = decodeLeaseInternalResponse(remaining(7n).body).leaseTimeToLiveResponse;
  assert.deepEqual([told?.id, told?.ttl, told?.grantedTTL], [7n, 58, 60]);
});

test("leases: requests that are none, and a member that is behind", () => {
  const peer = new Peer();
  const broken = Uint8Array.of(0xff);
  assert.deepEqual(peer.short("POST", "/leases", broken), [400, "error unmarshalling request\n"]);
  const long = new Uint8Array(64 * 1024 + 1);
  assert.deepEqual(peer.short("POST", "/leases/internal", long), [413, "request body too large\n"]);
  peer.cluster.commitIndex = 1000;
  let late: PeerAnswer | undefined;
  const body = encodeLeaseKeepAliveRequest({ id: 7n });
  peer.requests.handle({ method: "POST", path: "/leases", body }, (answer) => {
    late = answer;
  });
  peer.cluster.clock.pass(1000);
  assert.equal(late?.status, 408);
});
