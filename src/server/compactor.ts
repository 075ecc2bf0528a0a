// Carries out scheduled compactions: slices of the key index, or of records, and pauses, so that
// requests hardly notice. What is to be done: see `state/`.
//
// `--compaction-sleep-interval` is the least pause for a batch of records. It is taken in parts,
// one after each slice: five slices in a row are felt by whoever comes at that moment. What was
// deleted goes to the disk with whatever the backend commits next; a commit for each batch, as
// etcd makes it, holds up the log for two syncs every few milliseconds.

import { durationText } from "../base/duration-text.ts";
import type { Logger } from "../base/log.ts";
import { Counter, exponentialBounds, Gauge, Histogram } from "../base/metrics.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { CompactionJob } from "../state/mvcc/compaction.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import { sizeFields } from "../storage/size-fields.ts";

/**
 * Of a slice's time, what follows it as a pause: requests leave a ninth of the thread to a
 * compaction, and another ninth to the commits of it. A million revisions take half a minute.
 */
const PAUSE_FACTOR = 8;
/** A slice that took long because the machine is busy must not stop the work. */
const PAUSE_MS_MAX = 50;
/** How soon to look again when readers hold their revisions. */
const BLOCKED_RETRY_MS = 10;

export class CompactionMetrics {
  readonly keys: Counter = new Counter();
  readonly lastUnixSeconds: Gauge = new Gauge();
  readonly indexPauseMs: Histogram = new Histogram(exponentialBounds(0.5, 2, 14));
  readonly pauseMs: Histogram = new Histogram(exponentialBounds(1, 2, 13));
  readonly totalMs: Histogram = new Histogram(exponentialBounds(100, 2, 14));
}

export class Compactor {
  readonly metrics: CompactionMetrics = new CompactionMetrics();
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #state: State;
  readonly #backend: Backend;
  readonly #sleepMs: number;
  #timer: Timer | undefined;
  #isRunning = false;
  #isStopped = false;
  #job: CompactionJob | undefined;
  #beganMs = 0;
  #deletedBefore = 0;

  constructor(parts: {
    clock: Clock;
    log: Logger;
    state: State;
    backend: Backend;
    sleepMs: number;
  }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#state = parts.state;
    this.#backend = parts.backend;
    this.#sleepMs = parts.sleepMs;
  }

  /** A compaction was scheduled, or is left over from before the restart. */
  readonly wake = (): void => {
    if (this.#isRunning || this.#isStopped || this.#state.compaction.current === undefined) return;
    this.#isRunning = true;
    this.#clock.endOfTurn(this.#step);
  };

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  readonly #step = (): void => {
    if (this.#isStopped) return;
    const { compaction } = this.#state;
    const job = compaction.current;
    if (job !== this.#job) this.#begin(job);
    const beganMs = this.#clock.monotonicMs();
    const result = compaction.step();
    const tookMs = this.#clock.monotonicMs() - beganMs;
    switch (result) {
      case "idle":
        this.#isRunning = false;
        return;
      case "blocked":
        this.#timer = this.#clock.after(BLOCKED_RETRY_MS, this.#step);
        return;
      case "index":
        this.metrics.indexPauseMs.observe(tookMs);
        this.#timer = this.#clock.after(pauseMs(tookMs, 0), this.#step);
        return;
      case "records":
        this.metrics.pauseMs.observe(tookMs);
        this.#timer = this.#clock.after(
          pauseMs(tookMs, this.#sleepMs * compaction.stepShare),
          this.#step,
        );
        return;
      case "finished":
        this.metrics.pauseMs.observe(tookMs);
        this.#end(job);
        this.#backend.commit(() => {
          if (!this.#isStopped) this.#timer = this.#clock.after(this.#sleepMs, this.#step);
        });
    }
  };

  #begin(job: CompactionJob | undefined): void {
    this.#job = job;
    this.#beganMs = this.#clock.monotonicMs();
    this.#deletedBefore = this.#state.compaction.deletedTotal;
  }

  #end(job: CompactionJob | undefined): void {
    const tookMs = this.#clock.monotonicMs() - this.#beganMs;
    this.metrics.totalMs.observe(tookMs);
    const deleted = this.#state.compaction.deletedTotal - this.#deletedBefore;
    this.metrics.keys.add(deleted);
    this.metrics.lastUnixSeconds.set(Math.floor(this.#clock.wallMs() / 1000));
    this.#log.info("finished scheduled compaction", {
      "compact-revision": job?.revision,
      took: durationText(tookMs),
      "number-of-keys-compacted": deleted,
      hash: job?.hasher?.result().hash,
      ...sizeFields(this.#backend.sizeBytes, this.#backend.sizeInUseBytes),
    });
  }
}

function pauseMs(tookMs: number, leastMs: number): number {
  return Math.max(leastMs, Math.min(tookMs * PAUSE_FACTOR, PAUSE_MS_MAX));
}
