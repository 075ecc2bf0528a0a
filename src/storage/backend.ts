// The store under the state machine: bbolt's file, written in batches.
//
//   put, delete, setApplied ─► open batch ──cut──► batch in commit ──durable──► pages
//   reads ◄──────────────────────┴───────────────────┴─────────────────────────────┘
//
// Changes are visible at once and durable later: the log has them until then. A batch is cut off
// after an interval, when it is large, or when somebody asks; only ever between two entries of
// the log, and it carries the index of the last entry that it contains. One commit is under way
// at a time; meanwhile the open batch grows, up to a limit at which `isOverloaded` asks for less.

import { assert } from "../base/assert.ts";
import type { Logger } from "../base/log.ts";
import type { Clock, Disk, Timer } from "../io/io.ts";
import { HashJob } from "./backend-hash.ts";
import { BackendMetrics } from "./backend-metrics.ts";
import { BackendSnapshot } from "./backend-snapshot.ts";
import { Batch } from "./batch.ts";
import type { FreelistType } from "./bolt/free-spans.ts";
import type { ScanMemory } from "./bolt/scan.ts";
import { CommitJob, fillFromBatch } from "./commit-job.ts";
import { defragmentNow } from "./defragment-now.ts";
import { Defragmentation } from "./defragmentation.ts";
import { findRecord, forEachEntry, getValue, type RecordVisitor, scanRecords } from "./overlay.ts";
import { RecordChunks } from "./record-batch.ts";
import { copyRecords, type RecordCopies } from "./record-copies.ts";
import { newFoundRecord } from "./revision-search.ts";
import { Bucket } from "./schema.ts";
import { SpareFile } from "./spare-file.ts";
import { directoryOf, openStore, removeLeftovers, type Store } from "./store.ts";
import { contentsOf } from "./store-contents.ts";

/** A commit of as much takes 10 ms of the thread, in steps. */
const BATCH_BYTES_MAX = 8 << 20;
/** The open batch while a commit hangs: this much memory, then the members must wait. */
const OVERLOAD_BYTES = 64 << 20;
const OVERLOAD_BATCHES = 10;
/** How soon to look again whether readers have left. */
const READERS_RETRY_MS = 5;
/** Entries that a step of `hash` looks at. */
const HASH_STEP_ENTRIES = 2000;

export interface BackendOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the database; copies lie beside it for a while. */
  readonly path: string;
  readonly batchIntervalMs: number;
  readonly batchLimit: number;
  readonly freelistType: FreelistType;
  /** A write or sync has failed. Nobody knows what is on the disk: the process has to end. */
  readonly onFatal: (error: Error) => void;
}

interface Replacement {
  readonly from: string;
  readonly isFree: () => boolean;
  readonly done: () => void;
}

export class Backend {
  readonly metrics: BackendMetrics = new BackendMetrics();
  readonly #options: BackendOptions;
  readonly #clock: Clock;
  readonly #chunks: RecordChunks = new RecordChunks();
  readonly #found = newFoundRecord();
  #store: Store;
  /** What reads look through: the batch in commit, if there is one, and the open one. */
  #batches: Batch[];
  #open: Batch;
  #timer: Timer | undefined;
  /** Called when the batch in commit is durable, and when the open one is. */
  #waitingInCommit: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #isCutWanted = false;
  #state: "open" | "closing" | "closed" | "failed" = "open";
  #missingBuckets: readonly string[];
  #isDefragmenting = false;
  #defragmentation: Defragmentation | undefined;
  #spare: SpareFile | undefined;
  /** No commit may begin: the file is about to be replaced. */
  #isHeld = false;
  #replacement: Replacement | undefined;
  #appliedIndex: number;
  #term: number;
  #durableAppliedIndex: number;
  /** The newest revision that was ever committed, also if it was compacted since. */
  #lastMain: number;

  /**
   * Opens the database, or makes an empty one.
   * @throws DatabaseLockedError, DatabaseDamagedError, or what the disk throws
   */
  static open(options: BackendOptions): Backend {
    const store = openStore(options);
    try {
      for (const name of removeLeftovers(options.disk, options.path)) {
        options.log.warn("removed an unfinished copy of the database", { name });
      }
      return new Backend(options, store);
    } catch (error) {
      store.retire();
      throw error;
    }
  }

