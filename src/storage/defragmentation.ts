// Copies the database into a new file without its free pages, while reads and commits go on:
//
//   copy      the pinned state, some MiB to a transaction of the copy, each synced at once so that
//             the disk has no backlog that writes of the log would wait behind
//   catch up  what was committed meanwhile: new records are those after the last one copied,
//             of everything else the keys are remembered; again, until little is left
//   switch    commits are held, the rest is applied, the copy is synced and renamed over the
//             database, the directory is synced
//
// Until the rename is durable a crash finds the old file, complete, and a leftover that the next
// start removes; after it the new one, with the same content. An error before the rename leaves
// everything as it was.

import { durationText } from "../base/duration-text.ts";
import { latin1Bytes } from "../base/latin1.ts";
import type { File } from "../io/io.ts";
import { BackendMetrics } from "./backend-metrics.ts";
import type { Batch } from "./batch.ts";
import { Copy, copyBucket } from "./bolt/copy.ts";
import type { View } from "./bolt/db.ts";
import { encodeMetaPage } from "./bolt/meta.ts";
import type { Tx } from "./bolt/tx.ts";
import { CommitJob, type CommitKind, FILL_APPEND, type Filler } from "./commit-job.ts";
import { COPY_TX_BYTES, type DefragmentNowOptions } from "./defragment-now.ts";
import { Bucket, revisionBytes } from "./schema.ts";
import { sizeChangeFields, sizeFields } from "./size-fields.ts";
import type { SpareFile } from "./spare-file.ts";
import { createStore, directoryOf, type Store } from "./store.ts";

/**
 * While others write. Each piece is synced, and a write of the log that comes meanwhile waits until
 * the disk has taken it: 12 MiB took 30 ms. The p99 of puts was twice that of idle times with 1 MiB
 * and is 1.4 times it with this; smaller pieces only take longer.
 */
const BUSY_TX_BYTES = 256 << 10;
/** Of what came meanwhile: whoever writes a lot must not get ahead for ever. */
const BUSY_DELTA_BYTES = 512 << 10;
/** Others write when the last change is not longer ago. */
const ALONE_AFTER_MS = 1000;
/** Half of the time is theirs; a piece that took long is not made up for. */
const PAUSE_MAX_MS = 50;
/** Between two looks whether a commit of the database has ended, and how many at most. */
const COMMIT_POLL_MS = 1;
const COMMIT_POLLS_MAX = 10;
/** When so little is left, commits are held for the rest: some milliseconds. */
const SWITCH_CHANGES_MAX = 4000;
const SWITCH_BYTES_MAX = 2 << 20;
/** A member that writes faster than it copies must come to an end too. */
const CATCH_UP_ROUNDS_MAX = 10;
const COST_CHANGE = 2;

export interface DefragmentationOptions extends DefragmentNowOptions {
  /** The newest revision in the state that is copied, or that was ever before it. */
  readonly lastMain: number;
  /** Lets no further commit begin; true if none is under way. Else `idle` is called. */
  readonly hold: () => boolean;
  /** No commit is under way: its two syncs and ours together are what the log waits for longest. */
  readonly isIdle: () => boolean;
  readonly spare: SpareFile | undefined;
  /** `release` takes the file of the store that was replaced. */
  readonly replace: (store: Store, release: ((file: File) => void) | undefined) => void;
  readonly onFatal: (error: Error) => void;
  readonly done: (error: Error | null) => void;
}

/** The database is closed or replaced: nothing is wrong. */
class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** What was committed since the state that the copy has. */
class Delta {
  readonly deletedRecords: Uint8Array[] = [];
  readonly changedKeys: Map<string, Set<string>> = new Map();
  changeCount = 0;
  sizeBytes = 0;
  lastMain = 0;

  add(batch: Batch): void {
    for (const key of batch.deletedRecords.keys) this.deletedRecords.push(key);
    for (const [bucket, changes] of batch.buckets) {
      let keys = this.changedKeys.get(bucket);
      if (keys === undefined) this.changedKeys.set(bucket, (keys = new Set()));
      for (const key of changes.keys()) keys.add(key);
    }
    this.changeCount += batch.records.count + batch.changeCount;
    this.sizeBytes += batch.sizeBytes;
    this.lastMain = Math.max(this.lastMain, batch.records.lastMain);
  }

  get isSmall(): boolean {
    return this.changeCount <= SWITCH_CHANGES_MAX && this.sizeBytes <= SWITCH_BYTES_MAX;
  }
}

