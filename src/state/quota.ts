// What a request may add to the file. Measured, never exact: the file's size differs between
// members, so at apply it colours the answer only, never the state.

import { PutView, readPut } from "../wire/kv-requests.ts";
import { Reader } from "../wire/protobuf/reader.ts";

const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;
/** Cost of a lease, as etcd's leaseOverhead. */
export const LEASE_COST_BYTES = 64;
/** Cost of a put besides its key and value, as etcd's kvOverhead. */
export const PUT_OVERHEAD_BYTES = 256;

export class Quota {
  /** Infinity: no quota. */
  readonly quotaBytes: number;
  readonly #store: { readonly sizeBytes: number };

  /** `quotaBytes` as the flag has it: 0 is the default, less is none. */
  constructor(quotaBytes: number, store: { readonly sizeBytes: number }) {
    if (quotaBytes < 0) this.quotaBytes = Number.POSITIVE_INFINITY;
    else this.quotaBytes = quotaBytes === 0 ? DEFAULT_QUOTA_BYTES : quotaBytes;
    this.#store = store;
  }

  /** Is there room for what costs so many bytes? */
  isAvailable(costBytes: number): boolean {
    return costBytes === 0 || this.#store.sizeBytes + costBytes < this.quotaBytes;
  }
}

const put = new PutView();

export function putCostBytes(bytes: Uint8Array, start: number, end: number): number {
  readPut(bytes, start, end, put);
  return putCostOf(put.keyEnd - put.keyStart, put.valueEnd - put.valueStart);
}

export function putCostOf(keyLength: number, valueLength: number): number {
  return PUT_OVERHEAD_BYTES + keyLength + valueLength;
}

const SUCCESS_TAG = (2 << 3) | 2;
const FAILURE_TAG = (3 << 3) | 2;
const PUT_OP_TAG = (2 << 3) | 2;
const TXN_OP_TAG = (4 << 3) | 2;

/** The dearer branch of TxnRequest `bytes[start … end)`; only puts cost. */
export function txnCostBytes(bytes: Uint8Array, start: number, end: number): number {
  return readTxnCost(new Reader(bytes, start, end));
}

function readTxnCost(r: Reader): number {
  let success = 0;
  let failure = 0;
  while (r.at < r.end) {
    const tag = r.tag();
    if (tag === SUCCESS_TAG || tag === FAILURE_TAG) {
      const outer = r.enter();
      const cost = readOpCost(r);
      r.leave(outer);
      if (tag === SUCCESS_TAG) success += cost;
      else failure += cost;
    } else {
      r.skip(tag);
    }
  }
  return Math.max(success, failure);
}

function readOpCost(r: Reader): number {
  let cost = 0;
  while (r.at < r.end) {
    const tag = r.tag();
    if (tag === PUT_OP_TAG) {
      const length = r.length();
      cost = putCostBytes(r.bytes, r.at, r.at + length);
      r.at += length;
    } else if (tag === TXN_OP_TAG) {
      const outer = r.enter();
      cost = readTxnCost(r);
      r.leave(outer);
    } else {
      r.skip(tag);
    }
  }
  return cost;
}
