// Events under way to watchers, in columns: views on the records as the store has them, and the
// bytes of field 11 of WatchResponse, made when somebody wants them first and then shared.
//
//   WatchResponse.events, of a put:            0x5a length │ 0x12 length KeyValue │ 0x1a len prev
//                         of a deletion: 0x5a length │ 08 01 │ 0x12 length key 18 mod │ 0x1a …
//
// Two forms of each event exist at most, without and with the previous KeyValue. They lie in an
// arena in the order of their making, so that those of one group mostly are one piece.

import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import {
  copyRange,
  sizeDelimited,
  sizeNumber,
  writeNumber,
  writeUint32,
} from "../../wire/protobuf/writer.ts";
import type { Mvcc } from "../mvcc/mvcc.ts";
import type { PreviousRecords, RecordView } from "./previous-records.ts";

const EVENTS_TAG = (11 << 3) | 2;
const TYPE_TAG = 1 << 3;
const TYPE_DELETE = 1;
const KV_TAG = (2 << 3) | 2;
const PREV_KV_TAG = (3 << 3) | 2;
const MOD_REVISION_TAG = 3 << 3;

const ARENA_BYTES = 64 * 1024;
/** A larger arena is given back when the batch is over. */
const KEPT_ARENA_BYTES = 1024 * 1024;
/** As many references to records may be held until the next batch overwrites them. */
const KEPT_MAX = 64;

/** Where the encoded events are in the arena; -1: not made yet. */
export class EncodedColumn {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
}

export class EventBatch {
  count = 0;
  /** Of the records. */
  sizeBytes = 0;
  readonly revisions: number[] = [];
  readonly plain: EncodedColumn = new EncodedColumn();
  readonly withPrevious: EncodedColumn = new EncodedColumn();
  arena: Uint8Array = new Uint8Array(ARENA_BYTES);
  readonly #mvcc: Mvcc;
  readonly #keys: string[] = [];
  readonly #buffers: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #tombstones: boolean[] = [];
  /** null: there is none; undefined: to be looked up. */
  readonly #previous: (RecordView | null | undefined)[] = [];
  readonly #view = new KeyValueView();
  #used = 0;

  constructor(mvcc: Mvcc) {
    this.#mvcc = mvcc;
  }

  /** Adds an event and returns its place. `before`: what reading in order has seen of the key. */
  add(
    revision: number,
    key: string,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    before: PreviousRecords | null,
  ): number {
    const at = this.count++;
    this.sizeBytes += end - start;
    this.revisions[at] = revision;
    this.#keys[at] = key;
    this.#buffers[at] = bytes;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#tombstones[at] = tombstone;
    this.#previous[at] = before?.find(key, revision);
    this.plain.starts[at] = -1;
    this.withPrevious.starts[at] = -1;
    return at;
  }

  clear(): void {
    if (this.count > KEPT_MAX) {
      this.#keys.length = 0;
      this.#buffers.length = 0;
      this.#previous.length = 0;
    }
    this.count = 0;
    this.sizeBytes = 0;
    this.#used = 0;
    if (this.arena.length > KEPT_ARENA_BYTES) this.arena = new Uint8Array(ARENA_BYTES);
  }

  /** Makes sure that the event is encoded; returns how many bytes it has. */
  encode(at: number, withPrevious: boolean): number {
    const { starts, ends } = withPrevious ? this.withPrevious : this.plain;
    if (starts[at]! < 0) {
      const previous = withPrevious ? this.#previousOf(at) : null;
      if (withPrevious && previous === null) {
        this.encode(at, false);
        starts[at] = this.plain.starts[at]!;
        ends[at] = this.plain.ends[at]!;
      } else {
        starts[at] = this.#used;
        ends[at] = this.#used = this.#write(at, previous);
      }
    }
    return ends[at]! - starts[at]!;
  }

  #write(at: number, previous: RecordView | null): number {
    const revision = this.revisions[at]!;
    const tombstone = this.#tombstones[at]!;
    const start = this.#starts[at]!;
    const end = this.#ends[at]!;
    const kvSize = end - start + (tombstone ? 1 + sizeNumber(revision) : 0);
    let size = 1 + sizeDelimited(kvSize) + (tombstone ? 2 : 0);
    if (previous !== null) size += 1 + sizeDelimited(previous.end - previous.start);
    this.#ensure(1 + sizeDelimited(size));
    const target = this.arena;
    let offset = this.#used;
    target[offset++] = EVENTS_TAG;
    offset = writeUint32(target, offset, size);
    if (tombstone) {
      target[offset++] = TYPE_TAG;
      target[offset++] = TYPE_DELETE;
    }
    target[offset++] = KV_TAG;
    offset = writeUint32(target, offset, kvSize);
    offset = copyRange(target, offset, this.#buffers[at]!, start, end);
    if (tombstone) {
      target[offset++] = MOD_REVISION_TAG;
      offset = writeNumber(target, offset, revision);
    }
    if (previous === null) return offset;
    target[offset++] = PREV_KV_TAG;
    offset = writeUint32(target, offset, previous.end - previous.start);
    return copyRange(target, offset, previous.bytes, previous.start, previous.end);
  }

  #ensure(sizeBytes: number): void {
    const needed = this.#used + sizeBytes;
    if (needed <= this.arena.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.arena.length));
    larger.set(this.arena.subarray(0, this.#used));
    this.arena = larger;
  }

  /** What the key was one revision before, unless it was created by this event or is compacted. */
  #previousOf(at: number): RecordView | null {
    const before = this.revisions[at]! - 1;
    if (before < this.#mvcc.compactRevision || this.#isCreation(at)) return null;
    const known = this.#previous[at];
    if (known !== undefined) return known;
    const slot = this.#mvcc.index.findText(this.#keys[at]!);
    if (!this.#mvcc.findRecordOf(slot, before)) return null;
    const { foundBytes, foundStart, foundEnd } = this.#mvcc.records;
    return { bytes: foundBytes, start: foundStart, end: foundEnd };
  }

  #isCreation(at: number): boolean {
    if (this.#tombstones[at]!) return false;
    viewKeyValue(this.#buffers[at]!, this.#starts[at]!, this.#ends[at]!, this.#view);
    return this.#view.createRevision === this.#view.modRevision;
  }
}