export class Defragmentation {
  readonly #options: DefragmentationOptions;
  readonly #copyPath: string;
  readonly #startedMs: number;
  /** The state that is being copied, or the last one that the copy has. */
  #view: View;
  #lastMain: number;
  #delta = new Delta();
  #copy: Store | undefined;
  #rounds = 0;
  /** Of the round before. */
  #lastChangeCount = Infinity;
  /** A round was hardly smaller than the one before: no more pieces and pauses. */
  #isHurried = false;
  #pieceBeganMs = 0;
  /** Until it is known better, others write. */
  #lastChangeMs: number;
  #before = { sizeBytes: 0, freeBytes: 0 };
  #isCancelled = false;
  #isWaitingForIdle = false;
  #isOver = false;

  constructor(options: DefragmentationOptions) {
    this.#options = options;
    this.#copyPath = `${options.path}.tmp.${options.store.db.view.meta.txid}`;
    this.#startedMs = options.clock.monotonicMs();
    this.#lastChangeMs = this.#startedMs;
    this.#lastMain = options.lastMain;
    this.#view = options.store.pin();
  }

  start(): void {
    const { disk, path, freelistType, log, metrics, store, spare } = this.#options;
    const { sizeBytes, freeBytes } = store.db;
    this.#before = { sizeBytes, freeBytes };
    log.info("defragmenting", { path, ...sizeFields(sizeBytes, sizeBytes - freeBytes) });
    metrics.defragInflight.set(1);
    this.#attempt(() => {
      disk.remove(this.#copyPath);
      const prepared = spare?.take(this.#copyPath);
      this.#copy = createStore({ disk, path: this.#copyPath, freelistType }, prepared);
      this.#copyNext(new Copy(this.#view));
    });
  }

  /** A commit of the database is durable. */
  committed(batch: Batch): void {
    const before = this.#delta.changeCount;
    this.#delta.add(batch);
    if (this.#delta.changeCount > before) this.#lastChangeMs = this.#options.clock.monotonicMs();
  }

  /** No commit is under way. */
  idle(): void {
    if (!this.#isWaitingForIdle) return;
    this.#isWaitingForIdle = false;
    this.#switch();
  }

  /** Gives up at the next opportunity, unless it is about to end anyway. */
  cancel(): void {
    this.#isCancelled = true;
  }

  #copyNext(copying: Copy): void {
    if (copying.isComplete) this.#catchUp();
    else {
      this.#write(
        (tx) => copying.fill(tx, this.#pieceBytes(BUSY_TX_BYTES)),
        "pages only",
        () => this.#syncAndPause(() => this.#copyNext(copying)),
      );
    }
  }

  get #isPaced(): boolean {
    const quietMs = this.#options.clock.monotonicMs() - this.#lastChangeMs;
    return quietMs <= ALONE_AFTER_MS;
  }

