// Transactions, straight from their bytes.
//
//   plan     evaluate the compares of the transaction and of those nested in what it takes, all
//            against the state before; remember where the operations taken lie in the bytes
//   check    every operation of the plan against the state before: first error wins, nothing done
//   execute  in order, all changes under one revision; an error now would be a bug
//   encode   TxnResponse without its header, once somebody wants it

import { assert } from "../../base/assert.ts";
import { Errors } from "../../wire/errors.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import { PutView, RangeView, readPut, readRange } from "../../wire/kv-requests.ts";
import { Reader } from "../../wire/protobuf/reader.ts";
import type { RpcError } from "../../wire/status.ts";
import { holds } from "./compare.ts";
import { DeleteView, readDelete } from "./delete-view.ts";
import { KeyValueList } from "./key-value-list.ts";
import type { Mvcc } from "./mvcc.ts";
import { RangeResult, range } from "./range.ts";
import { OpResult, TxnResult } from "./txn-result.ts";

const COMPARE_TAG = (1 << 3) | 2;
const SUCCESS_TAG = (2 << 3) | 2;
const FAILURE_TAG = (3 << 3) | 2;

/** Fields of RequestOp and ResponseOp. */
export const OpField = { None: 0, Range: 1, Put: 2, DeleteRange: 3, Txn: 4 } as const;
const OP_FIELD_MAX = OpField.Txn;

/** Is there a lease with this id? */
export type LeaseExists = (lease: bigint) => boolean;

/** The operations that a transaction takes: operation i is `bytes[starts[i] … ends[i])`. */
interface Plan {
  readonly succeeded: boolean;
  readonly fields: number[];
  readonly starts: number[];
  readonly ends: number[];
  nested: (Plan | undefined)[];
}

const NONE_NESTED: (Plan | undefined)[] = [];

const put = new PutView();
const rangeView = new RangeView();
const deletion = new DeleteView();
const oldKeyValue = new KeyValueView();
const compareReader = new Reader(new Uint8Array(0), 0, 0);

/**
 * Applies the TxnRequest `bytes[start … end)`: fills `result`, or says why nothing was done. The
 * ranges are only read when `wanted`.
 */
export function applyTxn(
  mvcc: Mvcc,
  leaseExists: LeaseExists,
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: boolean,
): TxnResult | RpcError {
  const plan = makePlan(mvcc, bytes, start, end);
  const error = checkPlan(mvcc, leaseExists, bytes, plan);
  if (error !== null) return error;
  mvcc.begin();
  const result = execute(mvcc, bytes, plan, wanted);
  result.revision = mvcc.readRevision;
  mvcc.end();
  if (plan.fields.length > 1) mvcc.metrics.txns.value++;
  return result;
}

function makePlan(mvcc: Mvcc, bytes: Uint8Array, start: number, end: number): Plan {
  const succeeded = allHold(mvcc, bytes, start, end);
  const plan: Plan = { succeeded, fields: [], starts: [], ends: [], nested: NONE_NESTED };
  const takenTag = succeeded ? SUCCESS_TAG : FAILURE_TAG;
  const r = new Reader(bytes, start, end);
  while (r.at < end) {
    const tag = r.tag();
    if (tag !== takenTag) {
      r.skip(tag);
      continue;
    }
    const outer = r.enter();
    readOp(r, plan);
    r.leave(outer);
  }
  for (let i = 0; i < plan.fields.length; i++) {
    if (plan.fields[i] !== OpField.Txn) continue;
    if (plan.nested === NONE_NESTED) plan.nested = [];
    plan.nested[i] = makePlan(mvcc, bytes, plan.starts[i]!, plan.ends[i]!);
  }
  return plan;
}

/** The first of two looks at the bytes: compares may stand behind operations. */
function allHold(mvcc: Mvcc, bytes: Uint8Array, start: number, end: number): boolean {
  const r = compareReader;
  r.reset(bytes, start, end);
  let succeeded = true;
  while (r.at < end) {
    const tag = r.tag();
    if (tag !== COMPARE_TAG) {
      r.skip(tag);
      continue;
    }
    const length = r.length();
    if (!holds(mvcc, bytes, r.at, r.at + length)) succeeded = false;
    r.at += length;
  }
  return succeeded;
}

/** Reads RequestOp up to the end of the reader's range: which operation, and where it lies. */
function readOp(r: Reader, plan: Plan): void {
  let field: number = OpField.None;
  let start = r.at;
  let end = r.at;
  while (r.at < r.end) {
    const tag = r.tag();
    if ((tag & 7) === 2 && tag >>> 3 <= OP_FIELD_MAX) {
      const length = r.length();
      field = tag >>> 3;
      start = r.at;
      end = r.at += length;
    } else {
      r.skip(tag);
    }
  }
  plan.fields.push(field);
  plan.starts.push(start);
  plan.ends.push(end);
}

function checkPlan(
  mvcc: Mvcc,
  leaseExists: LeaseExists,
  bytes: Uint8Array,
  plan: Plan,
): RpcError | null {
  for (let i = 0; i < plan.fields.length; i++) {
    const error = checkOp(mvcc, leaseExists, bytes, plan, i);
    if (error !== null) return error;
  }
  return null;
}

