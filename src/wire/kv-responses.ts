// The hot answers, written in place from parts. Every answer begins with `header = 1`, whose first
// two fields never change while a member runs:
//
//   0a │length│ 08 cluster_id 10 member_id │ 18 revision 20 raft_term │ rest of the answer
//              └──── encoded once ────────┘
//
// KeyValues are spliced from the records that hold them.

import {
  copyBytes,
  copyRange,
  sizeBig,
  sizeDelimited,
  sizeNumber,
  writeBig,
  writeNumber,
  writeUint32,
} from "./protobuf/writer.ts";

const HEADER_TAG = (1 << 3) | 2;
const CLUSTER_ID_TAG = 1 << 3;
const MEMBER_ID_TAG = 2 << 3;
const REVISION_TAG = 3 << 3;
const RAFT_TERM_TAG = 4 << 3;

const PREV_KV_TAG = (2 << 3) | 2;
export const KVS_TAG: number = (2 << 3) | 2;
const MORE_TAG = 3 << 3;
const COUNT_TAG = 4 << 3;

export class HeaderTemplate {
  readonly #ids: Uint8Array;

  constructor(clusterId: bigint, memberId: bigint) {
    let size = 0;
    if (clusterId !== 0n) size += 1 + sizeBig(clusterId);
    if (memberId !== 0n) size += 1 + sizeBig(memberId);
    const ids = new Uint8Array(size);
    let at = 0;
    if (clusterId !== 0n) {
      ids[at++] = CLUSTER_ID_TAG;
      at = writeBig(ids, at, clusterId);
    }
    if (memberId !== 0n) {
      ids[at++] = MEMBER_ID_TAG;
      writeBig(ids, at, memberId);
    }
    this.#ids = ids;
  }

  /** Size of the whole field `header = 1`. A header is never longer than 44 bytes. */
  size(revision: number, term: number): number {
    return 2 + this.#bodySize(revision, term);
  }

  /** Writes the whole field `header = 1`; returns the offset behind it. */
  write(target: Uint8Array, at: number, revision: number, term: number): number {
    target[at] = HEADER_TAG;
    target[at + 1] = this.#bodySize(revision, term);
    let offset = copyBytes(target, at + 2, this.#ids);
    if (revision !== 0) {
      target[offset++] = REVISION_TAG;
      offset = writeNumber(target, offset, revision);
    }
    if (term !== 0) {
      target[offset++] = RAFT_TERM_TAG;
      offset = writeNumber(target, offset, term);
    }
    return offset;
  }

  /** The header alone, as `ResponseHeaderInit | Uint8Array` of the generated encoders wants it. */
  encode(revision: number, term: number): Uint8Array {
    const field = new Uint8Array(this.size(revision, term));
    this.write(field, 0, revision, term);
    return field.subarray(2);
  }

  #bodySize(revision: number, term: number): number {
    let size = this.#ids.length;
    if (revision !== 0) size += 1 + sizeNumber(revision);
    if (term !== 0) size += 1 + sizeNumber(term);
    return size;
  }
}

/** `prevLength` is -1 without a previous KeyValue. */
export function sizePutAnswer(
  header: HeaderTemplate,
  revision: number,
  term: number,
  prevLength: number,
): number {
  const size = header.size(revision, term);
  return prevLength < 0 ? size : size + 1 + sizeDelimited(prevLength);
}

/** PutResponse; the previous KeyValue, if any, is `prev[prevStart … prevEnd)`. */
export function writePutAnswer(
  target: Uint8Array,
  at: number,
  header: HeaderTemplate,
  revision: number,
  term: number,
  prev: Uint8Array | undefined,
  prevStart: number,
  prevEnd: number,
): number {
  const offset = header.write(target, at, revision, term);
  if (prev === undefined) return offset;
  target[offset] = PREV_KV_TAG;
  const next = writeUint32(target, offset + 1, prevEnd - prevStart);
  return copyRange(target, next, prev, prevStart, prevEnd);
}

/** Encoded KeyValues: number i is `buffers[i][starts[i] … ends[i])`, for i in 0 … count - 1. */
export interface KeyValueColumns {
  readonly buffers: readonly Uint8Array[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly count: number;
}

/** Field `kvs` for those from `start` to `end`. */
export function sizeKeyValues(kvs: KeyValueColumns, start: number, end: number): number {
  const { starts, ends } = kvs;
  let size = 0;
  for (let i = start; i < end; i++) size += 1 + sizeDelimited(ends[i]! - starts[i]!);
  return size;
}

export function writeKeyValues(
  target: Uint8Array,
  at: number,
  kvs: KeyValueColumns,
  from: number,
  to: number,
): number {
  const { buffers, starts, ends } = kvs;
  let offset = at;
  for (let i = from; i < to; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    target[offset++] = KVS_TAG;
    offset = writeUint32(target, offset, end - start);
    offset = copyRange(target, offset, buffers[i]!, start, end);
  }
  return offset;
}

/** What follows the KeyValues; `total` is field `count`. */
export function sizeRangeEnd(more: boolean, total: number): number {
  return (more ? 2 : 0) + (total === 0 ? 0 : 1 + sizeNumber(total));
}

export function writeRangeEnd(
  target: Uint8Array,
  at: number,
  more: boolean,
  total: number,
): number {
  let offset = at;
  if (more) {
    target[offset++] = MORE_TAG;
    target[offset++] = 1;
  }
  if (total !== 0) {
    target[offset++] = COUNT_TAG;
    offset = writeNumber(target, offset, total);
  }
  return offset;
}

export function sizeRangeAnswer(
  header: HeaderTemplate,
  revision: number,
  term: number,
  kvs: KeyValueColumns,
  more: boolean,
  total: number,
): number {
  const keyValueBytes = sizeKeyValues(kvs, 0, kvs.count);
  return header.size(revision, term) + keyValueBytes + sizeRangeEnd(more, total);
}

/** RangeResponse; `total` is its field `count`. */
export function writeRangeAnswer(
  target: Uint8Array,
  at: number,
  header: HeaderTemplate,
  revision: number,
  term: number,
  kvs: KeyValueColumns,
  more: boolean,
  total: number,
): number {
  const kvsAt = header.write(target, at, revision, term);
  const end = writeKeyValues(target, kvsAt, kvs, 0, kvs.count);
  return writeRangeEnd(target, end, more, total);
}
