// How much each part of the key space holds, kept with every change: the newest record of a live
// key is live, all others are history until compaction takes them. A few additions in typed arrays
// per put; a walk through the tree of prefixes only when a key is new or a dead one is compacted.
//
//   put       live += new record     history += the one before
//   delete    live -= it             history += it and the tombstone
//   compact   history -= each record that goes
//   restore   record by record, with the index: the same as put and delete
//
// A record counts as it lies in bucket "key": 17 or 18 bytes of revision and the KeyValue. What
// pages add to that is not in here.

import { REVISION_BYTES, TOMBSTONE_BYTES } from "../../storage/schema.ts";
import { COLUMNS, Column, PREFIX_NODES_MAX, PrefixTree } from "./prefix-tree.ts";

/** Rows of keys lie in pieces, so that no growth copies all of them. */
const PIECE_BITS = 13;
const PIECE_SLOTS = 1 << PIECE_BITS;
const PIECE_MASK = PIECE_SLOTS - 1;

interface Piece {
  /** Bytes of the newest record, 0 when the key is dead. */
  readonly sizes: Uint32Array;
  /** The node that counts the key. */
  readonly nodes: Uint16Array;
}

export class SpaceAccount {
  readonly tree: PrefixTree;
  /** Slots that ever were in use: `sizeOf` and `nodeOf` may be asked below it. */
  slotCount = 0;
  readonly #pieces: Piece[] = [];

  /** The prefixes of which somebody always needs to know. */
  constructor(pinnedPrefixes: readonly string[] = []) {
    this.tree = new PrefixTree(PREFIX_NODES_MAX);
    for (const prefix of pinnedPrefixes) this.tree.pin(prefix);
  }

  /** Bytes of the newest record of a key, 0 when it is dead. */
  sizeOf(slot: number): number {
    return this.#pieces[slot >>> PIECE_BITS]!.sizes[slot & PIECE_MASK]!;
  }

  nodeOf(slot: number): number {
    return this.#pieces[slot >>> PIECE_BITS]!.nodes[slot & PIECE_MASK]!;
  }

  /** The index has a new key in this slot. */
  added(slot: number, key: string): void {
    if (slot >= this.slotCount) this.slotCount = slot + 1;
    while (slot >>> PIECE_BITS >= this.#pieces.length) {
      this.#pieces.push({
        sizes: new Uint32Array(PIECE_SLOTS),
        nodes: new Uint16Array(PIECE_SLOTS),
      });
    }
    const piece = this.#pieces[slot >>> PIECE_BITS]!;
    piece.sizes[slot & PIECE_MASK] = 0;
    if (this.tree.isFull) this.#prune();
    piece.nodes[slot & PIECE_MASK] = this.tree.findOrAdd(key);
  }

  /** `lease`: 0n is none. The key is asked for only where it matters. */
  put(
    slot: number,
    valueBytes: number,
    lease: bigint,
    keyOf: { keyOf(slot: number): string },
  ): void {
    const { sizes, nodes } = this.#pieces[slot >>> PIECE_BITS]!;
    const at = slot & PIECE_MASK;
    const row = nodes[at]! * COLUMNS;
    const { counters } = this.tree;
    const sizeBytes = REVISION_BYTES + valueBytes;
    const previousBytes = sizes[at]!;
    sizes[at] = sizeBytes;
    counters[row + Column.LiveBytes]! += sizeBytes - previousBytes;
    counters[row + Column.WrittenBytes]! += sizeBytes;
    if (previousBytes > 0) {
      counters[row + Column.HistoryBytes]! += previousBytes;
      counters[row + Column.HistoryRecords]!++;
      counters[row + Column.Updates]!++;
      return;
    }
    counters[row + Column.Keys]!++;
    counters[row + Column.Creates]!++;
    if (lease === 0n) return;
    counters[row + Column.LeasedCreates]!++;
    if (endsWithLease(keyOf.keyOf(slot), lease)) counters[row + Column.LockCreates]!++;
  }

  /** `valueBytes` of the tombstone's record. */
  deleted(slot: number, valueBytes: number): void {
    const row = this.nodeOf(slot) * COLUMNS;
    const { counters } = this.tree;
    this.#bury(slot, row, valueBytes);
    counters[row + Column.Deletes]!++;
    counters[row + Column.WrittenBytes]! += TOMBSTONE_BYTES + valueBytes;
  }

  /** At start: a record, in the order of revisions; `added` came before the first of a key. */
  restored(slot: number, tombstone: boolean, valueBytes: number): void {
    const { sizes, nodes } = this.#pieces[slot >>> PIECE_BITS]!;
    const at = slot & PIECE_MASK;
    const row = nodes[at]! * COLUMNS;
    if (tombstone) {
      this.#bury(slot, row, valueBytes);
      return;
    }
    const { counters } = this.tree;
    const previousBytes = sizes[at]!;
    sizes[at] = REVISION_BYTES + valueBytes;
    counters[row + Column.LiveBytes]! += REVISION_BYTES + valueBytes - previousBytes;
    if (previousBytes === 0) {
      counters[row + Column.Keys]!++;
    } else {
      counters[row + Column.HistoryBytes]! += previousBytes;
      counters[row + Column.HistoryRecords]!++;
    }
  }

  /** Compaction deletes a record. `slot` -1: the key is not in the index any more. */
  compacted(slot: number, key: string, tombstone: boolean, valueBytes: number): void {
    const node = slot >= 0 ? this.nodeOf(slot) : this.tree.find(key);
    const row = node * COLUMNS;
    const { counters } = this.tree;
    counters[row + Column.HistoryBytes]! -=
      (tombstone ? TOMBSTONE_BYTES : REVISION_BYTES) + valueBytes;
    counters[row + Column.HistoryRecords]!--;
    if (tombstone) counters[row + Column.Tombstones]!--;
  }

  /** Sum of a column over all prefixes. */
  total(column: number): number {
    const { counters, idEnd } = this.tree;
    let sum = 0;
    for (let at = column; at < idEnd * COLUMNS; at += COLUMNS) sum += counters[at]!;
    return sum;
  }

  #bury(slot: number, row: number, valueBytes: number): void {
    const { sizes } = this.#pieces[slot >>> PIECE_BITS]!;
    const at = slot & PIECE_MASK;
    const { counters } = this.tree;
    const previousBytes = sizes[at]!;
    sizes[at] = 0;
    if (previousBytes > 0) {
      counters[row + Column.Keys]!--;
      counters[row + Column.HistoryRecords]!++;
    }
    counters[row + Column.LiveBytes]! -= previousBytes;
    counters[row + Column.HistoryBytes]! += previousBytes + TOMBSTONE_BYTES + valueBytes;
    counters[row + Column.HistoryRecords]!++;
    counters[row + Column.Tombstones]!++;
  }

  /** Some milliseconds per million keys, and rare: what was folded is not unfolded. */
  #prune(): void {
    const moved = this.tree.prune();
    for (const { nodes } of this.#pieces) {
      for (let i = 0; i < nodes.length; i++) nodes[i] = moved[nodes[i]!]!;
    }
  }
}

/** As etcd's locks and elections name their keys: prefix, slash, lease in hexadecimal. */
function endsWithLease(key: string, lease: bigint): boolean {
  return key.endsWith(`/${lease.toString(16)}`);
}
