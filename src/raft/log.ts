// The log in memory: one ring for all entries since the last compaction. What is durable, handed
// out, committed and applied are positions in it, not separate lists:
//
//        offset            applied   applying   commit      stable    handed   last
//   ───────┼──────────────────┼──────────┼─────────┼───────────┼─────────┼───────┤
//   compacted, but its        │          │         │           │         │
//   term is kept              │          │         │           │         └ given to the disk
//                             │          │         │           └ known to be durable
//                             │          │         └ agreed by a quorum (may exceed `stable`)
//                             │          └ given out to be applied
//                             └ applied, as far as raft was told
//
// The entry of index i lies in slot `i & mask`, so that neither compaction nor the look-up of a
// term moves or searches anything; the ring doubles when full and halves when mostly empty.
//
// A snapshot from the leader empties the log and waits in `pendingSnapshot` until it is durable;
// meanwhile nothing is given out to be applied. Independent of `offset`, `snapshot` says what this
// member can offer to others: normally it is far ahead of `offset`, so that a slow follower can
// still be served with entries.

import { assert } from "../base/assert.ts";
import type { Snapshot, SnapshotMetadata } from "../wire/messages/raft.ts";
import type { ConfState, Entry } from "./ready.ts";

/** What `term` answers for an index that was compacted or does not exist yet. */
export const UNKNOWN_TERM = -1;

/** Slots are never fewer: below this, resizing would cost more than it frees. */
const RING_SLOTS_MIN = 64;

export class RaftLog {
  #ring: (Entry | undefined)[];
  #mask: number;
  /** Index and term of the entry before the first one. */
  offset: number;
  #offsetTerm: number;
  last: number;
  commit: number;
  applied: number;
  applying: number;
  handed: number;
  stable: number;
  /** The newest snapshot that can be sent to others; index 0: none. */
  snapshot: SnapshotMetadata;
  pendingSnapshot: Snapshot | undefined = undefined;
  pendingSnapshotHanded = false;

  /** A log whose `entries` (following `snapshot`) are all durable. */
  constructor(snapshot: SnapshotMetadata, entries: readonly Entry[]) {
    this.#ring = newRing(RING_SLOTS_MIN);
    this.#mask = RING_SLOTS_MIN - 1;
    this.snapshot = snapshot;
    this.offset = this.last = this.commit = snapshot.index;
    this.#offsetTerm = snapshot.term;
    this.applied = this.applying = snapshot.index;
    this.handed = this.stable = snapshot.index;
    for (const entry of entries) this.append(entry);
    this.handed = this.stable = this.last;
  }

  /** Index of the first entry that is still here (or will be, in an empty log). */
  get first(): number {
    return this.offset + 1;
  }

  get lastTerm(): number {
    return this.term(this.last);
  }

