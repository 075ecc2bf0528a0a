// Reads protobuf from a byte range. One Reader serves a message and all messages in it; `end` is
// that of the innermost one, so no read can leave the range it was given.
//
//   decodeTxnRequest(bytes, start, end)
//     └─ readTxnRequest(reader)              at ──────────────► end
//          enter() ── readCompare ── leave()     at ──► end
//
// A field that is known by number but has another wire type counts as unknown, as in Go. 64-bit
// values come as Number where the schema says so: those beyond the doubles that can be written back
// as 64 bits are lowered to the last one that can.

import { INVALID_UTF8_TEXT, MALFORMED_TEXT, ProtoError, TOO_DEEP_TEXT } from "./proto-error.ts";

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Messages nested deeper are refused. The deepest sensible one is a transaction in a transaction
 * and so on, where each level costs one of 128 operations; the stack holds several thousand.
 */
const DEPTH_MAX = 1000;

const TWO_TO_32 = 0x1_0000_0000;
/** Largest doubles below 2^63 and 2^64. */
const INT64_DOUBLE_MAX = 2 ** 63 - 1024;
const UINT64_DOUBLE_MAX = 2 ** 64 - 2048;

/** Strings up to this length are built byte by byte, which beats a call of TextDecoder. */
const SHORT_STRING_BYTES = 48;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const bigScratch = new BigUint64Array(1);
const bigSignedScratch = new BigInt64Array(bigScratch.buffer);
const wordScratch = new Uint32Array(bigScratch.buffer);
const LOW_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH_WORD = 1 - LOW_WORD;

export class Reader {
  bytes: Uint8Array;
  at: number;
  end: number;
  /** The last varint that was read, as two signed 32-bit words. */
  low = 0;
  high = 0;
  depth = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    if (start < 0 || end > bytes.length || start > end) throw new RangeError("range outside bytes");
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** For a reader that is used again: no allocation per message. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    if (start < 0 || end > bytes.length || start > end) throw new RangeError("range outside bytes");
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.depth = 0;
  }

  tag(): number {
    const first = this.bytes[this.at]!;
    if (first < 128 && first > 7) {
      this.at++;
      return first;
    }
    this.varint();
    const tag = this.low >>> 0;
    if (this.high !== 0 || tag < 8) throw malformed();
    return tag;
  }

  /** Reads a varint of up to ten bytes into `low` and `high`. */
  varint(): void {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.at;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw malformed();
      const byte = bytes[at++]!;
      low |= (byte & 127) << shift;
      if (byte < 128) {
        this.at = at;
        this.low = low;
        this.high = 0;
        return;
      }
    }
    if (at >= end) throw malformed();
    const fifth = bytes[at++]!;
    this.low = low | ((fifth & 127) << 28);
    this.at = at;
    this.high = (fifth & 127) >>> 4;
    if (fifth >= 128) this.#highPart();
  }

  /** Bytes six to ten of a varint. */
  #highPart(): void {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.at;
    let high = this.high;
    for (let shift = 3; shift < 31; shift += 7) {
      if (at >= end) throw malformed();
      const byte = bytes[at++]!;
      high |= (byte & 127) << shift;
      if (byte < 128) {
        this.at = at;
        this.high = high;
        return;
      }
    }
    if (at >= end) throw malformed();
    const tenth = bytes[at++]!;
    if (tenth > 1) throw malformed();
    this.at = at;
    this.high = high | (tenth << 31);
  }

  int64(): number {
    this.varint();
    const high = this.high;
    if (high === 0) return this.low >>> 0;
    const value = high * TWO_TO_32 + (this.low >>> 0);
    return Math.min(value, INT64_DOUBLE_MAX);
  }

  uint64(): number {
    this.varint();
    const high = this.high;
    if (high === 0) return this.low >>> 0;
    const value = (high >>> 0) * TWO_TO_32 + (this.low >>> 0);
    return Math.min(value, UINT64_DOUBLE_MAX);
  }

  bigInt64(): bigint {
    this.varint();
    if ((this.low | this.high) === 0) return 0n;
    wordScratch[LOW_WORD] = this.low;
    wordScratch[HIGH_WORD] = this.high;
    return bigSignedScratch[0]!;
  }

  bigUint64(): bigint {
    this.varint();
    if ((this.low | this.high) === 0) return 0n;
    wordScratch[LOW_WORD] = this.low;
    wordScratch[HIGH_WORD] = this.high;
    return bigScratch[0]!;
  }

  int32(): number {
    this.varint();
    return this.low;
  }

  uint32(): number {
    this.varint();
    return this.low >>> 0;
  }

  bool(): boolean {
    this.varint();
    return (this.low | this.high) !== 0;
  }

  /** Length of a length-delimited field, checked to lie in the range. */
  length(): number {
    const first = this.bytes[this.at]!;
    let length = first;
    if (first < 128 && this.at < this.end) {
      this.at++;
    } else {
      this.varint();
      length = this.low >>> 0;
      if (this.high !== 0) throw malformed();
    }
    if (length > this.end - this.at) throw malformed();
    return length;
  }

  /** A view, not a copy. */
  view(): Uint8Array {
    const length = this.length();
    if (length === 0) return EMPTY_BYTES;
    const start = this.at;
    this.at = start + length;
    return this.bytes.subarray(start, start + length);
  }

  string(): string {
    const length = this.length();
    const start = this.at;
    this.at = start + length;
    return decodeUtf8(this.bytes, start, start + length);
  }

  /** Narrows the range to the embedded message that follows; returns what `leave` needs. */
  enter(): number {
    const length = this.length();
    this.enterDepth();
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  enterDepth(): void {
    if (++this.depth > DEPTH_MAX) throw new ProtoError(TOO_DEEP_TEXT);
  }

  leave(outer: number): void {
    this.depth--;
    this.end = outer;
  }

  /** Steps over the value of an unknown field. Groups belong to no message here: refused. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.length());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw malformed();
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.at) throw malformed();
    this.at += count;
  }
}

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_STRING_BYTES) {
    let text = "";
    let at = start;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte >= 128) break;
      text += String.fromCharCode(byte);
      at++;
    }
    if (at === end) return text;
  }
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw new ProtoError(INVALID_UTF8_TEXT);
  }
}

function malformed(): ProtoError {
  return new ProtoError(MALFORMED_TEXT);
}
