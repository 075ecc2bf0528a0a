// One commit, from a batch to the disk, in steps that each hold the thread for a millisecond or
// three:
//
//   fill (…)  ─►  settle (…)  ─►  spill  ─►  all pages written  ─►  sync  ─►  meta  ─►  sync
//     │             │               │             ▲
//     └── pages that are full ──────┴─ write off the thread
//
// The meta page goes out only after the sync of everything it refers to; nothing else makes the
// new state exist. Any error is final: after a failed write or sync nobody knows what is on disk.

import { assert } from "../base/assert.ts";
import type { Clock } from "../io/io.ts";
import type { BackendMetrics } from "./backend-metrics.ts";
import { type Batch, sortedChanges } from "./batch.ts";
import type { Run } from "./bolt/output.ts";
import type { Tree } from "./bolt/tree.ts";
import type { Commit, Tx } from "./bolt/tx.ts";
import type { RecordBatch } from "./record-batch.ts";
import { Bucket } from "./schema.ts";
import type { Store } from "./store.ts";

/** bbolt's fill for a bucket to whose end is written. */
export const FILL_APPEND = 0.9;
/** What a step may cost, in microseconds as estimated below. */
const STEP_COST = 2000;
const COST_APPEND = 0.25;
const COST_CHANGE = 1.5;
const COST_NODE = 5;
/** A record copied into a page: 4 GB a second. */
const COST_BYTE = 0.00025;
/** How many appended records are between two looks at the right end. */
const FLUSH_RECORDS = 64;
/** The pool's threads also serve the log: two of them are enough to keep a disk busy. */
const WRITES_IN_FLIGHT_MAX = 2;

export interface CommitJobOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly metrics: BackendMetrics;
  readonly done: (error: Error | null) => void;
}

/** Puts changes into the transaction; now and then yields what it did since, in microseconds. */
export type Filler = (tx: Tx) => Generator<number, void>;

/** For a copy that becomes a database only by being renamed: nothing is synced, nor the meta. */
export type CommitKind = "durable" | "pages only";

export class CommitJob {
  readonly tx: Tx;
  readonly #options: CommitJobOptions;
  readonly #kind: CommitKind;
  readonly #filling: Generator<number, void>;
  readonly #startedMs: number;
  #writingSinceMs = 0;
  #runs: Run[] = [];
  #nextRun = 0;
  #writesInFlight = 0;
  #rebalanceMs = 0;
  #commit: Commit | undefined;
  #isOver = false;
  #failure: Error | null = null;

  constructor(options: CommitJobOptions, fill: Filler, kind: CommitKind = "durable") {
    this.#options = options;
    this.#kind = kind;
    this.tx = options.store.db.begin();
    this.#filling = fill(this.tx);
    this.#startedMs = options.clock.monotonicMs();
  }

  start(): void {
    this.#later(() => this.#fill());
  }

