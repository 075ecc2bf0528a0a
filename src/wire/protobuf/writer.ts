// Writes protobuf in place. Each kind of value has a function for its size and one that writes it
// at an offset and returns the offset behind it; generated code strings them together.
//
// Numbers are taken apart into two 32-bit words: bit operations of JavaScript see only 32 bits, and
// `Math.floor(value / 2^32)` is exact for all doubles. A negative number has ten bytes.

const TWO_TO_32 = 0x1_0000_0000;
const TWO_TO_28 = 0x1000_0000;
const TWO_TO_35 = 0x8_0000_0000;
const TWO_TO_42 = 0x400_0000_0000;
const TWO_TO_49 = 0x2_0000_0000_0000;
const TWO_TO_56 = 0x100_0000_0000_0000;

/** Below this length a loop is faster than the call of `TypedArray.prototype.set`. */
const SHORT_COPY_BYTES = 16;
/** The same where the source is part of an array, so that `set` costs a view, too. */
const SHORT_RANGE_BYTES = 40;

const bigScratch = new BigUint64Array(1);
const wordScratch = new Uint32Array(bigScratch.buffer);
const LOW_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH_WORD = 1 - LOW_WORD;

/** Size of a number in 0 … 2^32 - 1. */
export function sizeUint32(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < TWO_TO_28 ? 4 : 5;
}

/** Size of an integer of any sign. */
export function sizeNumber(value: number): number {
  if (value < 0) return 10;
  if (value < TWO_TO_32) return sizeUint32(value);
  if (value < TWO_TO_35) return 5;
  if (value < TWO_TO_42) return 6;
  if (value < TWO_TO_49) return 7;
  if (value < TWO_TO_56) return 8;
  return value < 2 ** 63 ? 9 : 10;
}

/** Size of a signed or unsigned 64-bit value. */
export function sizeBig(value: bigint): number {
  bigScratch[0] = value;
  const high = wordScratch[HIGH_WORD]!;
  const low = wordScratch[LOW_WORD]!;
  if (high === 0) return sizeUint32(low);
  if (high < 0x8) return 5;
  if (high < 0x400) return 6;
  if (high < 0x2_0000) return 7;
  if (high < 0x100_0000) return 8;
  return high < 0x8000_0000 ? 9 : 10;
}

/** Size of a length-delimited value: its length and itself. */
export function sizeDelimited(length: number): number {
  return sizeUint32(length) + length;
}

export function writeUint32(target: Uint8Array, at: number, value: number): number {
  let rest = value >>> 0;
  let offset = at;
  while (rest > 127) {
    target[offset++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[offset] = rest;
  return offset + 1;
}

export function writeNumber(target: Uint8Array, at: number, value: number): number {
  if (value >= 0 && value < TWO_TO_32) return writeUint32(target, at, value);
  return writeWords(target, at, value >>> 0, Math.floor(value / TWO_TO_32) >>> 0);
}

export function writeBig(target: Uint8Array, at: number, value: bigint): number {
  bigScratch[0] = value;
  return writeWords(target, at, wordScratch[LOW_WORD]!, wordScratch[HIGH_WORD]!);
}

/** Writes `high` · 2^32 + `low`; both are unsigned. */
export function writeWords(target: Uint8Array, at: number, low: number, high: number): number {
  let offset = at;
  let lowRest = low;
  let highRest = high;
  while (highRest > 0) {
    target[offset++] = (lowRest & 127) | 128;
    lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
    highRest >>>= 7;
  }
  return writeUint32(target, offset, lowRest);
}

export function writeBool(target: Uint8Array, at: number, value: boolean): number {
  target[at] = value ? 1 : 0;
  return at + 1;
}

/** Writes length and bytes. */
export function writeBytes(target: Uint8Array, at: number, bytes: Uint8Array): number {
  return copyBytes(target, writeUint32(target, at, bytes.length), bytes);
}

/** Writes bytes without their length. */
export function copyBytes(target: Uint8Array, at: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length < SHORT_COPY_BYTES) {
    for (let i = 0; i < length; i++) target[at + i] = bytes[i]!;
  } else {
    target.set(bytes, at);
  }
  return at + length;
}

/** Copies `source[start … end)` to `at`; returns the offset behind it. */
export function copyRange(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const shift = at - start;
  if (end - start < SHORT_RANGE_BYTES) {
    for (let i = start; i < end; i++) target[shift + i] = source[i]!;
  } else if (end - start === source.length) {
    target.set(source, at);
  } else {
    target.set(source.subarray(start, end), at);
  }
  return shift + end;
}

export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) at = copyBytes(whole, at, piece);
  return whole;
}

/** Length in UTF-8; a lone surrogate counts as U+FFFD. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      length++;
    } else {
      length += 2;
      if (isPair(text, i)) i++;
    }
  }
  return length;
}

/** Writes length and text. */
export function writeString(target: Uint8Array, at: number, text: string): number {
  let offset = writeUint32(target, at, utf8Length(text));
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      target[offset++] = unit;
    } else if (unit < 0x800) {
      target[offset++] = 0xc0 | (unit >> 6);
      target[offset++] = 0x80 | (unit & 63);
    } else if (isPair(text, i)) {
      offset = writeFourBytes(target, offset, text.codePointAt(i)!);
      i++;
    } else {
      const scalar = unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit;
      target[offset++] = 0xe0 | (scalar >> 12);
      target[offset++] = 0x80 | ((scalar >> 6) & 63);
      target[offset++] = 0x80 | (scalar & 63);
    }
  }
  return offset;
}

function writeFourBytes(target: Uint8Array, at: number, point: number): number {
  target[at] = 0xf0 | (point >> 18);
  target[at + 1] = 0x80 | ((point >> 12) & 63);
  target[at + 2] = 0x80 | ((point >> 6) & 63);
  target[at + 3] = 0x80 | (point & 63);
  return at + 4;
}

/** True if a surrogate pair starts at `index`: two units, four bytes. */
function isPair(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  if (unit < 0xd800 || unit >= 0xdc00) return false;
  const next = text.charCodeAt(index + 1);
  return next >= 0xdc00 && next < 0xe000;
}
