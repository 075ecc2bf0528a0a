// mvccpb.KeyValue from its parts and back, in place. Its bytes are the value of a record in bucket
// "key", are spliced into answers and events, and go into HashKV: fields 1 to 6 ascending, zeros
// omitted, exactly as every other member writes them.

import { Reader } from "./protobuf/reader.ts";
import {
  copyRange,
  sizeBig,
  sizeDelimited,
  sizeNumber,
  writeBig,
  writeNumber,
  writeUint32,
} from "./protobuf/writer.ts";

const KEY_TAG = (1 << 3) | 2;
const CREATE_REVISION_TAG = 2 << 3;
const MOD_REVISION_TAG = 3 << 3;
const VERSION_TAG = 4 << 3;
const VALUE_TAG = (5 << 3) | 2;
const LEASE_TAG = 6 << 3;

export function sizeKeyValueOf(
  keyLength: number,
  createRevision: number,
  modRevision: number,
  version: number,
  valueLength: number,
  lease: bigint,
): number {
  let size = 0;
  if (keyLength !== 0) size += 1 + sizeDelimited(keyLength);
  if (createRevision !== 0) size += 1 + sizeNumber(createRevision);
  if (modRevision !== 0) size += 1 + sizeNumber(modRevision);
  if (version !== 0) size += 1 + sizeNumber(version);
  if (valueLength !== 0) size += 1 + sizeDelimited(valueLength);
  if (lease !== 0n) size += 1 + sizeBig(lease);
  return size;
}

/** Returns the offset behind what was written. */
export function writeKeyValueOf(
  target: Uint8Array,
  at: number,
  keyBytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  createRevision: number,
  modRevision: number,
  version: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueEnd: number,
  lease: bigint,
): number {
  let offset = at;
  if (keyEnd !== keyStart) {
    target[offset++] = KEY_TAG;
    offset = writeUint32(target, offset, keyEnd - keyStart);
    offset = copyRange(target, offset, keyBytes, keyStart, keyEnd);
  }
  if (createRevision !== 0) {
    target[offset++] = CREATE_REVISION_TAG;
    offset = writeNumber(target, offset, createRevision);
  }
  if (modRevision !== 0) {
    target[offset++] = MOD_REVISION_TAG;
    offset = writeNumber(target, offset, modRevision);
  }
  if (version !== 0) {
    target[offset++] = VERSION_TAG;
    offset = writeNumber(target, offset, version);
  }
  if (valueEnd !== valueStart) {
    target[offset++] = VALUE_TAG;
    offset = writeUint32(target, offset, valueEnd - valueStart);
    offset = copyRange(target, offset, valueBytes, valueStart, valueEnd);
  }
  if (lease !== 0n) {
    target[offset++] = LEASE_TAG;
    offset = writeBig(target, offset, lease);
  }
  return offset;
}

/** A KeyValue as offsets into the bytes that hold it. */
export class KeyValueView {
  keyStart = 0;
  keyEnd = 0;
  createRevision = 0;
  modRevision = 0;
  version = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
}

const reader = new Reader(new Uint8Array(0), 0, 0);

/** Throws ProtoError on malformed bytes. An absent key or value is an empty range. */
export function viewKeyValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: KeyValueView,
): void {
  const r = reader;
  r.reset(bytes, start, end);
  out.keyStart = out.keyEnd = start;
  out.createRevision = 0;
  out.modRevision = 0;
  out.version = 0;
  out.valueStart = out.valueEnd = start;
  out.lease = 0n;
  while (r.at < end) {
    const tag = r.tag();
    switch (tag) {
      case KEY_TAG: {
        const length = r.length();
        out.keyStart = r.at;
        out.keyEnd = r.at += length;
        break;
      }
      case CREATE_REVISION_TAG:
        out.createRevision = r.int64();
        break;
      case MOD_REVISION_TAG:
        out.modRevision = r.int64();
        break;
      case VERSION_TAG:
        out.version = r.int64();
        break;
      case VALUE_TAG: {
        const length = r.length();
        out.valueStart = r.at;
        out.valueEnd = r.at += length;
        break;
      }
      case LEASE_TAG:
        out.lease = r.bigInt64();
        break;
      default:
        r.skip(tag);
    }
  }
}
