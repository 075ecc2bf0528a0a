// Is a request of the KV service well formed? Checked once, before anything is proposed; apply
// accepts whatever is in the log. Each function returns the error or null.

import { Errors } from "../wire/errors.ts";
import type { RangeView } from "../wire/kv-requests.ts";
import type { RangeRequest, RequestOp, TxnRequest } from "../wire/messages/rpc-kv.ts";
import { SortOrder, SortTarget } from "../wire/messages/rpc-kv.ts";
import type { RpcError } from "../wire/status.ts";
import { checkDuplicatePuts } from "./txn-intervals.ts";

/** What the three checks of a put look at; both the hot and the decoded form have it. */
export interface PutFacts {
  readonly keyLength: number;
  readonly valueLength: number;
  readonly lease: bigint;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export function checkPut(put: PutFacts): RpcError | null {
  if (put.keyLength === 0) return Errors.EmptyKey;
  if (put.ignoreValue && put.valueLength !== 0) return Errors.ValueProvided;
  if (put.ignoreLease && put.lease !== 0n) return Errors.LeaseProvided;
  return null;
}

/** The same for the hot form of a request. */
export function checkRangeView(view: RangeView): RpcError | null {
  if (view.keyStart === view.keyEnd) return Errors.EmptyKey;
  return checkSort(view);
}

export function checkRange(request: RangeRequest): RpcError | null {
  if (request.key.length === 0) return Errors.EmptyKey;
  return checkSort(request);
}

function checkSort(request: {
  readonly sortOrder: number;
  readonly sortTarget: number;
}): RpcError | null {
  const isKnownOrder =
    request.sortOrder >= SortOrder.NONE && request.sortOrder <= SortOrder.DESCEND;
  const isKnownTarget =
    request.sortTarget >= SortTarget.KEY && request.sortTarget <= SortTarget.VALUE;
  return isKnownOrder && isKnownTarget ? null : Errors.InvalidSortOption;
}

/** `opsMax` is `--max-txn-ops`; nested transactions get what the outer ones leave. */
export function checkTxn(txn: TxnRequest, opsMax: number): RpcError | null {
  return (
    checkShape(txn, opsMax) ?? checkDuplicatePuts(txn.success) ?? checkDuplicatePuts(txn.failure)
  );
}

function checkShape(txn: TxnRequest, opsMax: number): RpcError | null {
  const count = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (count > opsMax) return Errors.TooManyOps;
  for (const compare of txn.compare) {
    if (compare.key.length === 0) return Errors.EmptyKey;
  }
  for (const op of txn.success) {
    const error = checkOp(op, opsMax - count);
    if (error !== null) return error;
  }
  for (const op of txn.failure) {
    const error = checkOp(op, opsMax - count);
    if (error !== null) return error;
  }
  return null;
}

function checkOp(op: RequestOp, opsLeft: number): RpcError | null {
  if (op.requestRange !== undefined) return checkRange(op.requestRange);
  if (op.requestPut !== undefined) {
    const put = op.requestPut;
    return checkPut({
      keyLength: put.key.length,
      valueLength: put.value.length,
      lease: put.lease,
      ignoreValue: put.ignoreValue,
      ignoreLease: put.ignoreLease,
    });
  }
  if (op.requestDeleteRange !== undefined) {
    return op.requestDeleteRange.key.length === 0 ? Errors.EmptyKey : null;
  }
  if (op.requestTxn !== undefined) return checkShape(op.requestTxn, opsLeft);
  return Errors.KeyNotFound;
}
