import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../test/model/applied-state.ts";
import { MemoryStore } from "../../test/model/memory-store.ts";
import { stateOptions } from "../../test/model/pair.ts";
import { AuthKey, Bucket, MetaKey, revisionBytes } from "../storage/schema.ts";
import { encodeTxnRequest } from "../wire/messages/rpc-kv.ts";
import { Quota, txnCostBytes } from "./quota.ts";
import { State } from "./state.ts";

test("a directory with authentication on is refused, one without is marked", () => {
  const store = new MemoryStore();
  State.open(stateOptions(store));
  assert.deepEqual(store.get(Bucket.auth, AuthKey.revision), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1));
  store.put(Bucket.auth, AuthKey.enabled, Uint8Array.of(0));
  State.open(stateOptions(store));
  store.put(Bucket.auth, AuthKey.enabled, Uint8Array.of(1));
  assert.throws(() => State.open(stateOptions(store)), /authentication is enabled/);
});

test("opening in steps tells how far it is", () => {
  const s = new AppliedState();
  for (let n = 0; n < 100; n++) s.put(`${n % 7}`, `${n}`);
  const opening = State.opening(stateOptions(s.store));
  const progress: number[] = [];
  while (!opening.step(30)) progress.push(opening.recordCount);
  assert.deepEqual(progress, [30, 60, 90]);
  assert.equal(opening.state.mvcc.currentRevision, 101);
  assert.equal(opening.state.mvcc.index.liveCount, 7);
});

test("a restored backup with a raised revision: an empty record and a compaction to be done", () => {
  const s = new AppliedState();
  s.put("a", "1");
  s.put("a", "2");
  const bumped = 1_000_000_003;
  s.store.reserveRecord(bumped, 0, false, 0);
  s.store.put(Bucket.meta, MetaKey.scheduledCompactRev, revisionBytes(bumped, 0));
  const restored = s.restarted();
  assert.equal(restored.state.mvcc.currentRevision, bumped);
  assert.equal(restored.state.mvcc.compactRevision, bumped);
  restored.finishCompaction();
  assert.equal(restored.store.recordCount, 2);
  assert.equal(restored.value("a"), "2");
  assert.deepEqual(restored.keys(), ["", "a"]);
  assert.equal(restored.put("a", "3").revision, bumped + 1);
  assert.equal(restored.kvs("a")[0]?.version, 3);
});

test("records of revision 0 are not seen", () => {
  const store = new MemoryStore();
  store.reserveRecord(0, 0, false, 0);
  assert.equal(State.open(stateOptions(store)).mvcc.index.keyCount, 0);
});

test("the storage version is kept as text", () => {
  const s = new AppliedState();
  assert.equal(s.state.storageVersion, undefined);
  s.state.setStorageVersion("3.7.0");
  assert.equal(s.restarted().state.storageVersion, "3.7.0");
});

test("the quota of the flag", () => {
  const store = { sizeBytes: 100 };
  assert.equal(new Quota(0, store).quotaBytes, 2 * 1024 ** 3);
  assert.equal(new Quota(-1, store).isAvailable(1e15), true);
  const quota = new Quota(200, store);
  assert.deepEqual([quota.isAvailable(99), quota.isAvailable(100)], [true, false]);
  store.sizeBytes = 300;
  assert.deepEqual([quota.isAvailable(0), quota.isAvailable(1)], [true, false]);
});

test("a transaction costs what its dearer branch puts", () => {
  const put = (length: number) => ({
    requestPut: { key: bytes("k"), value: new Uint8Array(length) },
  });
  const cost = (request: Parameters<typeof encodeTxnRequest>[0]): number => {
    const encoded = encodeTxnRequest(request);
    return txnCostBytes(encoded, 0, encoded.length);
  };
  assert.equal(cost({}), 0);
  assert.equal(cost({ success: [{ requestRange: { key: bytes("k") } }] }), 0);
  assert.equal(cost({ success: [put(10), put(20)], failure: [put(1)] }), 2 * 257 + 30);
  assert.equal(cost({ success: [put(1)], failure: [put(10), put(20)] }), 2 * 257 + 30);
  const nested = { requestTxn: { success: [put(5)], failure: [put(7), put(0)] } };
  assert.equal(cost({ success: [put(1), nested] }), 3 * 257 + 8);
});
