import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { Bucket, MetaKey, readRevision } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { RpcError } from "../../wire/status.ts";
import { HashJob } from "./hash.ts";

function markOf(s: AppliedState, key: Uint8Array): number | undefined {
  const mark = s.store.get(Bucket.meta, key);
  return mark === undefined ? undefined : readRevision(mark).main;
}

function hashOf(
  s: AppliedState,
  revision: number,
): Exclude<ReturnType<typeof s.state.hashByRevision>, RpcError> {
  const hash = s.state.hashByRevision(revision);
  assert.ok(!(hash instanceof RpcError));
  return hash;
}

test("a compaction goes index, full batches, a last one that is not full", () => {
  const s = new AppliedState({ compactionBatchLimit: 3 });
  for (let n = 0; n < 6; n++) s.put("a", `${n}`);
  const { compaction } = s.compact(7);
  assert.equal(s.state.mvcc.compactRevision, 7);
  assert.equal(markOf(s, MetaKey.scheduledCompactRev), 7);
  let isTold = false;
  compaction!.whenDone(() => {
    isTold = true;
  });
  const steps: string[] = [];
  const counts: number[] = [];
  for (;;) {
    const step = s.state.compaction.step();
    if (step === "idle") break;
    assert.equal(isTold, step === "finished");
    steps.push(step);
    counts.push(s.store.recordCount);
  }
  assert.deepEqual(steps, ["index", "records", "records", "finished"]);
  assert.deepEqual(counts, [6, 3, 1, 1]);
  assert.equal(markOf(s, MetaKey.finishedCompactRev), 7);
  assert.equal(compaction!.deletedCount, 5);
  assert.equal(s.value("a"), "5");
  compaction!.whenDone(() => {
    isTold = false;
  });
  assert.equal(isTold, false);
});

test("jobs run in the order of their scheduling", () => {
  const s = new AppliedState();
  for (let n = 0; n < 6; n++) s.put("a", `${n}`);
  const first = s.compact(3).compaction!;
  const second = s.compact(6).compaction!;
  assert.deepEqual([first.previous, second.previous], [-1, 3]);
  while (!first.isDone) s.state.compaction.step();
  assert.equal(second.isDone, false);
  assert.equal(markOf(s, MetaKey.finishedCompactRev), 3);
  s.finishCompaction();
  assert.equal(second.isDone, true);
});

test("a compaction that a crash has cut off is done again, its hash is not known", () => {
  const s = new AppliedState();
  for (let n = 0; n < 10; n++) s.put("a", `${n}`);
  s.compact(9);
  s.state.compaction.step();
  s.state.compaction.step();
  const restarted = s.restarted();
  assert.equal(restarted.state.mvcc.compactRevision, 9);
  assert.notEqual(restarted.state.compaction.current, undefined);
  assert.equal(restarted.range({ key: bytes("a"), revision: 8 }), Errors.Compacted);
  restarted.finishCompaction();
  assert.equal(restarted.state.hashes.find(9), undefined);
  s.finishCompaction();
  assert.notEqual(s.state.hashes.find(9), undefined);
  assert.equal(restarted.store.recordCount, s.store.recordCount);
  assert.equal(restarted.restarted().state.compaction.current, undefined);
});

test("the revision after a restart is not less than a compaction", () => {
  const s = new AppliedState();
  s.put("a", "1");
  s.delete("a");
  s.put("b", "1");
  s.delete("b");
  s.compact(4);
  s.finishCompaction();
  assert.equal(s.restarted().state.mvcc.currentRevision, 5);
  s.compact(5);
  s.finishCompaction();
  // The tombstone at the compaction itself stays until the next one.
  assert.equal(s.store.recordCount, 1);
  assert.equal(s.restarted().state.mvcc.currentRevision, 5);
  assert.equal(s.state.mvcc.index.keyCount, 1);
});

test("revision 0 is compacted once, and its hash is then the answer for now: as etcd has it", () => {
  const s = new AppliedState();
  s.put("a", "1");
  assert.equal(s.compact(-1).error, Errors.Compacted);
  assert.equal(s.compact(0).error, null);
  assert.equal(s.compact(0).error, Errors.Compacted);
  s.finishCompaction();
  s.put("a", "2");
  const hash = hashOf(s, 0);
  assert.deepEqual([hash.compactRevision, hash.revision], [-1, 0]);
});

test("the hash of a compaction is that of the state before it", () => {
  const s = new AppliedState();
  const same = new AppliedState();
  for (const state of [s, same]) {
    for (let n = 0; n < 5; n++) state.put(`${n % 2}`, `${n}`);
    state.delete("0");
    state.put("0", "again");
  }
  const before = hashOf(s, 6);
  s.compact(6);
  s.finishCompaction();
  assert.deepEqual(hashOf(s, 6), before);
  assert.deepEqual([before.compactRevision, before.revision], [-1, 6]);
  // Now, a store that has deleted and one that has only begun to are equal.
  same.compact(6);
  assert.deepEqual(hashOf(s, 0), hashOf(same, 0));
  assert.equal(hashOf(s, 0).compactRevision, 6);
  assert.equal(s.state.hashByRevision(5), Errors.Compacted);
  assert.equal(s.state.hashByRevision(9), Errors.FutureRev);
});

test("the last ten hashes of compactions are kept", () => {
  const s = new AppliedState();
  for (let n = 0; n < 15; n++) {
    s.put("a", `${n}`);
    s.compact(s.state.mvcc.currentRevision);
  }
  s.finishCompaction();
  const revisions = s.state.hashes.all().map(({ revision }) => revision);
  assert.deepEqual(revisions, [7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
});

test("a hash in steps holds off compaction and sees the state of its beginning", () => {
  const s = new AppliedState();
  for (let n = 0; n < 20; n++) s.put(`${n % 4}`, `${n}`);
  s.compact(10);
  s.finishCompaction();
  const expected = hashOf(s, 15);
  const job = s.state.hashJob(15);
  assert.ok(job instanceof HashJob);
  job.step(1);
  s.compact(20);
  assert.equal(s.state.compaction.step(), "blocked");
  for (let n = 0; n < 5; n++) s.put("new", `${n}`);
  while (!job.step(3));
  assert.deepEqual(job.result(), expected);
  assert.equal(s.state.compaction.step(), "index");
});

test("a key with very many newer revisions is kept once", () => {
  const s = new AppliedState({ compactionBatchLimit: 7 });
  for (let n = 0; n < 300; n++) s.put("hot", `${n}`);
  s.compact(100);
  for (let n = 0; n < 300; n++) s.put("hot", `${n}`);
  s.finishCompaction();
  assert.equal(s.store.recordCount, 600 - 98);
  assert.equal(s.value("hot", 100), "98");
});
