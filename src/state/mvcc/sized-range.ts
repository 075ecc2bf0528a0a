// A range in the order of keys whose size is known before any record is read, so that its answer
// can leave while it is read and is never in memory as a whole.
//
//   measure  the index, some keys per step: how many keys, how many bytes, the total
//   next     the same keys once more, as many as fit: their KeyValues, encoded as field `kvs`
//
// Both see the range at one revision; a pin keeps compaction from it. The size of a record is that
// of the newest one of its key, which the account of space has; only a key that was changed since
// has to be looked at.

import { assert } from "../../base/assert.ts";
import { latin1, writeLatin1 } from "../../base/latin1.ts";
import { COPIES_MAX, RecordCopies } from "../../storage/record-copies.ts";
import { REVISION_BYTES } from "../../storage/schema.ts";
import { sizeKeyValueOf, writeKeyValueOf } from "../../wire/key-value.ts";
import type { RangeView } from "../../wire/kv-requests.ts";
import { KVS_TAG } from "../../wire/kv-responses.ts";
import { sizeDelimited, writeUint32 } from "../../wire/protobuf/writer.ts";
import { type Mvcc, rangeEndText } from "./mvcc.ts";
import { isInOrder, passes } from "./range.ts";

/** Used within one call only, so one is enough for all. */
const slots = new Uint32Array(COPIES_MAX);
const copies = new RecordCopies();
/** More keys than will fit are looked up: their values are seldom all of one size. */
const SPARE_KEYS = 8;

export class SizedRange {
  /** Of the field `kvs`, all entries with tag and length. */
  sizeBytes = 0;
  /** Keys of the answer. */
  keyCount = 0;
  /** For the field `count`: knows neither limit nor filters. */
  total = 0;
  more = false;
  /** For the header: what the reader sees, not the revision that was asked for. */
  readonly headerRevision: number;
  readonly #mvcc: Mvcc;
  readonly #view: RangeView;
  readonly #revision: number;
  readonly #first: string;
  readonly #to: string | undefined;
  /** Where the index goes on; undefined: `measure` is at the end. */
  #from: string | undefined;
  #isMeasured = false;
  #sentKeys = 0;
  #isOpen = true;
  readonly #onRevoked: () => void;

  /** Whether a range is of this kind: in the order of keys, and not only counted. */
  static suits(view: RangeView): boolean {
    return isInOrder(view) && !view.countOnly && view.rangeEndStart !== view.rangeEndEnd;
  }

