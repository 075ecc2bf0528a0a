// From the bytes of a key to its slot: a hash table in typed arrays.
//
// Why not a Map: a Map of a million keys takes 30 to 60 bytes a key that the collector scans, and
// stands still for 100 ms when it doubles. Here a key costs 11 to 21 bytes, and the table is cut
// into shards, each growing by itself in a fraction of a millisecond at ten million keys.
//
//   hash   ┌ 10 bits: shard ┐┌ … low bits: where to start probing ┐
//   cell   │ slot + 1, 0: empty │ hash │
//
// Probing is linear; removal moves later cells back, so there are no grave marks. With the hash in
// the cell neither growing nor probing has to look at other keys. Slots to strings is the caller's
// array.

import { assert } from "../../base/assert.ts";
import { latin1, writeLatin1 } from "../../base/latin1.ts";

const SHARD_BITS = 10;
const SHARDS = 1 << SHARD_BITS;
const SHARD_SHIFT = 32 - SHARD_BITS;

/** Words of a cell. */
const CELL_SHIFT = 1;
const CELL = 1 << CELL_SHIFT;
const FIRST_CELLS = 8;
/** A shard doubles when more of its cells are taken: short probes for 1.3 to 2.7 cells a key. */
const FILL_MAX = 0.75;

export class KeyTable {
  readonly #keyOf: (slot: number) => string;
  readonly #seed: number;
  readonly #shards: Int32Array[] = [];
  readonly #counts = new Uint32Array(SHARDS);
  #scratch = new Uint8Array(256);

  /** `seed` makes the places of keys unpredictable for those who choose the keys. */
  constructor(keyOf: (slot: number) => string, seed: number) {
    this.#keyOf = keyOf;
    this.#seed = seed | 0;
    for (let i = 0; i < SHARDS; i++) this.#shards.push(new Int32Array(CELL * FIRST_CELLS));
  }

  /** A signed word: it is passed around without being boxed. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed ^ (end - start);
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word =
        bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      hash = Math.imul(hash ^ word, 0x85ebca6b);
      hash = (hash << 13) | (hash >>> 19);
    }
    for (; at < end; at++) {
      hash = Math.imul(hash ^ bytes[at]!, 0x85ebca6b);
      hash = (hash << 13) | (hash >>> 19);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f);
    return hash ^ (hash >>> 15);
  }

  hashText(key: string): number {
    if (key.length > this.#scratch.length) this.#scratch = new Uint8Array(2 * key.length);
    return this.hash(this.#scratch, 0, writeLatin1(key, this.#scratch, 0));
  }

  /** The slot, or -1. `hash` is that of the bytes. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const cells = this.#shards[hash >>> SHARD_SHIFT]!;
    const mask = cells.length - 1;
    for (let at = (hash << CELL_SHIFT) & mask; ; at = (at + CELL) & mask) {
      const cell = cells[at]!;
      if (cell === 0) return -1;
      if (cells[at + 1] !== hash) continue;
      const key = this.#keyOf(cell - 1);
      // Making a string and comparing inside the engine beats a loop over characters.
      if (key.length === end - start && key === latin1(bytes, start, end)) return cell - 1;
    }
  }

  findText(key: string): number {
    const hash = this.hashText(key);
    return this.find(hash, this.#scratch, 0, key.length);
  }

  /** The key must not be there. */
  insert(hash: number, slot: number): void {
    const shard = hash >>> SHARD_SHIFT;
    const cells = this.#shards[shard]!;
    const count = ++this.#counts[shard]!;
    place(cells, hash, slot + 1);
    if (count * CELL > FILL_MAX * cells.length) this.#grow(shard);
  }

  remove(hash: number, slot: number): void {
    const shard = hash >>> SHARD_SHIFT;
    const cells = this.#shards[shard]!;
    const mask = cells.length - 1;
    let hole = (hash << CELL_SHIFT) & mask;
    while (cells[hole] !== slot + 1) {
      assert(cells[hole] !== 0, "the key to remove is in the table");
      hole = (hole + CELL) & mask;
    }
    this.#counts[shard]!--;
    for (let at = (hole + CELL) & mask; cells[at] !== 0; at = (at + CELL) & mask) {
      const home = (cells[at + 1]! << CELL_SHIFT) & mask;
      // The cell may fill the hole only if its home does not lie behind the hole.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      cells[hole] = cells[at]!;
      cells[hole + 1] = cells[at + 1]!;
      hole = at;
    }
    cells[hole] = 0;
  }

  #grow(shard: number): void {
    const old = this.#shards[shard]!;
    const cells = new Int32Array(2 * old.length);
    for (let at = 0; at < old.length; at += CELL) {
      if (old[at] !== 0) place(cells, old[at + 1]!, old[at]!);
    }
    this.#shards[shard] = cells;
  }
}

function place(cells: Int32Array, hash: number, cell: number): void {
  const mask = cells.length - 1;
  let at = (hash << CELL_SHIFT) & mask;
  while (cells[at] !== 0) at = (at + CELL) & mask;
  cells[at] = cell;
  cells[at + 1] = hash;
}