  term(index: number): number {
    if (index > this.offset && index <= this.last) return this.#ring[index & this.#mask]!.term;
    return index === this.offset ? this.#offsetTerm : UNKNOWN_TERM;
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends with (term, index) has all that this one may have committed. */
  isUpToDate(term: number, index: number): boolean {
    const ownTerm = this.lastTerm;
    return term > ownTerm || (term === ownTerm && index >= this.last);
  }

  entry(index: number): Entry {
    assert(index > this.offset && index <= this.last, "the entry is in the log");
    return this.#ring[index & this.#mask]!;
  }

  /** Entries in [from, to], as many as fit in `maxBytes` encoded, but at least one. */
  slice(from: number, to: number, maxBytes: number): Entry[] {
    if (from > to) return [];
    assert(from > this.offset && to <= this.last, "the entries are in the log");
    const end = this.#lastWithin(from, to, maxBytes);
    const entries = new Array<Entry>(end - from + 1);
    for (let index = from; index <= end; index++) {
      entries[index - from] = this.#ring[index & this.#mask]!;
    }
    return entries;
  }

  #lastWithin(from: number, to: number, maxBytes: number): number {
    if (maxBytes === Number.POSITIVE_INFINITY) return to;
    let bytes = 0;
    for (let index = from; index <= to; index++) {
      bytes += sizeOfEntryBytes(this.#ring[index & this.#mask]!);
      if (bytes > maxBytes) return index > from ? index - 1 : from;
    }
    return to;
  }

  append(entry: Entry): void {
    const index = entry.index;
    assert(index === this.last + 1, "entries follow each other");
    if (index - this.offset > this.#mask) this.#resize((this.#mask + 1) * 2);
    this.#ring[index & this.#mask] = entry;
    this.last = index;
  }

  /**
   * Takes over what is new in `entries`, which follow an entry that matches; from the first one
   * that differs on, the old tail goes. What is only repeated changes nothing.
   */
  merge(entries: readonly Entry[]): void {
    let at = 0;
    while (at < entries.length && this.matches(entries[at]!.index, entries[at]!.term)) at++;
    if (at === entries.length) return;
    const from = entries[at]!.index;
    assert(from > this.commit, "a committed entry never changes");
    this.#truncate(from - 1);
    for (; at < entries.length; at++) this.append(entries[at]!);
  }

  #truncate(last: number): void {
    for (let index = last + 1; index <= this.last; index++) {
      this.#ring[index & this.#mask] = undefined;
    }
    this.last = Math.min(this.last, last);
    this.handed = Math.min(this.handed, last);
    this.stable = Math.min(this.stable, last);
  }

  /**
   * Walks down from `index` past all entries of a later term than `term`: the last place where a
   * log that has `term` at `index` could still agree with this one. Ends at an unknown term.
   */
  agreementHint(index: number, term: number): number {
    let at = Math.min(index, this.last);
    while (at > this.offset && this.term(at) > term) at--;
    // The boundary's own term is known too: only an entry before it cannot be judged.
    return at === this.offset && at > 0 && this.#offsetTerm > term ? at - 1 : at;
  }

  /** What was handed to the disk up to (term, index) is durable, unless it was replaced since. */
  stableTo(term: number, index: number): void {
    if (index > this.stable && this.matches(index, term)) this.stable = index;
  }

  commitTo(index: number): void {
    if (index <= this.commit) return;
    assert(index <= this.last, `commit ${index} is beyond the last index ${this.last}: log lost`);
    this.commit = index;
  }

  hasCommittedToApply(): boolean {
    return this.commit > this.applying && this.pendingSnapshot === undefined;
  }

  /** The snapshot is durable and has replaced the state machine; a newer one may be waiting. */
  snapshotDone(index: number): void {
    this.applied = Math.max(this.applied, index);
    if (this.pendingSnapshot?.metadata?.index !== index) return;
    this.pendingSnapshot = undefined;
    this.pendingSnapshotHanded = false;
  }

  /** Offers the applied state at `index` to others. False if a newer snapshot exists. */
  createSnapshot(index: number, confState: ConfState): boolean {
    if (index <= this.snapshot.index) return false;
    assert(index <= this.applying, "a snapshot is of applied entries");
    this.snapshot = { index, term: this.term(index), confState };
    return true;
  }

  /** Everything goes; the log continues after the snapshot. */
  restore(snapshot: Snapshot, metadata: SnapshotMetadata): void {
    assert(metadata.index > this.commit, "a snapshot never takes back what is committed");
    this.#ring = newRing(RING_SLOTS_MIN);
    this.#mask = RING_SLOTS_MIN - 1;
    this.offset = this.last = this.commit = metadata.index;
    this.#offsetTerm = metadata.term;
    this.handed = this.stable = this.applying = metadata.index;
    this.snapshot = metadata;
    this.pendingSnapshot = snapshot;
    this.pendingSnapshotHanded = false;
  }

  /** Entries up to `index` go; its term stays known. False if they had gone before. */
  compact(index: number): boolean {
    if (index <= this.offset) return false;
    assert(index <= this.applying, "only what was applied is compacted");
    assert(index <= this.snapshot.index, "a follower that needs it can have a snapshot");
    this.#offsetTerm = this.term(index);
    for (let at = this.offset + 1; at <= index; at++) this.#ring[at & this.#mask] = undefined;
    this.offset = index;
    const slots = this.#mask + 1;
    if (slots > RING_SLOTS_MIN && this.last - index < slots / 8) this.#resize(slots / 2);
    return true;
  }

  #resize(slots: number): void {
    const ring = newRing(slots);
    for (let index = this.offset + 1; index <= this.last; index++) {
      ring[index & (slots - 1)] = this.#ring[index & this.#mask];
    }
    this.#ring = ring;
    this.#mask = slots - 1;
  }
}

function newRing(slots: number): (Entry | undefined)[] {
  return new Array<Entry | undefined>(slots).fill(undefined);
}

export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) bytes += entries[at]!.data.length;
  return bytes;
}

/** Bytes of the entry as a protobuf message; limits on batches are in these. */
export function sizeOfEntryBytes(entry: Entry): number {
  const length = entry.data.length;
  const typeBytes = entry.type === 0 ? 0 : 2;
  const dataBytes = length === 0 ? 0 : 1 + varintBytes(length) + length;
  return 2 + typeBytes + varintBytes(entry.term) + varintBytes(entry.index) + dataBytes;
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let bytes = 4;
  for (let rest = Math.floor(value / 0x10000000); rest > 0; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
