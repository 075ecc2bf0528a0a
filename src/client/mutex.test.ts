import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CONTEXT_CANCELED } from "../net/grpc-client-call.ts";
import { Code, RpcError } from "../wire/status.ts";
import { bytes, text } from "./bytes.ts";
import type { Client } from "./client.ts";
import { LOCK_RELEASED, Mutex } from "./mutex.ts";
import { SESSION_EXPIRED, Session } from "./session.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";

const UNAVAILABLE = new RpcError(Code.Unavailable, "error reading from server: EOF");

/** A session that ends with the test. */
async function open(t: TestContext, client: Client): Promise<Session> {
  // So long that no renewal comes between.
  const session = await Session.open(client, { ttlSeconds: 1e9 });
  t.after(() => session.orphan());
  return session;
}

test("the first has the lock at once, the others one after the other", async (t) => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const order: string[] = [];
  let holders = 0;
  const owners: Promise<void>[] = [];
  for (const name of ["a", "b", "c"]) {
    const mutex = new Mutex(await open(t, client), "lock");
    const owner = mutex.lock().then(async () => {
      assert.equal(++holders, 1);
      order.push(name);
      await new Promise(setImmediate);
      holders--;
      await mutex.unlock();
    });
    owners.push(owner);
    // In this order, for the order is what is asserted.
    await cluster.until(() => cluster.keys.size + order.length >= owners.length);
  }
  await Promise.all(owners);
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.deepEqual([...cluster.keys], []);
});

test("a free lock costs one call, and its key is that of all etcd clients", async (t) => {
  const cluster = new FakeCluster();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  await mutex.lock();
  assert.deepEqual(cluster.calls, ["LeaseGrant", "Txn"]);
  assert.deepEqual([...cluster.keys.keys()], ["lock/10"]);
  assert.equal(text(mutex.key), "lock/10");
  assert.equal(cluster.keys.get("lock/10")?.lease, 0x10n);
  assert.equal(mutex.header?.revision, 2);
});

test("each waits for the one before it only", async (t) => {
  const cluster = new FakeCluster();
  cluster.put("lock/x", "");
  cluster.put("lock/y", "");
  const locked = new Mutex(await open(t, cluster.client()), "lock").lock();
  await cluster.until(() => cluster.watched.length === 1);
  assert.deepEqual(cluster.watched, ["lock/y"]);
  cluster.delete("lock/y");
  await cluster.until(() => cluster.watched.length === 2);
  assert.deepEqual(cluster.watched, ["lock/y", "lock/x"]);
  cluster.delete("lock/x");
  await locked;
});

test("the revision grows from owner to owner, and is 0 without the lock", async (t) => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const [a, b] = [new Mutex(await open(t, client), "l"), new Mutex(await open(t, client), "l")];
  assert.equal(a.revision, 0);
  await a.lock();
  const first = a.revision;
  const second = b.lock();
  await cluster.until(() => cluster.watched.length === 1);
  await a.unlock();
  await second;
  assert.ok(first > 0 && b.revision > first);
  assert.equal(a.revision, 0);
});

test("a session that has the lock gets it again", async (t) => {
  const cluster = new FakeCluster();
  const session = await open(t, cluster.client());
  const [one, two] = [new Mutex(session, "lock"), new Mutex(session, "lock")];
  await one.lock();
  await one.lock();
  await two.lock();
  assert.equal(two.revision, one.revision);
  assert.equal(await two.tryLock(), true);
});

test("who gives up leaves the line", async (t) => {
  const cluster = new FakeCluster();
  cluster.put("lock/x", "");
  const controller = new AbortController();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  const locked = mutex.lock({ signal: controller.signal });
  await cluster.until(() => cluster.watched.length === 1);
  assert.equal(cluster.keys.size, 2);
  controller.abort();
  await assert.rejects(locked, (error) => error === CONTEXT_CANCELED);
  assert.deepEqual([...cluster.keys.keys()], ["lock/x"]);
  await assert.rejects(mutex.unlock(), (error) => error === LOCK_RELEASED);
});

test("a waiter whose session ends, or whose key is deleted, does not get the lock", async (t) => {
  for (const isOver of [false, true]) {
    const cluster = new FakeCluster();
    cluster.put("lock/x", "");
    const session = await open(t, cluster.client());
    const locked = new Mutex(session, "lock").lock();
    await cluster.until(() => cluster.watched.length === 1);
    if (isOver) session.orphan();
    cluster.delete("lock/10");
    cluster.delete("lock/x");
    await assert.rejects(locked, (error) => error === SESSION_EXPIRED);
  }
});

test("joining with unknown outcome is not repeated, and leaves no key behind", async (t) => {
  const cluster = new FakeCluster();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  for (const take of [() => mutex.lock(), () => mutex.tryLock()]) {
    cluster.fail("Txn", UNAVAILABLE, { isDone: true });
    await assert.rejects(take(), (error) => error === UNAVAILABLE);
    assert.equal(cluster.keys.size, 0);
  }
});

test("an owner that asks again in vain keeps the lock", async (t) => {
  const cluster = new FakeCluster();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  await mutex.lock();
  cluster.fail("Txn", UNAVAILABLE, { isDone: false });
  await assert.rejects(mutex.lock(), (error) => error === UNAVAILABLE);
  assert.equal(cluster.keys.size, 1);
  await mutex.unlock();
});

test("tryLock of a held lock reads and writes nothing", async (t) => {
  const cluster = new FakeCluster();
  cluster.put("lock/x", "");
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  const before = cluster.revision;
  for (let i = 0; i < 3; i++) assert.equal(await mutex.tryLock(), false);
  assert.deepEqual(cluster.calls, ["LeaseGrant", "Range", "Range", "Range"]);
  assert.equal(cluster.revision, before);
  cluster.delete("lock/x");
  assert.equal(await mutex.tryLock(), true);
  assert.equal(cluster.value("lock/10"), "");
});

test("tryLock loses against who comes between its reading and its writing", async (t) => {
  const cluster = new FakeCluster();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  cluster.onCall = (name) => {
    if (name === "Txn") cluster.put("lock/x", "");
  };
  assert.equal(await mutex.tryLock(), false);
  assert.deepEqual([...cluster.keys.keys()], ["lock/x"]);
});

test("unlocking twice is an error, unlocking in vain may be repeated", async (t) => {
  const cluster = new FakeCluster();
  const mutex = new Mutex(await open(t, cluster.client()), "lock");
  await mutex.lock();
  cluster.fail("Txn", UNAVAILABLE, { isDone: false });
  await assert.rejects(mutex.unlock(), (error) => error === UNAVAILABLE);
  await mutex.unlock();
  assert.equal(cluster.keys.size, 0);
  await assert.rejects(mutex.unlock(), (error) => error === LOCK_RELEASED);
});

test("a transaction that compares isOwner is done by the owner only", async (t) => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const mutex = new Mutex(await open(t, client), "lock");
  const write = async (): Promise<boolean> => {
    const success = [{ requestPut: { key: bytes("k"), value: bytes("v") } }];
    return (await client.kv.txn({ compare: [mutex.isOwner()], success })).succeeded;
  };
  assert.equal(await write(), false);
  await mutex.lock();
  assert.equal(await write(), true);
  cluster.delete("lock/10");
  assert.equal(await write(), false);
});
