import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../test/model/applied-state.ts";
import { InvariantError } from "../base/assert.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeRangeRequest } from "../wire/messages/rpc-kv.ts";
import { AlarmAction, AlarmType } from "../wire/messages/rpc-maintenance.ts";
import { Code } from "../wire/status.ts";
import { sizeTxnBody } from "./mvcc/txn-result.ts";

const corrupt = { action: AlarmAction.ACTIVATE, memberID: 5n, alarm: AlarmType.CORRUPT };
const noSpace = { action: AlarmAction.ACTIVATE, memberID: 5n, alarm: AlarmType.NOSPACE };

test("every entry moves the applied index, whatever comes of it", () => {
  const s = new AppliedState();
  s.state.apply(1, 3, new Uint8Array(0));
  assert.equal(s.store.term, 3);
  assert.equal(s.put("a", "1", { lease: 9n }).error, Errors.LeaseNotFound);
  assert.equal(s.state.appliedIndex, 2);
  assert.equal(s.state.mvcc.currentRevision, 1);
  assert.equal(s.put("a", "1").revision, 2);
  assert.equal(s.state.appliedIndex, 3);
});

test("an entry that was applied before the restart is only replayed", () => {
  const s = new AppliedState();
  s.put("a", "1");
  const outcome = s.state.apply(1, 1, bytes("not even read"));
  assert.equal(outcome.isReplay, true);
  assert.equal(s.state.mvcc.currentRevision, 2);
});

test("what cannot be in a log stops the process", () => {
  const s = new AppliedState();
  const atOne = (data: Uint8Array) => () => s.state.apply(1, 1, data);
  assert.throws(() => s.state.apply(2, 1, new Uint8Array(0)), InvariantError);
  assert.throws(atOne(bytes("\x22\x7f")), /cannot be decoded/);
  assert.throws(() => s.apply(5000, new Uint8Array(0)), /unknown kind 5000/);
  assert.throws(() => s.apply(RequestField.V2, new Uint8Array(0)), /unknown kind 2/);
  assert.throws(() => s.apply(RequestField.Put, bytes("\x0a\x7f")), /cannot be decoded/);
  assert.equal(s.state.appliedIndex, 0);
});

test("reads in the log are not done when nobody here waits; their checks in a txn are", () => {
  const awaited = new AppliedState();
  const other = new AppliedState({ isAwaited: () => false });
  const everything = { key: bytes(""), rangeEnd: bytes("\0") };
  for (const s of [awaited, other]) {
    s.put("a", "1");
    assert.equal(s.put("a", "2", { prevKv: true }).previous?.count ?? 0, s === awaited ? 1 : 0);
    const read = s.apply(RequestField.Range, encodeRangeRequest(everything));
    assert.equal(read.range?.kvs.count ?? 0, s === awaited ? 1 : 0);
    const txn = s.txn({ success: [{ requestRange: everything }] });
    assert.equal(txn.txn!.ops[0]!.range !== null, s === awaited);
    assert.ok(sizeTxnBody(txn.txn!) > 0);
    const future = { requestRange: { ...everything, revision: 100 } };
    const refused = s.txn({ success: [{ requestPut: { key: bytes("b") } }, future] });
    assert.equal(refused.error, Errors.FutureRev);
    assert.equal(s.state.mvcc.currentRevision, 3);
  }
});

test("without room a change is made and yet refused", () => {
  const s = new AppliedState({ quotaBytes: 600 });
  assert.equal(s.put("a", "1").error, null);
  const outcome = s.put("b", "x".repeat(400));
  assert.equal(outcome.error, Errors.NoSpace);
  assert.equal(outcome.shouldRaiseNoSpace, true);
  assert.equal(s.value("b"), "x".repeat(400));
  assert.equal(s.grant(1n).error, null);
  assert.equal(s.delete("b").error, null);
  s.store.sizeBytes = 600;
  assert.equal(s.grant(2n).error, Errors.NoSpace);
  assert.notEqual(s.state.leases.find(2n), undefined);
  assert.equal(s.delete("a").error, null);
  assert.equal(s.txn({ failure: [{ requestDeleteRange: { key: bytes("a") } }] }).error, null);
  const put = { requestPut: { key: bytes("c") } };
  assert.equal(s.txn({ failure: [{ requestTxn: { failure: [put] } }] }).error, Errors.NoSpace);
  // What fails anyway fails for its own reason.
  assert.equal(s.put("c", "", { lease: 77n }).error, Errors.LeaseNotFound);
});

