// Compaction: forget the revisions below one, in small steps that others can run between.
//
//   schedule  readers see the new limit at once; meta/scheduledCompactRev is written
//   index     the whole key index, some keys per step; then it is known what is kept
//   records   slices of records from the first on: hash each, delete what is not kept
//   finished  meta/finishedCompactRev is written with the last deletions
//
// Jobs run one after the other in the order of scheduling. After a crash the two marks differ and
// the job runs again from its beginning; that is harmless. The server calls `step` and sleeps
// after each slice of records its share of the pause for a batch: here is no clock.

import { Bucket, MetaKey, revisionBytes } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import type { RpcError } from "../../wire/status.ts";
import { Hasher, isRecordKept, keyOfRecord, type StoredHashes } from "./hash.ts";
import { Kept } from "./kept.ts";
import type { Mvcc } from "./mvcc.ts";

/** Keys of the index per step: half a millisecond when each has ten revisions. */
const INDEX_STEP_KEYS = 512;
/** Records per step: half a millisecond. */
const RECORD_STEP_MAX = 200;
const slotScratch = new Uint32Array(INDEX_STEP_KEYS);

export class CompactionJob {
  readonly revision: number;
  /** The compaction before, -1 for none. */
  readonly previous: number;
  readonly storesHash: boolean;
  isDone = false;
  /** Records deleted so far. */
  deletedCount = 0;
  /** Where the index pass goes on; undefined when it is over. */
  fromKey: string | undefined = "";
  keptCount = 0;
  kept: Kept | undefined;
  hasher: Hasher | undefined;
  /** Where the pass over records goes on. */
  fromMain = 0;
  fromSub = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(revision: number, previous: number, storesHash: boolean) {
    this.revision = revision;
    this.previous = previous;
    this.storesHash = storesHash;
  }

  /** Runs `task` when all is deleted, at once if it is. */
  whenDone(task: () => void): void {
    if (this.isDone) task();
    else this.#waiting.push(task);
  }

  done(): void {
    this.isDone = true;
    for (const task of this.#waiting.splice(0)) task();
  }
}

/**
 * idle: nothing to do; blocked: readers hold their revisions, try later; index: more can follow at
 * once; records: after a share of the pause for a batch; finished: a job has ended.
 */
export type CompactionStep = "idle" | "blocked" | "index" | "records" | "finished";

export class Compaction {
  readonly #mvcc: Mvcc;
  readonly #hashes: StoredHashes;
  /** Of a batch of records, the part that one step does. */
  readonly stepShare: number;
  readonly #stepRecords: number;
  readonly #jobs: CompactionJob[] = [];
  /** Records deleted by all jobs. */
  deletedTotal = 0;

  constructor(mvcc: Mvcc, hashes: StoredHashes, batchLimit: number) {
    this.#mvcc = mvcc;
    this.#hashes = hashes;
    this.#stepRecords = Math.min(RECORD_STEP_MAX, batchLimit);
    this.stepShare = this.#stepRecords / batchLimit;
  }

  /** The job that the next step works on. */
  get current(): CompactionJob | undefined {
    return this.#jobs[0];
  }

  /** The job after which all that was scheduled so far is done. */
  get last(): CompactionJob | undefined {
    return this.#jobs.at(-1);
  }

  /** Revision 0 may be compacted once, on a store that never was. */
  schedule(revision: number): CompactionJob | RpcError {
    if (revision <= this.#mvcc.compactRevision) return Errors.Compacted;
    if (revision > this.#mvcc.currentRevision) return Errors.FutureRev;
    return this.#add(new CompactionJob(revision, this.#mvcc.compactRevision, true));
  }

  /** Goes on after a restart with what was scheduled but not finished; its hash is not known. */
  resume(revision: number): void {
    this.#add(new CompactionJob(revision, this.#mvcc.compactRevision, false));
  }

  /** What was scheduled is part of other records now; who waits for it need not. */
  forget(): void {
    for (const job of this.#jobs.splice(0)) job.done();
  }

  step(): CompactionStep {
    const job = this.#jobs[0];
    if (job === undefined) return "idle";
    if (this.#mvcc.pins.hasBelow(job.revision)) return "blocked";
    if (job.fromKey !== undefined) {
      this.#compactIndex(job, job.fromKey);
      return "index";
    }
    if (!this.#compactRecords(job)) return "records";
    this.#mvcc.records.put(Bucket.meta, MetaKey.finishedCompactRev, revisionBytes(job.revision, 0));
    if (job.storesHash) this.#hashes.store(job.hasher!.result());
    this.#jobs.shift();
    job.done();
    return "finished";
  }

  #add(job: CompactionJob): CompactionJob {
    this.#mvcc.compactRevision = job.revision;
    this.#mvcc.records.put(
      Bucket.meta,
      MetaKey.scheduledCompactRev,
      revisionBytes(job.revision, 0),
    );
    this.#jobs.push(job);
    return job;
  }

  #compactIndex(job: CompactionJob, fromKey: string): void {
    const index = this.#mvcc.index;
    const count = index.collect(fromKey, undefined, slotScratch, INDEX_STEP_KEYS);
    job.fromKey = count < INDEX_STEP_KEYS ? undefined : `${index.keyOf(slotScratch[count - 1]!)}\0`;
    job.keptCount += index.compact(slotScratch, count, job.revision);
    if (job.fromKey !== undefined) return;
    job.kept = new Kept(index, job.revision, true);
    job.hasher = new Hasher(job.previous, job.revision, job.keptCount === 0);
  }

  #subtract(tombstone: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { index, space } = this.#mvcc;
    const key = keyOfRecord(bytes, start, end);
    space.compacted(index.findText(key), key, tombstone, end - start);
  }

  /** One step; true when it was the last. A full step is never the last. */
  #compactRecords(job: CompactionJob): boolean {
    const kept = job.kept!;
    const hasher = job.hasher!;
    const { records } = this.#mvcc;
    const doomed: { main: number; sub: number; tombstone: boolean }[] = [];
    const limit = this.#stepRecords;
    let count = 0;
    records.scanRecords(job.fromMain, job.fromSub, (main, sub, tombstone, bytes, start, end) => {
      if (main > job.revision) return false;
      const isKept = isRecordKept(kept, main, sub, bytes, start, end);
      hasher.add(main, sub, tombstone, bytes, start, end, isKept);
      if (!isKept) {
        doomed.push({ main, sub, tombstone });
        this.#subtract(tombstone, bytes, start, end);
      }
      job.fromMain = main;
      job.fromSub = sub + 1;
      return ++count < limit;
    });
    for (const { main, sub, tombstone } of doomed) records.deleteRecord(main, sub, tombstone);
    job.deletedCount += doomed.length;
    this.deletedTotal += doomed.length;
    return count < limit;
  }
}