  /** Each step has a turn of the event loop for itself. */
  #later(step: () => void): void {
    this.#options.clock.endOfTurn(() => {
      if (this.#isOver) return;
      try {
        step();
      } catch (error) {
        this.#end(error as Error);
      }
    });
  }

  #fill(): void {
    let cost = -this.tx.work * COST_NODE;
    while (cost + this.tx.work * COST_NODE < STEP_COST) {
      const { value, done } = this.#filling.next();
      if (done === true) {
        this.#settle();
        return;
      }
      cost += value;
    }
    this.#enqueue(this.tx.takeRuns());
    this.#later(() => this.#fill());
  }

  #settle(): void {
    const startMs = this.#nowMs();
    const isSettled = this.tx.settleLeaves(STEP_COST / COST_NODE);
    this.#enqueue(this.tx.takeRuns());
    this.#rebalanceMs += this.#nowMs() - startMs;
    this.#later(() => (isSettled ? this.#spill() : this.#settle()));
  }

  #spill(): void {
    const startMs = this.#nowMs();
    this.tx.rebalance();
    this.#commit = this.tx.spill();
    this.#writingSinceMs = this.#nowMs();
    this.#options.metrics.rebalanceSeconds.observe(this.#rebalanceMs / 1000);
    this.#options.metrics.spillSeconds.observe((this.#writingSinceMs - startMs) / 1000);
    this.#enqueue(this.#commit.runs);
    this.#afterWrites();
  }

  #enqueue(runs: readonly Run[]): void {
    if (runs.length === 0) return;
    this.#options.store.growTo(this.tx.output.pageCount);
    for (const run of runs) this.#runs.push(run);
    this.#pump();
  }

  #pump(): void {
    const { file, db } = this.#options.store;
    while (this.#writesInFlight < WRITES_IN_FLIGHT_MAX && this.#nextRun < this.#runs.length) {
      const { page, bytes } = this.#runs[this.#nextRun]!;
      this.#nextRun++;
      this.#writesInFlight++;
      file.write(bytes, page * db.pageSize, this.#onWritten);
    }
    if (this.#nextRun === this.#runs.length) {
      this.#runs = [];
      this.#nextRun = 0;
    }
  }

  readonly #onWritten = (error: Error | null): void => {
    this.#writesInFlight--;
    if (this.#isOver) {
      this.#report();
    } else if (error !== null) {
      this.#end(error);
    } else {
      this.#pump();
      this.#afterWrites();
    }
  };

  #afterWrites(): void {
    if (this.#commit === undefined || this.#writesInFlight > 0) return;
    assert(this.#nextRun === this.#runs.length, "a run was not written");
    if (this.#kind === "pages only") {
      this.#finish();
      return;
    }
    const { metaPage, metaPosition } = this.#commit;
    const { file } = this.#options.store;
    this.#sync(() => {
      this.#writesInFlight++;
      file.write(metaPage, metaPosition, (error) => {
        this.#writesInFlight--;
        if (error !== null) this.#end(error);
        else this.#sync(() => this.#finish());
      });
    });
  }

  #sync(next: () => void): void {
    this.#options.store.file.sync((error) => {
      if (error !== null) this.#end(error);
      else next();
    });
  }

  #finish(): void {
    const { store, metrics } = this.#options;
    store.db.committed(this.tx);
    metrics.writeSeconds.observe((this.#nowMs() - this.#writingSinceMs) / 1000);
    metrics.commitSeconds.observe((this.#nowMs() - this.#startedMs) / 1000);
    this.#end(null);
  }

  #end(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    if (this.#writesInFlight === 0) this.#options.done(error);
  }

  /** After a failure, when the last write under way has ended: nobody uses the file any more. */
  #report(): void {
    if (this.#writesInFlight === 0) this.#options.done(this.#failure);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

/** The changes of a batch. Deletions come first: what is appended must not be read again. */
export function* fillFromBatch(
  tx: Tx,
  batch: Batch,
  buckets: readonly string[],
): Generator<number, void> {
  for (const name of buckets) tx.bucket(name, name === Bucket.key ? FILL_APPEND : undefined);
  for (const [name, changes] of batch.buckets) {
    const tree = tx.bucket(name);
    for (const { bytes, keySize, deleted } of sortedChanges(changes)) {
      if (deleted) tree.delete(bytes, 0, keySize);
      else tree.put(bytes, 0, keySize, bytes.length - keySize);
      yield COST_CHANGE + bytes.length * COST_BYTE;
    }
  }
  if (batch.records.count === 0 && batch.deletedRecords.isEmpty) return;
  const tree = tx.bucket(Bucket.key, FILL_APPEND);
  for (const key of batch.deletedRecords.keys) {
    tree.delete(key, 0, key.length);
    yield COST_CHANGE;
  }
  yield* appendRecords(tree, batch.records);
}

function* appendRecords(tree: Tree, records: RecordBatch): Generator<number, void> {
  let cost = 0;
  let untilFlush = FLUSH_RECORDS;
  for (let i = 0; i < records.count; i++) {
    const keySize = records.keySizeAt(i);
    if (keySize === 0) continue;
    const start = records.startAt(i);
    const length = records.endAt(i) - start;
    tree.append(records.bytesAt(i), start, keySize, length - keySize);
    cost += COST_APPEND + length * COST_BYTE;
    if (--untilFlush > 0) continue;
    untilFlush = FLUSH_RECORDS;
    if (tree.isRightEndFull) tree.flushFull();
    yield cost;
    cost = 0;
  }
}
