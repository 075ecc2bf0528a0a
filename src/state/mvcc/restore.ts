// Rebuilds the key index from the records at start, in the order of revisions. Keys go into the
// hash table as they come; their order is made by one sort at the end, which is several times
// faster than inserting each in order.

import type { Logger } from "../../base/log.ts";
import { Bucket, MetaKey, readRevision } from "../../storage/schema.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import type { LeaseAttachments, Mvcc } from "./mvcc.ts";

export class Restore {
  readonly #mvcc: Mvcc;
  readonly #log: Logger;
  readonly #view = new KeyValueView();
  readonly #record = { main: 0, sub: 0, tombstone: false, created: 0, version: 0 };
  /** Slot to lease, as the newest record of each key has it. */
  readonly #leases = new Map<number, bigint>();
  #fromMain = 1;
  #fromSub = 0;
  recordCount = 0;

  constructor(mvcc: Mvcc, log: Logger) {
    this.#mvcc = mvcc;
    this.#log = log;
  }

  /** Reads about `budget` records; true when there are no more. */
  step(budget: number): boolean {
    let left = budget;
    let isDone = true;
    this.#mvcc.records.scanRecords(
      this.#fromMain,
      this.#fromSub,
      (main, sub, tombstone, bytes, start, end) => {
        if (left-- <= 0) {
          isDone = false;
          this.#fromMain = main;
          this.#fromSub = sub;
          return false;
        }
        this.#add(main, sub, tombstone, bytes, start, end);
        return true;
      },
    );
    return isDone;
  }

  /**
   * Orders the keys, attaches leases and sets the revisions. Returns the revision of a compaction
   * that was scheduled and not finished, or 0.
   */
  finish(leases: LeaseAttachments, leaseExists: (lease: bigint) => boolean): number {
    const mvcc = this.#mvcc;
    mvcc.index.finishRestore();
    const finished = mvcc.records.get(Bucket.meta, MetaKey.finishedCompactRev);
    const scheduled = mvcc.records.get(Bucket.meta, MetaKey.scheduledCompactRev);
    if (finished !== undefined) mvcc.compactRevision = readRevision(finished).main;
    const scheduledMain = scheduled === undefined ? 0 : readRevision(scheduled).main;
    mvcc.currentRevision = Math.max(mvcc.currentRevision, mvcc.compactRevision, scheduledMain);
    for (const [slot, lease] of this.#leases) {
      if (leaseExists(lease)) leases.attach(slot, lease, 0);
      else this.#log.warn("a key refers to a lease that does not exist", { lease });
    }
    return scheduledMain > mvcc.compactRevision ? scheduledMain : 0;
  }

  #add(
    main: number,
    sub: number,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const view = this.#view;
    viewKeyValue(bytes, start, end, view);
    const record = this.#record;
    record.main = main;
    record.sub = sub;
    record.tombstone = tombstone;
    record.created = view.createRevision;
    record.version = view.version;
    const { index, space } = this.#mvcc;
    const slot = index.restore(bytes, view.keyStart, view.keyEnd, record);
    if (slot >= space.slotCount) space.added(slot, index.keyOf(slot));
    space.restored(slot, tombstone, end - start);
    if (view.lease !== 0n) this.#leases.set(slot, view.lease);
    else if (this.#leases.size > 0) this.#leases.delete(slot);
    this.#mvcc.currentRevision = main;
    this.recordCount++;
  }
}
