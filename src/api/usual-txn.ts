// The transaction that nearly all are (Kubernetes' update of an object): compares, and in each
// branch at most one put and some ranges. It can be checked where it lies, field by field as apply
// will read it, without an object for each part; all others are decoded. A test compares the two.

import { hasKey } from "../state/mvcc/compare.ts";
import { putCostOf } from "../state/quota.ts";
import { PutView, RangeView, readPut, readRange } from "../wire/kv-requests.ts";
import { Reader } from "../wire/protobuf/reader.ts";
import { checkPut, checkRangeView } from "./kv-validate.ts";

const COMPARE_TAG = (1 << 3) | 2;
const SUCCESS_TAG = (2 << 3) | 2;
const FAILURE_TAG = (3 << 3) | 2;
const RANGE_TAG = (1 << 3) | 2;
const PUT_TAG = (2 << 3) | 2;

const reader = new Reader(new Uint8Array(0), 0, 0);
const put = new PutView();
const range = new RangeView();

interface Branch {
  ops: number;
  puts: number;
  costBytes: number;
}

const success: Branch = { ops: 0, puts: 0, costBytes: 0 };
const failure: Branch = { ops: 0, puts: 0, costBytes: 0 };

/**
 * What the TxnRequest `bytes[start … end)` may add to the file, if it is usual, changes something
 * and is in order; -1 if it has to be looked at more closely.
 *
 * @throws ProtoError as decodeTxnRequest would
 */
export function usualTxnCost(
  bytes: Uint8Array,
  start: number,
  end: number,
  opsMax: number,
): number {
  success.ops = success.puts = success.costBytes = 0;
  failure.ops = failure.puts = failure.costBytes = 0;
  let compares = 0;
  const r = reader;
  r.reset(bytes, start, end);
  while (r.at < end) {
    const tag = r.tag();
    if (tag === COMPARE_TAG) {
      const length = r.length();
      if (!hasKey(bytes, r.at, r.at + length)) return -1;
      r.at += length;
      compares++;
    } else if (tag === SUCCESS_TAG || tag === FAILURE_TAG) {
      const outer = r.enter();
      if (!isUsualOp(r, tag === SUCCESS_TAG ? success : failure)) return -1;
      r.leave(outer);
    } else return -1;
  }
  if (success.puts + failure.puts === 0) return -1;
  if (Math.max(compares, success.ops, failure.ops) > opsMax) return -1;
  return Math.max(success.costBytes, failure.costBytes);
}

/** One field up to the end of the reader's range: a range, or the only put of its branch. */
function isUsualOp(r: Reader, branch: Branch): boolean {
  if (r.at === r.end) return false;
  const tag = r.tag();
  if (tag !== PUT_TAG && tag !== RANGE_TAG) return false;
  const length = r.length();
  const start = r.at;
  const end = start + length;
  r.at = end;
  if (end !== r.end) return false;
  branch.ops++;
  if (tag === RANGE_TAG) {
    readRange(r.bytes, start, end, range);
    return checkRangeView(range) === null;
  }
  readPut(r.bytes, start, end, put);
  const keyLength = put.keyEnd - put.keyStart;
  const valueLength = put.valueEnd - put.valueStart;
  const { lease, ignoreValue, ignoreLease } = put;
  branch.costBytes += putCostOf(keyLength, valueLength);
  if (++branch.puts > 1) return false;
  return checkPut({ keyLength, valueLength, lease, ignoreValue, ignoreLease }) === null;
}
