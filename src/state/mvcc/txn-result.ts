// What a transaction answered, and its encoding: TxnResponse without `header`, which the API puts
// in front. Inner answers have a header with nothing but the revision; that of a nested
// transaction is there but empty.

import {
  copyRange,
  sizeDelimited,
  sizeNumber,
  writeNumber,
  writeUint32,
} from "../../wire/protobuf/writer.ts";
import type { KeyValueList } from "./key-value-list.ts";
import type { RangeResult } from "./range.ts";

export class OpResult {
  /** A number of OpField. */
  readonly field: number;
  revision = 0;
  deleted = 0;
  range: RangeResult | null = null;
  previous: KeyValueList | null = null;
  txn: TxnResult | null = null;
  /** Of the answer inside ResponseOp; set by `sizeTxnBody`. */
  sizeBytes = 0;

  constructor(field: number) {
    this.field = field;
  }
}

export class TxnResult {
  readonly succeeded: boolean;
  readonly ops: OpResult[] = [];
  /** For the header of the whole answer. */
  revision = 0;

  constructor(succeeded: boolean) {
    this.succeeded = succeeded;
  }
}

const HEADER_TAG = (1 << 3) | 2;
const HEADER_REVISION_TAG = 3 << 3;
const SUCCEEDED_TAG = 2 << 3;
const RESPONSES_TAG = (3 << 3) | 2;
/** RangeResponse.kvs and PutResponse.prev_kv. */
const KVS_TAG = (2 << 3) | 2;
const MORE_TAG = 3 << 3;
const COUNT_TAG = 4 << 3;
const DELETED_TAG = 2 << 3;
const PREV_KVS_TAG = (3 << 3) | 2;

const PUT_FIELD = 2;
const NESTED_FIELD = 4;

/** Size of fields 2 and 3 of TxnResponse; must be asked before `writeTxnBody`. */
export function sizeTxnBody(txn: TxnResult): number {
  let size = txn.succeeded ? 2 : 0;
  for (const op of txn.ops) {
    op.sizeBytes = sizeOp(op);
    size += 1 + sizeDelimited(op.field === 0 ? 0 : 1 + sizeDelimited(op.sizeBytes));
  }
  return size;
}

/** Returns the offset behind what was written. */
export function writeTxnBody(txn: TxnResult, target: Uint8Array, at: number): number {
  let offset = at;
  if (txn.succeeded) {
    target[offset++] = SUCCEEDED_TAG;
    target[offset++] = 1;
  }
  for (const op of txn.ops) {
    target[offset++] = RESPONSES_TAG;
    if (op.field === 0) {
      target[offset++] = 0;
      continue;
    }
    offset = writeUint32(target, offset, 1 + sizeDelimited(op.sizeBytes));
    target[offset++] = (op.field << 3) | 2;
    offset = writeUint32(target, offset, op.sizeBytes);
    offset = writeOp(op, target, offset);
  }
  return offset;
}

function sizeOp(op: OpResult): number {
  let size = sizeHeader(op);
  if (op.txn !== null) return size + sizeTxnBody(op.txn);
  if (op.range !== null) {
    size += sizeList(op.range.kvs);
    if (op.range.more) size += 2;
    if (op.range.total !== 0) size += 1 + sizeNumber(op.range.total);
  }
  if (op.deleted !== 0) size += 1 + sizeNumber(op.deleted);
  if (op.previous !== null) size += sizeList(op.previous);
  return size;
}

function writeOp(op: OpResult, target: Uint8Array, at: number): number {
  let offset = writeHeader(op, target, at);
  if (op.txn !== null) return writeTxnBody(op.txn, target, offset);
  if (op.range !== null) {
    offset = writeList(op.range.kvs, KVS_TAG, target, offset);
    if (op.range.more) {
      target[offset++] = MORE_TAG;
      target[offset++] = 1;
    }
    if (op.range.total !== 0) {
      target[offset++] = COUNT_TAG;
      offset = writeNumber(target, offset, op.range.total);
    }
  }
  if (op.deleted !== 0) {
    target[offset++] = DELETED_TAG;
    offset = writeNumber(target, offset, op.deleted);
  }
  if (op.previous !== null) {
    const tag = op.field === PUT_FIELD ? KVS_TAG : PREV_KVS_TAG;
    offset = writeList(op.previous, tag, target, offset);
  }
  return offset;
}

function sizeHeader(op: OpResult): number {
  if (op.field === NESTED_FIELD) return 2;
  return op.revision === 0 ? 0 : 2 + 1 + sizeNumber(op.revision);
}

function writeHeader(op: OpResult, target: Uint8Array, at: number): number {
  if (op.field !== NESTED_FIELD && op.revision === 0) return at;
  target[at] = HEADER_TAG;
  if (op.field === NESTED_FIELD) {
    target[at + 1] = 0;
    return at + 2;
  }
  target[at + 1] = 1 + sizeNumber(op.revision);
  target[at + 2] = HEADER_REVISION_TAG;
  return writeNumber(target, at + 3, op.revision);
}

function sizeList(list: KeyValueList): number {
  let size = 0;
  for (let i = 0; i < list.count; i++) size += 1 + sizeDelimited(list.ends[i]! - list.starts[i]!);
  return size;
}

function writeList(list: KeyValueList, tag: number, target: Uint8Array, at: number): number {
  let offset = at;
  for (let i = 0; i < list.count; i++) {
    const start = list.starts[i]!;
    const end = list.ends[i]!;
    target[offset++] = tag;
    offset = writeUint32(target, offset, end - start);
    offset = copyRange(target, offset, list.buffers[i]!, start, end);
  }
  return offset;
}
