import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { Errors } from "../../wire/errors.ts";
import { RangeView, readRange } from "../../wire/kv-requests.ts";
import { encodeRangeRequest, SortOrder, SortTarget } from "../../wire/messages/rpc-kv.ts";
import { RangeCursor, RangeResult } from "./range.ts";

const ALL = { key: bytes("a"), rangeEnd: bytes("\0") };

/** a to e; mod revisions fall from e to a, so that sorting by MOD turns the order round. */
function five(): AppliedState {
  const s = new AppliedState();
  for (const key of ["e", "d", "c", "b", "a"]) s.put(key, `of ${key}`);
  return s;
}

function found(s: AppliedState, request: Parameters<AppliedState["range"]>[0]): RangeResult {
  const result = s.range(request);
  assert.ok(result instanceof RangeResult);
  return result;
}

test("the limit counts before a sort whose order is NONE, after one that has an order", () => {
  const s = five();
  const options = { limit: 2, sortTarget: SortTarget.MOD };
  // The first three keys, sorted by revision, cut to two.
  assert.deepEqual(s.keys(options), ["c", "b"]);
  assert.deepEqual(s.keys({ ...options, sortOrder: SortOrder.ASCEND }), ["e", "d"]);
  assert.deepEqual(s.keys({ ...options, sortOrder: SortOrder.DESCEND }), ["a", "b"]);
});

test("the count knows neither limit nor filters, and more tells of the limit only", () => {
  const s = five();
  const limited = found(s, { ...ALL, limit: 2 });
  assert.deepEqual([limited.kvs.count, limited.more, limited.total], [2, true, 5]);
  const exact = found(s, { ...ALL, limit: 5 });
  assert.deepEqual([exact.kvs.count, exact.more, exact.total], [5, false, 5]);
  const filtered = found(s, { ...ALL, minModRevision: 5 });
  assert.deepEqual([filtered.kvs.count, filtered.more, filtered.total], [2, false, 5]);
  const both = found(s, { ...ALL, minModRevision: 4, limit: 1 });
  assert.deepEqual([both.kvs.count, both.more, both.total], [1, true, 5]);
  const counted = found(s, { ...ALL, countOnly: true, limit: 1 });
  assert.deepEqual([counted.kvs.count, counted.more, counted.total], [0, false, 5]);
  const huge = found(s, { ...ALL, limit: 2 ** 63 });
  assert.deepEqual([huge.kvs.count, huge.more], [5, false]);
});

test("keys-only answers have no lease, unless sorted by value", () => {
  const s = new AppliedState();
  s.grant(1n);
  s.put("a", "2", { lease: 1n });
  s.put("b", "1", { lease: 1n });
  const byKey = s.kvs("a", "\0", { keysOnly: true });
  assert.deepEqual(
    byKey.map(({ value, lease, version }) => [value.length, lease, version]),
    [
      [0, 0n, 1],
      [0, 0n, 1],
    ],
  );
  const byValue = s.kvs("a", "\0", { keysOnly: true, sortTarget: SortTarget.VALUE });
  assert.deepEqual(
    byValue.map(({ key, value, lease }) => [String.fromCharCode(key[0]!), value.length, lease]),
    [
      ["b", 0, 1n],
      ["a", 0, 1n],
    ],
  );
});

test("keys-only answers of many and long keys", () => {
  const s = new AppliedState();
  const keys = Array.from({ length: 500 }, (_, n) => `${n}`.padStart(3 + (n % 200), "0"));
  for (const key of keys) s.put(key, "value");
  assert.deepEqual(s.keys({ keysOnly: true }), [...keys].sort());
});

test("revisions: now, past, compacted, future", () => {
  const s = five();
  s.delete("c");
  assert.equal(s.value("c", 4), "of c");
  assert.equal(s.value("c", 3), undefined);
  assert.equal(s.value("c", -5), undefined);
  assert.equal(found(s, { ...ALL, revision: 4 }).revision, 7);
  assert.equal(found(s, { ...ALL, revision: 4 }).total, 3);
  assert.equal(s.range({ ...ALL, revision: 8 }), Errors.FutureRev);
  s.compact(4);
  assert.equal(s.range({ ...ALL, revision: 3 }), Errors.Compacted);
  assert.equal(found(s, { ...ALL, revision: 4 }).total, 3);
  s.finishCompaction();
  assert.equal(found(s, { ...ALL, revision: 4 }).total, 3);
  assert.equal(s.value("c", 4), "of c");
});

test("an end that is not behind the beginning finds nothing", () => {
  const s = five();
  for (const rangeEnd of ["c", "a", "b"]) {
    const result = found(s, { key: bytes("c"), rangeEnd: bytes(rangeEnd) });
    assert.deepEqual([result.kvs.count, result.total], [0, 0]);
  }
});

test("a range in steps stays at its revision and holds off compaction", () => {
  const s = five();
  const request = encodeRangeRequest(ALL);
  const view = new RangeView();
  readRange(request, 0, request.length, view);
  const result = new RangeResult();
  const cursor = new RangeCursor(s.state.mvcc, request, view, result);
  assert.equal(cursor.step(2), false);
  s.put("a", "changed");
  s.put("f", "new");
  s.delete("e");
  s.compact(s.state.mvcc.currentRevision);
  assert.equal(s.state.compaction.step(), "blocked");
  while (!cursor.step(2));
  assert.deepEqual([result.kvs.count, result.total, result.revision], [5, 5, 6]);
  assert.equal(Buffer.from(result.kvs.at(0)).toString("latin1").includes("of a"), true);
  assert.equal(s.state.compaction.step(), "index");
});

test("a range that is given up lets compaction go on", () => {
  const s = five();
  const request = encodeRangeRequest(ALL);
  const view = new RangeView();
  readRange(request, 0, request.length, view);
  const cursor = new RangeCursor(s.state.mvcc, request, view, new RangeResult());
  cursor.step(1);
  assert.equal(s.state.mvcc.pins.count, 1);
  cursor.close();
  cursor.close();
  assert.equal(s.state.mvcc.pins.count, 0);
});
