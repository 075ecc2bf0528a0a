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

/** One branch, or the compares. */
interface Part {
  count: number;
  puts: number;
  costBytes: number;
}

const compares: Part = { count: 0, puts: 0, costBytes: 0 };
const success: Part = { count: 0, puts: 0, costBytes: 0 };
const failure: Part = { count: 0, puts: 0, costBytes: 0 };
const parts: readonly Part[] = [compares, success, failure];

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
  for (const part of parts) part.count = part.puts = part.costBytes = 0;
  const r = reader;
  r.reset(bytes, start, end);
  while (r.at < end) {
    const tag = r.tag();
    if (tag !== COMPARE_TAG && tag !== SUCCESS_TAG && tag !== FAILURE_TAG) return -1;
    const length = r.length();
    const from = r.at;
    const to = from + length;
    if (tag === COMPARE_TAG) {
      if (!hasKey(bytes, from, to)) return -1;
      compares.count++;
    } else if (!isUsualOp(bytes, from, to, tag === SUCCESS_TAG ? success : failure)) return -1;
    r.reset(bytes, to, end);
  }
  if (success.puts + failure.puts === 0) return -1;
  if (Math.max(compares.count, success.count, failure.count) > opsMax) return -1;
  return Math.max(success.costBytes, failure.costBytes);
}

/** One field, and that a range or the only put of its branch. */
function isUsualOp(bytes: Uint8Array, start: number, end: number, branch: Part): boolean {
  const r = reader;
  r.reset(bytes, start, end);
  if (start === end) return false;
  const tag = r.tag();
  if (tag !== PUT_TAG && tag !== RANGE_TAG) return false;
  const length = r.length();
  const from = r.at;
  if (from + length !== end) return false;
  branch.count++;
  if (tag === RANGE_TAG) {
    readRange(bytes, from, end, range);
    return checkRangeView(range) === null;
  }
  readPut(bytes, from, end, put);
  const keyLength = put.keyEnd - put.keyStart;
  const valueLength = put.valueEnd - put.valueStart;
  const { lease, ignoreValue, ignoreLease } = put;
  branch.costBytes += putCostOf(keyLength, valueLength);
  if (++branch.puts > 1) return false;
  if (keyLength > 0 && !ignoreValue && !ignoreLease) return true;
  return checkPut({ keyLength, valueLength, lease, ignoreValue, ignoreLease }) === null;
}
