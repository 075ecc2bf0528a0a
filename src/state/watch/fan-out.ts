// From events to the watchers that want them: each event is offered, matched against the groups of
// an index, and kept in the batch if anybody wants it; `deliver` then sends to each group what has
// gathered for it. One such machine serves the watchers in step, another those that catch up.
//
// What gathered is sent in responses of whole revisions, several if they are small: a client that
// is given fifty changes at once has less to do than with fifty responses.

import type { Mvcc } from "../mvcc/mvcc.ts";
import { EventBatch } from "./event-batch.ts";
import type { EventSender } from "./event-sender.ts";
import type { PreviousRecords } from "./previous-records.ts";
import type { WatchLimits } from "./watch-limits.ts";
import type { Watcher } from "./watcher.ts";
import { type WatcherGroup, WatcherIndex } from "./watcher-index.ts";

/** Asked before each response. */
export interface Gate {
  /**
   * May the watcher be sent more? If not, the first event it does not get is of `revision`, and
   * the gate has to take it out of the index.
   */
  admit(watcher: Watcher, revision: number): boolean;
}

export class FanOut {
  index: WatcherIndex = new WatcherIndex();
  readonly #batch: EventBatch;
  readonly #limits: WatchLimits;
  readonly #found: WatcherGroup[] = [];
  #dirty: WatcherGroup[] = [];

  constructor(mvcc: Mvcc, limits: WatchLimits) {
    this.#batch = new EventBatch(mvcc);
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#dirty.length === 0;
  }

  /** Events that somebody wants and has not been given. */
  get count(): number {
    return this.#batch.count;
  }

  /** As much has gathered as goes into one response at most. */
  get isFull(): boolean {
    const { count, sizeBytes } = this.#batch;
    return count >= this.#limits.responseRevisions || sizeBytes >= this.#limits.responseBytes;
  }

  /** True if somebody wants the event. `before` is kept when history is read in order. */
  offer(
    revision: number,
    key: string,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    before: PreviousRecords | null,
  ): boolean {
    const found = this.#found;
    found.length = 0;
    this.index.find(key, found);
    let place = -1;
    for (let i = 0; i < found.length; i++) {
      const group = found[i]!;
      if (!group.wants(revision, tombstone)) continue;
      if (place < 0) place = this.#batch.add(revision, key, tombstone, bytes, start, end, before);
      if (group.pendingCount === 0) this.#dirty.push(group);
      group.addPending(place);
    }
    return place >= 0;
  }

  /**
   * Sends what has gathered. The header of a response carries the revision of its last event, and
   * of the last response to a watcher `throughRevision`, if that is not 0.
   */
  deliver(sender: EventSender, gate: Gate, throughRevision: number): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const group of dirty) {
      this.#deliverTo(group, sender, gate, throughRevision);
      group.clearPending();
    }
    this.#batch.clear();
  }

  #deliverTo(group: WatcherGroup, sender: EventSender, gate: Gate, throughRevision: number): void {
    const { members, pending, pendingCount, wantsPrevious } = group;
    const batch = this.#batch;
    const { revisions } = batch;
    const column = wantsPrevious ? batch.withPrevious : batch.plain;
    let from = 0;
    while (from < pendingCount && members.length > 0) {
      const to = this.#endOfResponse(group, from);
      const isLast = to === pendingCount;
      const lastRevision = revisions[pending[to - 1]!]!;
      const header = isLast && throughRevision > 0 ? throughRevision : lastRevision;
      sender.prepare(batch, column, pending, from, to, header, members.length > 1);
      // From the end: whoever is not admitted leaves the group, and the last takes its place.
      for (let i = members.length - 1; i >= 0; i--) {
        const watcher = members[i]!;
        if (!gate.admit(watcher, revisions[pending[from]!]!)) continue;
        watcher.hasNews = true;
        sender.sendTo(watcher);
      }
      from = to;
    }
  }

  /** Encodes whole revisions from `from` on until a response is full. */
  #endOfResponse(group: WatcherGroup, from: number): number {
    const { pending, pendingCount, wantsPrevious } = group;
    const { responseBytes, responseRevisions } = this.#limits;
    const batch = this.#batch;
    let bytes = 0;
    let revisionCount = 0;
    let at = from;
    while (at < pendingCount && bytes < responseBytes && revisionCount < responseRevisions) {
      const revision = batch.revisions[pending[at]!]!;
      for (; at < pendingCount && batch.revisions[pending[at]!] === revision; at++) {
        bytes += batch.encode(pending[at]!, wantsPrevious);
      }
      revisionCount++;
    }
    return at;
  }
}
