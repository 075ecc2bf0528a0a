// The records of bucket `key` that are not in a committed page yet, in columns: ten thousand of
// them are seven arrays and some chunks of bytes, not objects. Revisions only grow, so a record is
// found by arithmetic: it is as far from the first as its revision, if each has one record, and a
// binary search away if not.
//
// Chunks are never moved or reused. What a reader got from here stays as it is, and the leaf
// pages of the commit are copied from them in one piece each.

import { assert } from "../base/assert.ts";
import { rawMemory } from "./bolt/page.ts";
import { REVISION_BYTES, TOMBSTONE_BYTES, writeRevision } from "./schema.ts";

/** A view on one small record keeps this much memory alive. */
const CHUNK_BYTES = 256 << 10;
/** Columns of up to 64 bytes cost V8 no memory outside of its heap, and many batches are small. */
const CAPACITY_MIN = 8;
const SUB_MAX = 2 ** 32 - 1;

/** Where records are written; batches share it, so that a small one does not waste a chunk. */
export class RecordChunks {
  bytes: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** The offset in `bytes` of room for this many. */
  reserve(lengthBytes: number): number {
    if (this.#used + lengthBytes > this.bytes.length) {
      this.bytes = rawMemory(Math.max(CHUNK_BYTES, lengthBytes));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += lengthBytes;
    return at;
  }
}

export class RecordBatch {
  readonly #chunks: RecordChunks;
  /** The chunks in which its records are, oldest first. */
  readonly #buffers: Uint8Array[] = [];
  #mains = new Float64Array(CAPACITY_MIN);
  #subs = new Uint32Array(CAPACITY_MIN);
  #buffer = new Uint32Array(CAPACITY_MIN);
  #starts = new Uint32Array(CAPACITY_MIN);
  #ends = new Uint32Array(CAPACITY_MIN);
  /** 0 for a record that was deleted again. */
  #keySizes = new Uint8Array(CAPACITY_MIN);
  count = 0;
  sizeBytes = 0;

  constructor(chunks: RecordChunks) {
    this.#chunks = chunks;
  }

  /** Appends a record; its value goes into `RecordChunks.bytes` at the offset returned. */
  reserve(main: number, sub: number, tombstone: boolean, valueBytes: number): number {
    const index = this.count;
    if (index === this.#mains.length) this.#grow();
    assert(sub <= SUB_MAX, "a transaction has too many changes");
    if (index > 0) {
      const last = this.#mains[index - 1]!;
      const grows = main > last || (main === last && sub > this.#subs[index - 1]!);
      assert(grows, "a record is not newer than the last");
    }
    const keySize = tombstone ? TOMBSTONE_BYTES : REVISION_BYTES;
    const start = this.#chunks.reserve(keySize + valueBytes);
    const { bytes } = this.#chunks;
    if (this.#buffers[this.#buffers.length - 1] !== bytes) this.#buffers.push(bytes);
    this.#mains[index] = main;
    this.#subs[index] = sub;
    this.#buffer[index] = this.#buffers.length - 1;
    this.#starts[index] = start;
    this.#ends[index] = start + keySize + valueBytes;
    this.#keySizes[index] = keySize;
    this.count = index + 1;
    this.sizeBytes += keySize + valueBytes;
    return writeRevision(bytes, start, main, sub, tombstone);
  }

  get firstMain(): number {
    return this.count === 0 ? Infinity : this.#mains[0]!;
  }

  get lastMain(): number {
    return this.count === 0 ? 0 : this.#mains[this.count - 1]!;
  }

  /** The index of the record, deleted or not, or -1. */
  find(main: number, sub: number): number {
    const index = this.lowerBound(main, sub);
    if (index === this.count) return -1;
    return this.#mains[index] === main && this.#subs[index] === sub ? index : -1;
  }

  /** The first record that is not older. */
  lowerBound(main: number, sub: number): number {
    const mains = this.#mains;
    const guess = main - mains[0]!;
    if (guess >= 0 && guess < this.count && mains[guess] === main && this.#subs[guess] === sub) {
      return guess;
    }
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = mains[middle]!;
      if (other < main || (other === main && this.#subs[middle]! < sub)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  mainAt(index: number): number {
    return this.#mains[index]!;
  }

  subAt(index: number): number {
    return this.#subs[index]!;
  }

  /** 17, 18 for a tombstone, 0 when it was deleted. */
  keySizeAt(index: number): number {
    return this.#keySizes[index]!;
  }

  bytesAt(index: number): Uint8Array {
    return this.#buffers[this.#buffer[index]!]!;
  }

  /** Of the key; the value follows. */
  startAt(index: number): number {
    return this.#starts[index]!;
  }

  endAt(index: number): number {
    return this.#ends[index]!;
  }

  deleteAt(index: number): void {
    this.#keySizes[index] = 0;
  }

  #grow(): void {
    const capacity = this.#mains.length * 2;
    this.#mains = copyInto(new Float64Array(capacity), this.#mains);
    this.#subs = copyInto(new Uint32Array(capacity), this.#subs);
    this.#buffer = copyInto(new Uint32Array(capacity), this.#buffer);
    this.#starts = copyInto(new Uint32Array(capacity), this.#starts);
    this.#ends = copyInto(new Uint32Array(capacity), this.#ends);
    this.#keySizes = copyInto(new Uint8Array(capacity), this.#keySizes);
  }
}

function copyInto<Column extends Float64Array | Uint32Array | Uint8Array>(
  target: Column,
  source: Column,
): Column {
  target.set(source);
  return target;
}