  private constructor(options: BackendOptions, store: Store) {
    this.#options = options;
    this.#clock = options.clock;
    this.#store = store;
    const contents = contentsOf(store);
    this.#missingBuckets = contents.missingBuckets;
    this.#appliedIndex = this.#durableAppliedIndex = contents.appliedIndex;
    this.#term = contents.term;
    this.#lastMain = contents.lastMain;
    this.#open = this.#newBatch();
    this.#batches = [this.#open];
    if (this.#missingBuckets.length > 0) this.#open.hasNews = true;
  }

  /** The start has succeeded, and defragmentations while others wait are to come. */
  keepSpare(): void {
    this.#spare = new SpareFile(this.#options);
  }

  // --- bucket `key`

  /**
   * Appends a record; the caller writes its value into `recordBuffer` from the returned offset on
   * before anything else happens. Revisions only grow.
   */
  reserveRecord(main: number, sub: number, tombstone: boolean, valueBytes: number): number {
    this.#touch();
    return this.#open.records.reserve(main, sub, tombstone, valueBytes);
  }

  get recordBuffer(): Uint8Array {
    return this.#chunks.bytes;
  }

  /** Finds a record that is no tombstone; `foundBytes[foundStart, foundEnd)` is then its value. */
  findRecord(main: number, sub: number): boolean {
    const found = this.#found;
    return findRecord(this.#store.db.view, this.#batches, main, sub, found) && !found.tombstone;
  }

  /** Many at once; all of them exist. */
  copyRecords(copies: RecordCopies): void {
    copyRecords(this.#store.db.view, this.#batches, copies);
  }

  get foundBytes(): Uint8Array {
    return this.#found.bytes;
  }

  get foundStart(): number {
    return this.#found.start;
  }

  get foundEnd(): number {
    return this.#found.end;
  }

  /**
   * Records in the order of revisions, from one on, until the visitor returns false. A visitor
   * that keeps nothing should bring `ReusedMemory`: a scan of everything is a lot of garbage.
   */
  scanRecords(fromMain: number, fromSub: number, visit: RecordVisitor, memory?: ScanMemory): void {
    scanRecords(this.#store.db.view, this.#batches, fromMain, fromSub, visit, memory);
  }

  /** For compaction; the record exists. */
  deleteRecord(main: number, sub: number, tombstone: boolean): void {
    this.#touch();
    const batch = this.#open;
    const index = batch.records.find(main, sub);
    if (index >= 0) batch.records.deleteAt(index);
    else batch.deletedRecords.add(main, sub, tombstone);
    batch.changeCount++;
  }

  // --- the other buckets

  get(bucket: string, key: Uint8Array): Uint8Array | undefined {
    return getValue(this.#store.db.view, this.#batches, bucket, key);
  }

  put(bucket: string, key: Uint8Array, value: Uint8Array): void {
    assert(bucket !== Bucket.key && key.length > 0, "a record is not put, nor an empty key");
    this.#touch();
    this.#open.change(bucket, key, value);
  }

  delete(bucket: string, key: Uint8Array): void {
    assert(bucket !== Bucket.key, "a record is deleted by its revision");
    this.#touch();
    this.#open.change(bucket, key, undefined);
  }

  /** In the order of keys; the visitor may change the bucket. */
  forEach(bucket: string, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    forEachEntry(this.#store.db.view, this.#batches, bucket, visit);
  }

  // --- where the log is

  /** Ends the changes of one entry of the log: everything since the last call belongs to it. */
  setApplied(index: number, term: number): void {
    this.#appliedIndex = this.#open.appliedIndex = index;
    this.#term = this.#open.term = term;
    if (this.#isFull()) this.#cut();
  }

  setConfState(json: Uint8Array): void {
    this.#touch();
    this.#open.setConfState(json);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get term(): number {
    return this.#term;
  }

  /** Of the last commit on disk: entries up to here need not be replayed. */
  get durableAppliedIndex(): number {
    return this.#durableAppliedIndex;
  }

  // --- commits

  /** Commits what there is; `done` comes when it, and all before it, is durable. */
  commit(done?: () => void): void {
    if (done !== undefined) this.#waiting.push(done);
    this.#cut();
  }

  /** The disk is behind: no more should be taken on. */
  get isOverloaded(): boolean {
    const { records, changeCount, sizeBytes } = this.#open;
    const count = records.count + changeCount;
    return sizeBytes > OVERLOAD_BYTES || count > OVERLOAD_BATCHES * this.#options.batchLimit;
  }

  get sizeBytes(): number {
    return this.#store.db.sizeBytes;
  }

  get sizeInUseBytes(): number {
    return this.#store.db.sizeBytes - this.#store.db.freeBytes;
  }

  /** As etcd counts: one is always open, the one that requests read through. */
  get readTxCount(): number {
    return 1 + this.#store.pinCount;
  }

  // --- the whole database

  /** Commits and pins what is then the state. */
  snapshot(ready: (snapshot: BackendSnapshot) => void): void {
    this.commit(() => ready(new BackendSnapshot(this.#store, this.#clock, this.metrics)));
  }

  /** Commits, and hashes that state in steps between which requests are served. */
  hash(done: (hash: number) => void): void {
    this.hashJob((job) => {
      const step = () => {
        if (job.step(HASH_STEP_ENTRIES)) done(job.value);
        else this.#clock.endOfTurn(step);
      };
      step();
    });
  }

  hashJob(ready: (job: HashJob) => void): void {
    this.commit(() => ready(new HashJob(this.#store)));
  }

  /**
   * Copies the database without its free pages. Reads and commits go on until the last moment;
   * an error leaves everything as it was.
   */
  defragment(done: (error: Error | null) => void): void {
    if (this.#isDefragmenting) {
      done(new Error("the database is being defragmented already"));
      return;
    }
    this.#isDefragmenting = true;
    this.commit(() => this.#startDefragmentation(done));
  }

  /**
   * The same at once, at a start: nothing was changed yet, nobody is served.
   * @throws what the disk throws, or BoltError; then everything is as it was
   */
  defragmentNow(): void {
    const isUnchanged = this.#open.changeCount === 0 && this.#open.records.count === 0;
    assert(isUnchanged && this.#batches.length === 1, "a defragmentation beside changes");
    const options = { ...this.#options, metrics: this.metrics, store: this.#store };
    this.#store = defragmentNow(options);
  }

  /**
   * The database in the file `from`, which is durable, takes the place of this one; changes that
   * were not committed are dropped. Who waits for a commit is told that it is done: what they
   * wanted is part of the new one, or does not matter any more. It waits until `isFree` says that
   * nobody is reading. A failure is fatal.
   */
  replaceBy(from: string, isFree: () => boolean, done: () => void): void {
    assert(this.#replacement === undefined, "one replacement at a time");
    this.#replacement = { from, isFree, done };
    this.#defragmentation?.cancel();
    this.#replaceWhenIdle();
  }

  /** What `bbolt check` would say of the last committed state: nothing. */
  problems(): string[] {
    return this.#store.problems();
  }

  /** Commits and closes the file; snapshots that are still open keep it for themselves. */
  close(done: () => void): void {
    if (this.#state === "failed") {
      this.#clock.endOfTurn(done);
      return;
    }
    assert(this.#state === "open", "the backend is closed twice");
    this.#defragmentation?.cancel();
    this.commit(() => {
      this.#state = "closed";
      this.#timer?.cancel();
      this.#store.retire();
      this.#spare?.close();
      done();
    });
    this.#state = "closing";
  }

  // ---

  #newBatch(): Batch {
    const batch = new Batch(this.#chunks);
    batch.appliedIndex = this.#appliedIndex;
    batch.term = this.#term;
    return batch;
  }

  #touch(): void {
    assert(this.#state === "open" || this.#state === "failed", "a change after the end");
    if (this.#timer !== undefined || this.#isCutWanted) return;
    this.#timer = this.#clock.after(this.#options.batchIntervalMs, () => {
      this.#timer = undefined;
      this.#cut();
    });
  }

  #isFull(): boolean {
    const { records, changeCount, sizeBytes } = this.#open;
    const count = records.count + changeCount;
    return count >= this.#options.batchLimit || sizeBytes >= BATCH_BYTES_MAX;
  }

  #hasNews(): boolean {
    const { records, changeCount, hasNews, appliedIndex } = this.#open;
    if (records.count > 0 || changeCount > 0 || hasNews) return true;
    return appliedIndex !== this.#durableAppliedIndex;
  }

  /** Starts a commit of the open batch, or sees to it that one starts after the present one. */
  #cut(): void {
    if (this.#batches.length > 1 || this.#isHeld) {
      this.#isCutWanted = true;
      return;
    }
    if (this.#state === "failed") return;
    this.#isCutWanted = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#hasNews()) {
      this.#waitingInCommit = waiting;
      this.#startCommit();
    } else if (waiting.length > 0) {
      // Not from within the call: who waits may not expect it yet.
      this.#clock.endOfTurn(() => release(waiting));
    }
  }

  #startCommit(): void {
    const batch = this.#open;
    batch.seal();
    this.#open = this.#newBatch();
    this.#batches = [batch, this.#open];
    const buckets = this.#missingBuckets;
    const done = (error: Error | null) => this.#onCommitted(batch, error);
    const options = { store: this.#store, clock: this.#clock, metrics: this.metrics, done };
    new CommitJob(options, (tx) => fillFromBatch(tx, batch, buckets)).start();
  }

  #onCommitted(batch: Batch, error: Error | null): void {
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#missingBuckets = [];
    this.#batches = [this.#open];
    this.#durableAppliedIndex = batch.appliedIndex;
    this.#lastMain = Math.max(this.#lastMain, batch.records.lastMain);
    this.#defragmentation?.committed(batch);
    const waiting = this.#waitingInCommit;
    this.#waitingInCommit = [];
    release(waiting);
    if (this.#isCutWanted || (this.#isFull() && this.#state === "open")) this.#cut();
    this.#defragmentation?.idle();
    this.#replaceWhenIdle();
  }

  #startDefragmentation(done: (error: Error | null) => void): void {
    const finished = (error: Error | null) => {
      this.#defragmentation = undefined;
      this.#isDefragmenting = false;
      this.#resume();
      done(error);
      this.#replaceWhenIdle();
    };
    this.#defragmentation = new Defragmentation({
      ...this.#options,
      ...{ metrics: this.metrics, store: this.#store, spare: this.#spare },
      ...{ lastMain: this.#lastMain, done: finished, isIdle: () => this.#batches.length === 1 },
      hold: () => {
        this.#isHeld = true;
        return this.#batches.length === 1;
      },
      replace: (store, release) => {
        this.#store.retire(release);
        this.#store = store;
      },
      onFatal: (error) => this.#fail(error),
    });
    this.#defragmentation.start();
  }

  readonly #replaceWhenIdle = (): void => {
    const replacement = this.#replacement;
    if (replacement === undefined || this.#isDefragmenting || this.#state === "failed") return;
    this.#isHeld = true;
    if (this.#batches.length > 1) return;
    if (!replacement.isFree()) {
      this.#clock.after(READERS_RETRY_MS, this.#replaceWhenIdle);
      return;
    }
    const { disk, path } = this.#options;
    try {
      const release = this.#spare?.keep();
      disk.rename(replacement.from, path);
      disk.syncDirectory(directoryOf(path));
      this.#store.retire(release);
      this.#store = openStore(this.#options);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const contents = contentsOf(this.#store);
    this.#missingBuckets = contents.missingBuckets;
    this.#appliedIndex = this.#durableAppliedIndex = contents.appliedIndex;
    this.#term = contents.term;
    this.#lastMain = contents.lastMain;
    this.#open = this.#newBatch();
    this.#batches = [this.#open];
    if (this.#missingBuckets.length > 0) this.#open.hasNews = true;
    this.#replacement = undefined;
    this.#isHeld = this.#isCutWanted = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    replacement.done();
    const waiting = this.#waiting;
    this.#waiting = [];
    release(waiting);
  };

  #resume(): void {
    this.#isHeld = false;
    if (this.#isCutWanted) this.#cut();
  }

  #fail(error: Error): void {
    this.#state = "failed";
    this.#options.onFatal(error);
  }
}

function release(waiting: readonly (() => void)[]): void {
  for (const done of waiting) done();
}
