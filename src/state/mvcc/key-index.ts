// All keys and their revisions in memory (etcd's treeIndex): which revision of a key is to be read,
// without touching the disk.
//
//   bytes of a key ──► KeyTable ──► slot ──► KeyHistory   (exact key: one probe)
//   [from, to)     ──► KeyOrder ──► slots ──► KeyHistory  (ranges, in byte order)
//   slot ──► string                                       (#keys)
//
// About 150 bytes a key of 48 bytes. Slots of keys that compaction removed are used again.

import { latin1 } from "../../base/latin1.ts";
import { KeyHistory } from "./key-history.ts";
import { KeyOrder } from "./key-order.ts";
import { KeyTable } from "./key-table.ts";
import { sortKeys } from "./sort-keys.ts";

/** Strings of slots lie in pieces, so that no growth copies all of them. */
const PIECE_BITS = 13;
const PIECE_SLOTS = 1 << PIECE_BITS;
const PIECE_MASK = PIECE_SLOTS - 1;

export class KeyIndex {
  readonly history: KeyHistory = new KeyHistory();
  /** Keys in the index, those that are only a tombstone included. */
  keyCount = 0;

  readonly #pieces: string[][] = [];
  readonly #freeSlots: number[] = [];
  #slotCount = 0;
  readonly #table: KeyTable;
  readonly #order: KeyOrder;

  constructor(hashSeed: number) {
    const pieces = this.#pieces;
    const keyOf = (slot: number): string => pieces[slot >>> PIECE_BITS]![slot & PIECE_MASK]!;
    this.#table = new KeyTable(keyOf, hashSeed);
    this.#order = new KeyOrder(keyOf, this.history);
  }

  keyOf(slot: number): string {
    return this.#pieces[slot >>> PIECE_BITS]![slot & PIECE_MASK]!;
  }

  /** Keys that exist now. */
  get liveCount(): number {
    return this.#order.live;
  }

  /** The slot of a key, or -1. The key may be dead. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#table.find(this.#table.hash(bytes, start, end), bytes, start, end);
  }

  findText(key: string): number {
    return this.#table.findText(key);
  }

  /** Notes a put of the key and returns its slot. */
  put(bytes: Uint8Array, start: number, end: number, main: number, sub: number): number {
    const hash = this.#table.hash(bytes, start, end);
    const slot = this.#table.find(hash, bytes, start, end);
    if (slot < 0) {
      const key = latin1(bytes, start, end);
      const added = this.#addSlot(key, hash);
      this.history.put(added, main, sub);
      this.#order.insert(added, key, true);
      return added;
    }
    this.putSlot(slot, main, sub);
    return slot;
  }

  putSlot(slot: number, main: number, sub: number): void {
    const wasLive = this.history.isLive(slot);
    this.history.put(slot, main, sub);
    if (!wasLive) this.#order.changeLive(this.keyOf(slot), 1);
  }

  /** False when the key does not exist now. */
  tombstone(slot: number, main: number, sub: number): boolean {
    if (!this.history.tombstone(slot, main, sub)) return false;
    this.#order.changeLive(this.keyOf(slot), -1);
    return true;
  }

  /** Slots of keys in [from, to), dead ones too, in order, at most `limit`; how many. */
  collect(from: string, to: string | undefined, target: Uint32Array, limit: number): number {
    return this.#order.collect(from, to, target, limit);
  }

  /** Keys in [from, to) that exist now. */
  countLive(from: string, to: string | undefined): number {
    return this.#order.countLive(from, to);
  }

  /**
   * Compacts the history of the slots of `collect`; removes keys of which nothing is left. Returns
   * how many keep a revision not newer than `atMain`.
   */
  compact(slots: Uint32Array, count: number, atMain: number): number {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      const gone = this.history.compact(slot, atMain);
      if (this.history.foundMain !== 0) kept++;
      if (gone) this.#removeSlot(slot);
    }
    return kept;
  }

  /** At start-up: a record of a key, in the order of revisions. Returns the slot. */
  restore(
    bytes: Uint8Array,
    start: number,
    end: number,
    record: { main: number; sub: number; tombstone: boolean; created: number; version: number },
  ): number {
    const hash = this.#table.hash(bytes, start, end);
    let slot = this.#table.find(hash, bytes, start, end);
    if (slot >= 0) {
      // A tombstone of what is already deleted is ignored, as by etcd.
      if (record.tombstone) this.history.tombstone(slot, record.main, record.sub);
      else this.history.put(slot, record.main, record.sub);
      return slot;
    }
    slot = this.#addSlot(latin1(bytes, start, end), hash);
    if (record.tombstone) this.history.restoreTombstone(slot, record.main, record.sub);
    else this.history.restore(slot, record.main, record.sub, record.created, record.version);
    return slot;
  }

  /** Puts all restored keys in order: one sort instead of an ordered insertion each. */
  finishRestore(): void {
    const keys: string[] = [];
    for (let slot = 0; slot < this.#slotCount; slot++) keys.push(this.keyOf(slot));
    this.#order.build(sortKeys(keys));
  }

  #addSlot(key: string, hash: number): number {
    let slot = this.#freeSlots.pop();
    if (slot === undefined) {
      slot = this.#slotCount++;
      if (slot >>> PIECE_BITS === this.#pieces.length) this.#pieces.push([]);
      this.history.ensure(slot);
    }
    this.#pieces[slot >>> PIECE_BITS]![slot & PIECE_MASK] = key;
    this.#table.insert(hash, slot);
    this.keyCount++;
    return slot;
  }

  #removeSlot(slot: number): void {
    const key = this.keyOf(slot);
    this.#order.remove(key);
    this.#table.remove(this.#table.hashText(key), slot);
    this.history.clear(slot);
    this.#pieces[slot >>> PIECE_BITS]![slot & PIECE_MASK] = "";
    this.#freeSlots.push(slot);
    this.keyCount--;
  }
}