test("under the NOSPACE alarm nothing is done that needs room", () => {
  const s = new AppliedState({ quotaBytes: 100 });
  s.put("a", "1");
  s.alarm(noSpace);
  const outcome = s.put("b", "");
  assert.equal(outcome.error, Errors.NoSpace);
  assert.equal(outcome.shouldRaiseNoSpace, false);
  assert.equal(s.value("b"), undefined);
  assert.equal(s.grant(1n).error, Errors.NoSpace);
  assert.equal(s.state.leases.find(1n), undefined);
  const put = { requestPut: { key: bytes("c") } };
  assert.equal(s.txn({ success: [put] }).error, Errors.NoSpace);
  assert.equal(s.txn({ failure: [put] }).error, Errors.NoSpace);
  assert.equal(s.value("c"), undefined);
  const range = { requestRange: { key: bytes("a") } };
  assert.equal(s.txn({ success: [range] }).error, null);
  assert.equal(s.compact(2).error, null);
  assert.equal(s.delete("a").deleted, 1);
  s.alarm({ ...noSpace, action: AlarmAction.DEACTIVATE });
  assert.equal(s.txn({ success: [put] }).shouldRaiseNoSpace, true);
  assert.equal(s.value("c"), "");
});

test("under the CORRUPT alarm nothing reaches the keys, and it comes before NOSPACE", () => {
  const s = new AppliedState();
  s.put("a", "1");
  s.grant(1n);
  s.alarm(noSpace);
  s.alarm(corrupt);
  const read = s.apply(RequestField.Range, encodeRangeRequest({ key: bytes("a") }));
  for (const outcome of [
    s.put("b"),
    s.delete("a"),
    s.txn({ success: [] }),
    s.compact(1),
    s.grant(2n),
    s.revoke(1n),
    read,
  ]) {
    assert.equal(outcome.error, Errors.Corrupt);
  }
  assert.equal(s.value("a"), "1");
  assert.equal(s.apply(RequestField.LeaseCheckpoint, new Uint8Array(0)).error, null);
  assert.equal(s.alarm({ ...corrupt, action: AlarmAction.DEACTIVATE }).alarms.length, 1);
  assert.equal(s.delete("a").error, null);
});

test("requests about users are answered and change nothing", () => {
  const s = new AppliedState();
  const outcome = s.apply(RequestField.AuthEnable, new Uint8Array(0));
  assert.equal(outcome.error?.code, Code.Unimplemented);
  assert.equal(s.state.appliedIndex, 1);
});

test("a compaction says what it waits for", () => {
  const s = new AppliedState();
  for (const value of ["1", "2", "3"]) s.put("a", value);
  const first = s.compact(3);
  assert.equal(first.error, null);
  assert.equal(first.revision, 4);
  const again = s.compact(3);
  assert.equal(again.error, Errors.Compacted);
  assert.equal(again.compaction, first.compaction);
  assert.equal(s.compact(5).error, Errors.FutureRev);
  assert.equal(s.compact(5).compaction, null);
  s.finishCompaction();
  assert.equal(s.compact(2).compaction, null);
});

test("what is stored is told to watchers once per revision, before it is current", () => {
  const told: string[] = [];
  const s: AppliedState = new AppliedState({
    onChanges: (changes) => {
      const rows = Array.from({ length: changes.count }, (_, i) => {
        const key = s.state.mvcc.index.keyOf(changes.slots[i]!);
        const previous = changes.previousMains[i] === 0 ? "" : `<${changes.previousMains[i]}`;
        return `${key}${changes.tombstones[i] ? "-" : "+"}${previous}`;
      });
      told.push(`${s.state.mvcc.currentRevision}>${changes.revision}: ${rows.join(" ")}`);
    },
  });
  s.put("a", "1");
  s.put("b", "1");
  s.txn({
    success: [
      { requestPut: { key: bytes("a") } },
      { requestPut: { key: bytes("c") } },
      { requestDeleteRange: { key: bytes("b") } },
    ],
  });
  s.delete("x", "z");
  s.put("b", "2");
  s.delete("", "\0");
  assert.deepEqual(told, [
    "1>2: a+",
    "2>3: b+",
    "3>4: a+<2 c+ b-<3",
    "4>5: b+",
    "5>6: a-<4 b-<5 c-<4",
  ]);
});
