// Put and Range as offsets into the bytes that hold them: what the hot path needs of a request,
// without an object or a view per field. The result objects are made once and filled again.
// All of it means the same as decodePutRequest and decodeRangeRequest; a test compares them.

import { Reader } from "./protobuf/reader.ts";

export class PutView {
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
  prevKv = false;
  ignoreValue = false;
  ignoreLease = false;
}

export class RangeView {
  keyStart = 0;
  keyEnd = 0;
  rangeEndStart = 0;
  rangeEndEnd = 0;
  limit = 0;
  revision = 0;
  /** May be a number that SortOrder does not have. */
  sortOrder = 0;
  sortTarget = 0;
  serializable = false;
  keysOnly = false;
  countOnly = false;
  minModRevision = 0;
  maxModRevision = 0;
  minCreateRevision = 0;
  maxCreateRevision = 0;
}

const reader = new Reader(new Uint8Array(0), 0, 0);

/** An absent key or value is an empty range. */
export function readPut(bytes: Uint8Array, start: number, end: number, out: PutView): void {
  const r = reader;
  r.reset(bytes, start, end);
  out.keyStart = out.keyEnd = start;
  out.valueStart = out.valueEnd = start;
  out.lease = 0n;
  out.prevKv = false;
  out.ignoreValue = false;
  out.ignoreLease = false;
  while (r.at < end) {
    const tag = r.tag();
    switch (tag) {
      case (1 << 3) | 2: {
        const length = r.length();
        out.keyStart = r.at;
        out.keyEnd = r.at += length;
        break;
      }
      case (2 << 3) | 2: {
        const length = r.length();
        out.valueStart = r.at;
        out.valueEnd = r.at += length;
        break;
      }
      case 3 << 3:
        out.lease = r.bigInt64();
        break;
      case 4 << 3:
        out.prevKv = r.bool();
        break;
      case 5 << 3:
        out.ignoreValue = r.bool();
        break;
      case 6 << 3:
        out.ignoreLease = r.bool();
        break;
      default:
        r.skip(tag);
    }
  }
}

export function readRange(bytes: Uint8Array, start: number, end: number, out: RangeView): void {
  const r = reader;
  r.reset(bytes, start, end);
  clearRange(out, start);
  while (r.at < end) {
    const tag = r.tag();
    switch (tag) {
      case (1 << 3) | 2: {
        const length = r.length();
        out.keyStart = r.at;
        out.keyEnd = r.at += length;
        break;
      }
      case (2 << 3) | 2: {
        const length = r.length();
        out.rangeEndStart = r.at;
        out.rangeEndEnd = r.at += length;
        break;
      }
      case 3 << 3:
        out.limit = r.int64();
        break;
      case 4 << 3:
        out.revision = r.int64();
        break;
      case 5 << 3:
        out.sortOrder = r.int32();
        break;
      case 6 << 3:
        out.sortTarget = r.int32();
        break;
      case 7 << 3:
        out.serializable = r.bool();
        break;
      case 8 << 3:
        out.keysOnly = r.bool();
        break;
      case 9 << 3:
        out.countOnly = r.bool();
        break;
      default:
        readRangeFilter(r, tag, out);
    }
  }
}

function readRangeFilter(r: Reader, tag: number, out: RangeView): void {
  switch (tag) {
    case 10 << 3:
      out.minModRevision = r.int64();
      return;
    case 11 << 3:
      out.maxModRevision = r.int64();
      return;
    case 12 << 3:
      out.minCreateRevision = r.int64();
      return;
    case 13 << 3:
      out.maxCreateRevision = r.int64();
      return;
    default:
      r.skip(tag);
  }
}

function clearRange(out: RangeView, start: number): void {
  out.keyStart = out.keyEnd = start;
  out.rangeEndStart = out.rangeEndEnd = start;
  out.limit = 0;
  out.revision = 0;
  out.sortOrder = 0;
  out.sortTarget = 0;
  out.serializable = false;
  out.keysOnly = false;
  out.countOnly = false;
  out.minModRevision = 0;
  out.maxModRevision = 0;
  out.minCreateRevision = 0;
  out.maxCreateRevision = 0;
}
