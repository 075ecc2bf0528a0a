import assert from "node:assert/strict";
import { test } from "node:test";
import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import { Session } from "./session.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";

const UNAVAILABLE = new RpcError(Code.Unavailable, "error reading from server: EOF");
const TTL = { ttlSeconds: 30 };

function renewals(cluster: FakeCluster): number {
  return cluster.calls.filter((name) => name === "LeaseKeepAlive").length;
}

test("a session renews its lease three times per TTL, for as long as it is open", async () => {
  const cluster = new FakeCluster();
  const session = await Session.open(cluster.client(), TTL);
  const sinceMs = cluster.clock.monotonicMs();
  await cluster.until(() => renewals(cluster) >= 9);
  const ttls = (cluster.clock.monotonicMs() - sinceMs) / 30_000;
  assert.ok(Math.abs(renewals(cluster) - 3 * ttls) <= 1, `${renewals(cluster)} in ${ttls} TTLs`);
  assert.equal(session.signal.aborted, false);
  session.orphan();
});

test("closing ends the lease and its keys, orphaning leaves them", async () => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const [one, two] = [await Session.open(client, TTL), await Session.open(client, TTL)];
  cluster.put("one", "", one.lease);
  cluster.put("two", "", two.lease);
  await one.close();
  two.orphan();
  assert.deepEqual([...cluster.keys.keys()], ["two"]);
  assert.deepEqual([...cluster.leases.keys()], [two.lease]);
  assert.deepEqual([one.signal.aborted, two.signal.aborted], [true, true]);
});

test("closing a session whose lease has ended is no error", async () => {
  const cluster = new FakeCluster();
  const session = await Session.open(cluster.client(), TTL);
  cluster.leases.clear();
  await session.close();
});

test("failed renewals are repeated while there is time", async () => {
  const cluster = new FakeCluster();
  const session = await Session.open(cluster.client(), TTL);
  for (let i = 0; i < 4; i++) cluster.fail("LeaseKeepAlive", UNAVAILABLE, { isDone: false });
  await cluster.until(() => renewals(cluster) >= 8);
  assert.equal(session.signal.aborted, false);
  session.orphan();
});

test("a session that cannot renew is lost when its TTL is over, not later", async () => {
  const cluster = new FakeCluster();
  const sinceMs = cluster.clock.monotonicMs();
  const session = await Session.open(cluster.client(), TTL);
  cluster.onCall = (name) => cluster.fail(name, UNAVAILABLE, { isDone: false });
  await session.lost;
  assert.ok(cluster.clock.monotonicMs() - sinceMs <= 30_000);
  assert.ok(session.signal.aborted);
});

test("a session whose lease was revoked is lost at the next renewal", async () => {
  const cluster = new FakeCluster();
  const session = await Session.open(cluster.client(), TTL);
  cluster.revoke(session.lease);
  await session.lost;
  assert.equal(renewals(cluster), 1);
});

test("a renewal that is not answered is given up in time for another", async () => {
  const cluster = new FakeCluster();
  const session = await Session.open(cluster.client(), TTL);
  let silent = 2;
  cluster.onStream = () => (silent-- > 0 ? new Promise(() => {}) : undefined);
  await cluster.until(() => renewals(cluster) >= 4);
  assert.equal(session.signal.aborted, false);
  session.orphan();
});

test("a lease that is there already is taken over, one that has ended is an error", async () => {
  const cluster = new FakeCluster();
  cluster.leases.set(0x77n, 40);
  const session = await Session.open(cluster.client(), { lease: 0x77n });
  assert.deepEqual([session.name, session.ttlSeconds], ["77", 40]);
  session.orphan();
  await assert.rejects(
    Session.open(cluster.client(), { lease: 0x78n }),
    (error) => error === Errors.LeaseNotFound,
  );
});
