// The multi-version store: every change of a key is a new record under a new revision, old ones
// stay readable until compaction. This class holds the numbers that say what is visible and makes
// the changes; range.ts, txn.ts, compaction.ts, hash.ts and restore.ts are its other verbs.
//
//                  begin   put / deleteRange …        end
//   revision  r      │     records (r+1, 0), (r+1, 1) …  │  r+1, if anything changed
//                    │     index and batch see them at   │  watchers are told first,
//                    │     once, readers of this txn too │  then r+1 is current
//
// A first change on an empty store has main revision 2. There is one thread and nothing pauses
// inside a transaction, so nobody else can see it half done.

import { assert } from "../../base/assert.ts";
import { latin1, writeLatin1 } from "../../base/latin1.ts";
import { Counter } from "../../base/metrics.ts";
import { Errors } from "../../wire/errors.ts";
import { sizeKeyValueOf, writeKeyValueOf } from "../../wire/key-value.ts";
import { sizeUint32, writeUint32 } from "../../wire/protobuf/writer.ts";
import type { RpcError } from "../../wire/status.ts";
import { SpaceAccount } from "../accounting/space-account.ts";
import { Changes, type ChangesHook } from "./changes.ts";
import type { KeyIndex } from "./key-index.ts";
import type { KeyValueList } from "./key-value-list.ts";
import { Pins } from "./pins.ts";
import type { RecordStore } from "./record-store.ts";

const KEY_TAG = (1 << 3) | 2;
/** Keys that a range deletion takes from the index at a time. */
const DELETE_SLOTS = 1024;

/** Which keys a lease takes with it; implemented by `lease/leases.ts`. */
export interface LeaseAttachments {
  /** Some key is attached to some lease. */
  readonly isAnyAttached: boolean;
  /**
   * The key of the slot belongs to `lease` from now on, 0n for none; it must exist. Of a put, how
   * many bytes it wrote; at a start 0.
   */
  attach(slot: number, lease: bigint, writtenBytes: number): void;
  detach(slot: number): void;
}

export class MvccMetrics {
  readonly ranges: Counter = new Counter();
  readonly puts: Counter = new Counter();
  readonly deletes: Counter = new Counter();
  readonly txns: Counter = new Counter();
  /** Key and value bytes as requested. */
  readonly putBytes: Counter = new Counter();
}

export class Mvcc {
  readonly records: RecordStore;
  readonly metrics: MvccMetrics = new MvccMetrics();
  /** What each part of the key space holds. */
  space: SpaceAccount;
  index: KeyIndex;
  /** The last revision whose changes are visible to all. */
  currentRevision = 1;
  /** Revisions below it are gone; -1 before the first compaction. */
  compactRevision = -1;
  /**
   * Readers that go on in a later turn and need the records of their revision. Compaction waits for
   * them, so they must come to an end by themselves.
   */
  readonly pins: Pins = new Pins();

  readonly #leases: LeaseAttachments;
  readonly #onChanges: ChangesHook;
  readonly #changes = new Changes();
  readonly #pinnedPrefixes: readonly string[];
  readonly #slots = new Uint32Array(DELETE_SLOTS);
  #isWriting = false;

