// Watchers behind the store read history in slices. A round takes all who can take something, in
// the order of where they are, and gives each one slice; so nobody waits for those far behind, and
// those who are close together share one reading.
//
//   nextRevision   17   17   18 │ 9000 9002 │ 500000            one round, three slices
//                  └─ slice 1 ──┘ └slice 2─┘ └slice 3┘
//
// A slice ends with a revision after a thousand records or a megabyte of events; it is read, sent
// and forgotten without a pause, so compaction cannot come between. Who has reached the present is
// in step again. Whose next revision was compacted is told so and is gone.

import { latin1 } from "../../base/latin1.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import type { Mvcc } from "../mvcc/mvcc.ts";
import type { EventSender } from "./event-sender.ts";
import { FanOut, type Gate } from "./fan-out.ts";
import { PreviousRecords } from "./previous-records.ts";
import type { WatchLimits } from "./watch-limits.ts";
import type { WatchStream } from "./watch-stream.ts";
import type { Watcher } from "./watcher.ts";
import { WatcherIndex } from "./watcher-index.ts";

const KEY_TAG = (1 << 3) | 2;

export interface CatchUpHooks {
  /** May the stream of the watcher be handed more? */
  canTake(watcher: Watcher): boolean;
  /** The watcher has all up to the current revision. */
  caughtUp(watcher: Watcher): void;
  /** The next revision of the watcher was compacted. */
  compacted(watcher: Watcher): void;
}

export class CatchUp implements Gate {
  /** Streams that can take something and have watchers that lag. */
  readonly ready: Set<WatchStream> = new Set();
  readonly #mvcc: Mvcc;
  readonly #sender: EventSender;
  readonly #hooks: CatchUpHooks;
  readonly #limits: WatchLimits;
  readonly #fanOut: FanOut;
  readonly #previous = new PreviousRecords();
  readonly #view = new KeyValueView();
  #round: Watcher[] = [];
  #at = 0;

  constructor(parts: {
    mvcc: Mvcc;
    sender: EventSender;
    limits: WatchLimits;
    hooks: CatchUpHooks;
  }) {
    this.#mvcc = parts.mvcc;
    this.#sender = parts.sender;
    this.#hooks = parts.hooks;
    this.#limits = parts.limits;
    this.#fanOut = new FanOut(parts.mvcc, parts.limits);
  }

  /** Reads and sends one slice. All that happened up to the current revision is in the store. */
  step(): void {
    if (this.#at === this.#round.length) this.#beginRound();
    const members = this.#takeMembers();
    if (members.length === 0) return;
    const index = new WatcherIndex();
    for (const watcher of members) index.add(watcher, watcher.nextRevision);
    this.#fanOut.index = index;
    const through = this.#read(members);
    this.#fanOut.deliver(this.#sender, this, through);
    for (const watcher of members) {
      if (watcher.group !== null) index.remove(watcher);
      this.#advance(watcher, through);
    }
    // Those at whom the slice did not arrive begin the next one.
    while (this.#at > 0 && this.#round[this.#at - 1]!.nextRevision > through + 1) this.#at--;
  }

  /** For `deliver`: who cannot take more stays where the response begins. */
  admit(watcher: Watcher, revision: number): boolean {
    if (this.#hooks.canTake(watcher)) return true;
    watcher.nextRevision = revision;
    watcher.isHeld = true;
    this.#fanOut.index.remove(watcher);
    return false;
  }

  #beginRound(): void {
    this.#at = 0;
    this.#round = [];
    for (const stream of this.ready) {
      for (const watcher of stream.watchers.values()) {
        if (watcher.state === "lagging") this.#round.push(watcher);
      }
    }
    this.#round.sort((left, right) => left.nextRevision - right.nextRevision);
  }

  /** The next of the round, and all who are close enough to share its slice. */
  #takeMembers(): Watcher[] {
    const { sliceRecords } = this.#limits;
    const members: Watcher[] = [];
    while (this.#at < this.#round.length) {
      const watcher = this.#round[this.#at]!;
      const first = members[0];
      if (first !== undefined && watcher.nextRevision >= first.nextRevision + sliceRecords) break;
      this.#at++;
      if (watcher.state !== "lagging" || watcher.stream.isBlocked) continue;
      if (watcher.nextRevision < this.#mvcc.compactRevision) this.#hooks.compacted(watcher);
      else members.push(watcher);
    }
    return members;
  }

  /** Offers records from the first member's revision on; returns the last that is complete. */
  #read(members: readonly Watcher[]): number {
    const fanOut = this.#fanOut;
    const { sliceRecords, sliceBytes } = this.#limits;
    const from = members[0]!.nextRevision;
    const before = members.some((watcher) => watcher.wantsPrevious) ? this.#previous : null;
    before?.continueAt(from);
    let last = from - 1;
    let records = 0;
    let bytesRead = 0;
    let isPartial = false;
    this.#mvcc.records.scanRecords(from, 0, (main, _sub, tombstone, bytes, start, end) => {
      if (main !== last) {
        if (records >= sliceRecords || bytesRead >= sliceBytes) {
          isPartial = true;
          return false;
        }
        last = main;
      }
      records++;
      const key = this.#keyOf(bytes, start, end);
      if (fanOut.offer(main, key, tombstone, bytes, start, end, before)) bytesRead += end - start;
      before?.note(key, main, tombstone ? null : { bytes, start, end });
      return true;
    });
    const through = isPartial ? last : this.#mvcc.currentRevision;
    before?.passedThrough(through);
    return through;
  }

  #advance(watcher: Watcher, through: number): void {
    if (watcher.isHeld) {
      watcher.isHeld = false;
      return;
    }
    if (watcher.state !== "lagging" || watcher.nextRevision > through) return;
    watcher.nextRevision = through + 1;
    if (through === this.#mvcc.currentRevision) this.#hooks.caughtUp(watcher);
  }

  /** The key is the first field of every record, and of tombstones the only one. */
  #keyOf(bytes: Uint8Array, start: number, end: number): string {
    const length = bytes[start + 1]!;
    if (start + 1 < end && bytes[start] === KEY_TAG && length < 128 && start + 2 + length <= end) {
      return latin1(bytes, start + 2, start + 2 + length);
    }
    viewKeyValue(bytes, start, end, this.#view);
    return latin1(bytes, this.#view.keyStart, this.#view.keyEnd);
  }
}