  /**
   * The revision must have been checked with `revisionError`. `onRevoked`: the records go away; it
   * has to end in `close`.
   */
  constructor(mvcc: Mvcc, bytes: Uint8Array, view: RangeView, onRevoked: () => void) {
    this.#mvcc = mvcc;
    this.#view = { ...view };
    this.headerRevision = mvcc.readRevision;
    this.#revision = view.revision > 0 ? view.revision : this.headerRevision;
    this.#first = latin1(bytes, view.keyStart, view.keyEnd);
    this.#to = rangeEndText(bytes, view.rangeEndStart, view.rangeEndEnd);
    this.#from = this.#first;
    this.#onRevoked = onRevoked;
    mvcc.pins.add(this.#revision);
    mvcc.pins.revocable.add(onRevoked);
  }

  /** Looks at about `budget` keys; true when all is known. */
  measure(budget: number): boolean {
    const { index } = this.#mvcc;
    let left = budget;
    while (this.#from !== undefined && left > 0) {
      const limit = Math.min(slots.length, left);
      const count = index.collect(this.#from, this.#to, slots, limit);
      for (let at = 0; at < count; at++) this.#measureOne(slots[at]!);
      left -= count;
      this.#from = count < limit ? undefined : `${index.keyOf(slots[count - 1]!)}\0`;
    }
    if (this.#from !== undefined) return false;
    this.#isMeasured = true;
    this.#from = this.#first;
    return true;
  }

  get isSent(): boolean {
    return this.#sentKeys === this.keyCount;
  }

  /**
   * The next KeyValues, encoded: as many as `maxBytes` hold, but one at least, if there is one
   * among the next keys. The bytes are valid until the next call of any `next`.
   */
  next(maxBytes: number): Uint8Array {
    assert(this.#isMeasured && !this.isSent, "a range is measured, and then read to its end");
    const { index } = this.#mvcc;
    const count = index.collect(this.#from!, this.#to, slots, this.#keysFor(maxBytes));
    copies.reset(maxBytes);
    let used = 0;
    let last = -1;
    for (let at = 0; at < count && !this.isSent; at++) {
      const slot = slots[at]!;
      if (this.#find(slot)) {
        const size = this.#sizeOf(slot);
        const fieldSize = 1 + sizeDelimited(size);
        if (used + fieldSize > maxBytes) {
          if (used > 0) break;
          copies.reset(fieldSize);
        }
        this.#add(slot, size, used);
        used += fieldSize;
        this.#sentKeys++;
      }
      last = at;
    }
    if (last >= 0) this.#from = `${index.keyOf(slots[last]!)}\0`;
    this.#mvcc.records.copyRecords(copies);
    return copies.bytes.subarray(0, used);
  }

  /** It is not needed any more. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#mvcc.pins.remove(this.#revision);
    this.#mvcc.pins.revocable.delete(this.#onRevoked);
  }

  /** True when the key is part of the range; the found fields of the history are then of it. */
  #find(slot: number): boolean {
    const { history } = this.#mvcc.index;
    if (!history.find(slot, this.#revision)) return false;
    return passes(this.#view, history.foundMain, history.foundCreated);
  }

  #measureOne(slot: number): void {
    const { history } = this.#mvcc.index;
    if (!history.find(slot, this.#revision)) return;
    this.total++;
    if (this.more || !passes(this.#view, history.foundMain, history.foundCreated)) return;
    if (this.#view.limit > 0 && this.keyCount === this.#view.limit) {
      this.more = true;
      return;
    }
    this.keyCount++;
    this.sizeBytes += 1 + sizeDelimited(this.#sizeOf(slot));
  }

  /** Of the KeyValue that was found. */
  #sizeOf(slot: number): number {
    const { index, space, records } = this.#mvcc;
    const { history } = index;
    const { foundCreated, foundMain, foundSub, foundVersion } = history;
    if (this.#view.keysOnly) {
      const keyLength = index.keyOf(slot).length;
      return sizeKeyValueOf(keyLength, foundCreated, foundMain, foundVersion, 0, 0n);
    }
    if (history.modified(slot) === foundMain) return space.sizeOf(slot) - REVISION_BYTES;
    this.#mvcc.loadRecord(foundMain, foundSub);
    return records.foundEnd - records.foundStart;
  }

  #add(slot: number, size: number, at: number): void {
    const { index } = this.#mvcc;
    const { foundCreated, foundMain, foundSub, foundVersion } = index.history;
    const { bytes } = copies;
    bytes[at] = KVS_TAG;
    const start = writeUint32(bytes, at + 1, size);
    if (!this.#view.keysOnly) {
      copies.add(foundMain, foundSub, size, start);
      return;
    }
    const key = index.keyOf(slot);
    const keyBytes = keyScratch(key.length);
    writeLatin1(key, keyBytes, 0);
    // biome-ignore format: one argument list, as the function reads it
    writeKeyValueOf(
      bytes, start, keyBytes, 0, key.length, foundCreated, foundMain, foundVersion,
      keyBytes, 0, 0, 0n,
    );
  }

  #keysFor(maxBytes: number): number {
    const share = maxBytes / (this.sizeBytes / this.keyCount);
    return Math.min(Math.ceil(share) + SPARE_KEYS, slots.length);
  }
}

let keyBytes: Uint8Array = new Uint8Array(1024);

function keyScratch(length: number): Uint8Array {
  if (length > keyBytes.length) keyBytes = new Uint8Array(length);
  return keyBytes;
}