  #pieceBytes(busyBytes: number): number {
    return this.#isPaced ? busyBytes : COPY_TX_BYTES;
  }

  #syncAndPause(next: () => void): void {
    this.#copy!.file.sync((error) => {
      if (error === null) this.#pause(next);
      else this.#fail(error);
    });
  }

  #pause(next: () => void): void {
    const { clock } = this.#options;
    const tookMs = clock.monotonicMs() - this.#pieceBeganMs;
    if (!this.#isPaced) this.#attempt(next);
    else clock.after(Math.min(tookMs, PAUSE_MAX_MS), () => this.#goOnBeside(next, 0));
  }

  /** Not at the same time as a commit, unless these follow each other without end. */
  #goOnBeside(next: () => void, polls: number): void {
    const { clock, isIdle } = this.#options;
    if (isIdle() || polls === COMMIT_POLLS_MAX) this.#attempt(next);
    else clock.after(COMMIT_POLL_MS, () => this.#goOnBeside(next, polls + 1));
  }

  #catchUp(): void {
    if (this.#delta.isSmall || this.#rounds === CATCH_UP_ROUNDS_MAX) {
      if (this.#options.hold()) this.#switch();
      else this.#isWaitingForIdle = true;
      return;
    }
    this.#rounds++;
    const { changeCount } = this.#delta;
    if (changeCount > this.#lastChangeCount / 2) this.#isHurried = true;
    this.#lastChangeCount = changeCount;
    if (this.#isHurried) {
      this.#write(this.#rest(), "pages only", () => this.#catchUp());
      return;
    }
    const { delta, view, from } = this.#takeDelta();
    this.#write(
      (tx) => fillChanges(tx, delta, view),
      "pages only",
      () => this.#syncAndPause(() => this.#copyRecords(from)),
    );
  }

  /** The new ones, a piece at a time like all others. */
  #copyRecords(from: Uint8Array): void {
    const view = this.#view;
    let next: Uint8Array | null = null;
    const fill = (bytesMax: number): Filler =>
      function* (tx) {
        next = yield* fillRecords(tx, view, from, bytesMax);
      };
    this.#write(fill(this.#pieceBytes(BUSY_DELTA_BYTES)), "pages only", () => {
      this.#syncAndPause(() => {
        if (next === null) this.#catchUp();
        else this.#copyRecords(next);
      });
    });
  }

  #switch(): void {
    this.#write(this.#rest(), "durable", () => this.#writeSecondMeta());
  }

  /** All that came since the last time, at once. */
  #rest(): Filler {
    const { delta, view, from } = this.#takeDelta();
    return function* (tx) {
      yield* fillChanges(tx, delta, view);
      yield* fillRecords(tx, view, from, Infinity);
    };
  }

  /** What came since the last time, up to the state that is now the last. */
  #takeDelta(): { delta: Delta; view: View; from: Uint8Array } {
    const { store } = this.#options;
    const delta = this.#delta;
    const from = revisionBytes(this.#lastMain + 1, 0);
    store.unpin(this.#view);
    this.#view = store.pin();
    this.#delta = new Delta();
    this.#lastMain = Math.max(this.#lastMain, delta.lastMain);
    return { delta, view: this.#view, from };
  }

  /** Both metas shall name this state: the other one still names the empty database. */
  #writeSecondMeta(): void {
    const copy = this.#copy!;
    const { meta } = copy.db.view;
    const txid = meta.txid - 1;
    const page = txid % 2;
    const bytes = encodeMetaPage({ ...meta, txid }, page);
    copy.file.write(bytes, page * meta.pageSize, (error) => {
      if (error !== null) this.#fail(error);
      else {
        copy.file.sync((syncError) => {
          if (syncError !== null) this.#fail(syncError);
          else this.#attempt(() => this.#rename(copy));
        });
      }
    });
  }

  #rename(copy: Store): void {
    const { disk, path, onFatal, replace, spare } = this.#options;
    const release = spare?.keep();
    disk.rename(this.#copyPath, path);
    try {
      disk.syncDirectory(directoryOf(path), (error) => {
        if (error !== null) {
          onFatal(error);
          return;
        }
        this.#options.store.unpin(this.#view);
        replace(copy, release);
        this.#end(null);
      });
    } catch (error) {
      onFatal(error as Error);
    }
  }

  #write(fill: Filler, kind: CommitKind, next: () => void): void {
    if (this.#isCancelled && kind !== "durable") {
      const reason = "the database is being closed or replaced";
      this.#fail(new InterruptedError(`the defragmentation was interrupted: ${reason}`));
      return;
    }
    const { clock } = this.#options;
    this.#pieceBeganMs = clock.monotonicMs();
    const done = (error: Error | null) => {
      if (error !== null) this.#fail(error);
      else this.#attempt(next);
    };
    this.#attempt(() => {
      // Not commits of the database: they are counted nowhere.
      const metrics = new BackendMetrics();
      new CommitJob({ store: this.#copy!, clock, metrics, done }, fill, kind).start();
    });
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      // What the one who asked throws when he is told is not ours to handle.
      if (this.#isOver) throw error;
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#isOver = true;
    const { store, disk, log, path } = this.#options;
    this.#copy?.retire();
    store.unpin(this.#view);
    try {
      disk.remove(this.#copyPath);
    } catch (removeError) {
      log.warn("cannot remove an unfinished copy", { path: this.#copyPath, error: removeError });
    }
    if (error instanceof InterruptedError) log.warn(error.message, { path });
    else log.error("cannot defragment", { path, error });
    this.#end(error);
  }

  #end(error: Error | null): void {
    this.#isOver = true;
    const { clock, metrics, log, path, done } = this.#options;
    const tookMs = clock.monotonicMs() - this.#startedMs;
    metrics.defragInflight.set(0);
    metrics.defragSeconds.observe(tookMs / 1000);
    if (error === null) {
      const change = sizeChangeFields(this.#before, this.#copy!.db);
      const took = durationText(tookMs);
      log.info("finished defragmenting directory", { path, ...change, took });
    }
    done(error);
  }
}

/** All but new records. */
function* fillChanges(tx: Tx, delta: Delta, view: View): Generator<number, void> {
  for (const [name, keys] of delta.changedKeys) {
    const tree = tx.bucket(name);
    const bucket = view.bucket(name);
    for (const text of [...keys].sort()) {
      const key = latin1Bytes(text);
      const value = bucket?.get(key);
      if (value === undefined) tree.delete(key, 0, key.length);
      else tree.put(Buffer.concat([key, value]), 0, key.length, value.length);
      yield COST_CHANGE;
    }
  }
  const tree = tx.bucket(Bucket.key, FILL_APPEND);
  for (const key of delta.deletedRecords) {
    tree.delete(key, 0, key.length);
    yield COST_CHANGE;
  }
}

function* fillRecords(
  tx: Tx,
  view: View,
  from: Uint8Array,
  bytesMax: number,
): Generator<number, Uint8Array | null> {
  const tree = tx.bucket(Bucket.key, FILL_APPEND);
  const records = view.bucket(Bucket.key);
  if (records === undefined) return null;
  return yield* copyBucket(tree, records, from, bytesMax, tx.memory);
}