  constructor(parts: {
    records: RecordStore;
    leases: LeaseAttachments;
    index: KeyIndex;
    onChanges: ChangesHook;
    pinnedPrefixes?: readonly string[];
  }) {
    this.records = parts.records;
    this.index = parts.index;
    this.#leases = parts.leases;
    this.#onChanges = parts.onChanges;
    this.#pinnedPrefixes = parts.pinnedPrefixes ?? [];
    this.space = new SpaceAccount(this.#pinnedPrefixes);
  }

  /** What a read sees now: inside a transaction, its own changes too. */
  get readRevision(): number {
    return this.currentRevision + (this.#isWriting && this.#changes.count > 0 ? 1 : 0);
  }

  /** Why a read at `revision` is not possible, or null; 0 and less mean now. */
  revisionError(revision: number): RpcError | null {
    if (revision > this.readRevision) return Errors.FutureRev;
    return revision > 0 && revision < this.compactRevision ? Errors.Compacted : null;
  }

  /** As if it were new: the records are about to be read again, into `index`. */
  forget(index: KeyIndex): void {
    assert(!this.#isWriting && this.pins.count === 0, "nobody is at work on what is forgotten");
    this.index = index;
    this.space = new SpaceAccount(this.#pinnedPrefixes);
    this.currentRevision = 1;
    this.compactRevision = -1;
  }

  begin(): void {
    assert(!this.#isWriting, "one transaction at a time");
    this.#isWriting = true;
    this.#changes.clear(this.currentRevision + 1);
  }

  /** True when there was a change, and so a new revision. */
  end(): boolean {
    assert(this.#isWriting, "a transaction ends that has not begun");
    const changed = this.#changes.count > 0;
    if (changed) this.#onChanges(this.#changes);
    this.#isWriting = false;
    if (changed) this.currentRevision++;
    return changed;
  }

  put(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
    lease: bigint,
  ): void {
    assert(this.#isWriting, "changes are made in transactions");
    const changes = this.#changes;
    const main = changes.revision;
    const sub = changes.count;
    const index = this.index;
    const history = index.history;
    let slot = index.find(keyBytes, keyStart, keyEnd);
    const existed = slot >= 0 && history.findNewest(slot);
    const created = existed ? history.foundCreated : main;
    const version = existed ? history.foundVersion + 1 : 1;
    const previousMain = existed ? history.foundMain : 0;
    const previousSub = existed ? history.foundSub : 0;
    if (slot >= 0) index.putSlot(slot, main, sub);
    else {
      slot = index.put(keyBytes, keyStart, keyEnd, main, sub);
      this.space.added(slot, index.keyOf(slot));
    }

    const keyLength = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    const size = sizeKeyValueOf(keyLength, created, main, version, valueLength, lease);
    const start = this.records.reserveRecord(main, sub, false, size);
    const target = this.records.recordBuffer;
    // biome-ignore format: one argument list, as the function reads it
    const end = writeKeyValueOf(
      target, start, keyBytes, keyStart, keyEnd, created, main, version,
      valueBytes, valueStart, valueEnd, lease,
    );
    changes.push(target, start, end, slot, false);
    if (existed) changes.replaced(previousMain, previousSub);
    this.space.put(slot, size, lease, index);
    if (lease !== 0n || (existed && this.#leases.isAnyAttached)) {
      this.#leases.attach(slot, lease, size);
    }
    this.metrics.puts.value++;
    this.metrics.putBytes.value += keyLength + valueLength;
  }

  /** Deletes a key or a range of keys; returns how many there were. */
  deleteRange(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    rangeEndStart: number,
    rangeEndEnd: number,
  ): number {
    assert(this.#isWriting, "changes are made in transactions");
    this.metrics.deletes.value++;
    if (rangeEndStart === rangeEndEnd) {
      const slot = this.index.find(bytes, keyStart, keyEnd);
      return slot >= 0 && this.#delete(slot) ? 1 : 0;
    }
    const to = rangeEndText(bytes, rangeEndStart, rangeEndEnd);
    const slots = this.#slots;
    let from = latin1(bytes, keyStart, keyEnd);
    let deleted = 0;
    for (;;) {
      const count = this.index.collect(from, to, slots, slots.length);
      for (let i = 0; i < count; i++) if (this.#delete(slots[i]!)) deleted++;
      if (count < slots.length) return deleted;
      from = `${this.index.keyOf(slots[count - 1]!)}\0`;
    }
  }

  /** Deletes the key of a slot, if it exists; for leases. */
  deleteSlot(slot: number): boolean {
    assert(this.#isWriting, "changes are made in transactions");
    return this.#delete(slot);
  }

  #delete(slot: number): boolean {
    const changes = this.#changes;
    const history = this.index.history;
    if (!history.findNewest(slot)) return false;
    const previousMain = history.foundMain;
    const previousSub = history.foundSub;
    const main = changes.revision;
    const sub = changes.count;
    this.index.tombstone(slot, main, sub);
    const key = this.index.keyOf(slot);
    const size = key.length === 0 ? 0 : 1 + sizeUint32(key.length) + key.length;
    const start = this.records.reserveRecord(main, sub, true, size);
    const target = this.records.recordBuffer;
    if (size > 0) {
      target[start] = KEY_TAG;
      writeLatin1(key, target, writeUint32(target, start + 1, key.length));
    }
    changes.push(target, start, start + size, slot, true);
    changes.replaced(previousMain, previousSub);
    this.space.deleted(slot, size);
    if (this.#leases.isAnyAttached) this.#leases.detach(slot);
    return true;
  }

  /**
   * Finds the record of a key at a revision; it is then in the found fields of `records`. False
   * when the key did not exist.
   */
  findRecordOf(slot: number, revision: number): boolean {
    const history = this.index.history;
    if (slot < 0 || !history.find(slot, revision)) return false;
    this.loadRecord(history.foundMain, history.foundSub);
    return true;
  }

  /** The record must be there: the index says so. */
  loadRecord(main: number, sub: number): void {
    if (this.records.findRecord(main, sub)) return;
    assert(false, `the record of revision ${main}.${sub} is in the index but not in the backend`);
  }

  /** Appends the current record of the key, if it exists. */
  pushRecordOf(slot: number, target: KeyValueList): boolean {
    if (!this.findRecordOf(slot, this.readRevision)) return false;
    target.push(this.records.foundBytes, this.records.foundStart, this.records.foundEnd);
    return true;
  }
}

/** End of a key range that is not a single key; undefined: up to the last key. */
export function rangeEndText(bytes: Uint8Array, start: number, end: number): string | undefined {
  return end - start === 1 && bytes[start] === 0 ? undefined : latin1(bytes, start, end);
}