function checkOp(
  mvcc: Mvcc,
  leaseExists: LeaseExists,
  bytes: Uint8Array,
  plan: Plan,
  at: number,
): RpcError | null {
  const start = plan.starts[at]!;
  const end = plan.ends[at]!;
  switch (plan.fields[at]) {
    case OpField.Range: {
      readRange(bytes, start, end, rangeView);
      const revision = rangeView.revision;
      if (revision === 0) return null;
      if (revision > mvcc.currentRevision) return Errors.FutureRev;
      // Unlike outside of transactions, a negative revision is one that is gone.
      return revision < mvcc.compactRevision ? Errors.Compacted : null;
    }
    case OpField.Put:
      readPut(bytes, start, end, put);
      return checkPut(mvcc, leaseExists, bytes, put);
    case OpField.Txn:
      return checkPlan(mvcc, leaseExists, bytes, plan.nested[at]!);
    default:
      return null;
  }
}

/** Can this be put? Looks at the state of now. */
export function checkPut(
  mvcc: Mvcc,
  leaseExists: LeaseExists,
  bytes: Uint8Array,
  view: PutView,
): RpcError | null {
  if (view.lease !== 0n && !leaseExists(view.lease)) return Errors.LeaseNotFound;
  if (!view.ignoreValue && !view.ignoreLease) return null;
  const slot = mvcc.index.find(bytes, view.keyStart, view.keyEnd);
  return slot >= 0 && mvcc.index.history.isLive(slot) ? null : Errors.KeyNotFound;
}

/** Puts inside a transaction; `checkPut` has been asked. The old KeyValue goes to `previous`. */
export function executePut(
  mvcc: Mvcc,
  bytes: Uint8Array,
  view: PutView,
  previous: KeyValueList | null,
): void {
  const { keyStart, keyEnd } = view;
  let { valueStart, valueEnd, lease } = view;
  let valueBytes = bytes;
  if (view.ignoreValue || view.ignoreLease || previous !== null) {
    const slot = mvcc.index.find(bytes, keyStart, keyEnd);
    const existed = mvcc.findRecordOf(slot, mvcc.readRevision);
    const { foundBytes, foundStart, foundEnd } = mvcc.records;
    if (existed && previous !== null) previous.push(foundBytes, foundStart, foundEnd);
    if (view.ignoreValue || view.ignoreLease) {
      assert(existed, "a put that keeps something of the old one was checked");
      viewKeyValue(foundBytes, foundStart, foundEnd, oldKeyValue);
      if (view.ignoreValue) {
        valueBytes = foundBytes;
        valueStart = oldKeyValue.valueStart;
        valueEnd = oldKeyValue.valueEnd;
      }
      if (view.ignoreLease) lease = oldKeyValue.lease;
    }
  }
  mvcc.put(bytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, lease);
}

/** Deletes inside a transaction; the old KeyValues go to `previous`. Returns how many. */
export function executeDelete(
  mvcc: Mvcc,
  bytes: Uint8Array,
  view: DeleteView,
  previous: KeyValueList | null,
): number {
  const { keyStart, keyEnd, rangeEndStart, rangeEndEnd } = view;
  if (previous !== null) {
    const old = new RangeResult();
    const all = new RangeView();
    all.keyStart = keyStart;
    all.keyEnd = keyEnd;
    all.rangeEndStart = rangeEndStart;
    all.rangeEndEnd = rangeEndEnd;
    range(mvcc, bytes, all, old);
    const { buffers, starts, ends, count } = old.kvs;
    for (let i = 0; i < count; i++) previous.push(buffers[i]!, starts[i]!, ends[i]!);
  }
  return mvcc.deleteRange(bytes, keyStart, keyEnd, rangeEndStart, rangeEndEnd);
}

function execute(mvcc: Mvcc, bytes: Uint8Array, plan: Plan, wanted: boolean): TxnResult {
  const result = new TxnResult(plan.succeeded);
  for (let i = 0; i < plan.fields.length; i++) {
    const op = new OpResult(plan.fields[i]!);
    const start = plan.starts[i]!;
    const end = plan.ends[i]!;
    switch (op.field) {
      case OpField.Range:
        if (!wanted) break;
        readRange(bytes, start, end, rangeView);
        op.range = new RangeResult();
        assert(range(mvcc, bytes, rangeView, op.range) === null, "a range was checked");
        op.revision = op.range.revision;
        break;
      case OpField.Put:
        readPut(bytes, start, end, put);
        if (put.prevKv && wanted) op.previous = new KeyValueList();
        executePut(mvcc, bytes, put, op.previous);
        op.revision = mvcc.readRevision;
        break;
      case OpField.DeleteRange:
        readDelete(bytes, start, end, deletion);
        if (deletion.prevKv && wanted) op.previous = new KeyValueList();
        op.deleted = executeDelete(mvcc, bytes, deletion, op.previous);
        op.revision = mvcc.readRevision;
        break;
      case OpField.Txn:
        op.txn = execute(mvcc, bytes, plan.nested[i]!, wanted);
        break;
      default:
        // An operation without content is refused by the API; in the log it does nothing.
        break;
    }
    result.ops.push(op);
  }
  return result;
}
