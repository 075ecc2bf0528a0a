// When watchers are served: those in step after each batch of entries, before its answers leave,
// unless they have just been given so much that they need a rest, for which changes are gathered;
// those behind in slices between the turns. While nothing else is to be done slices follow one
// another; while entries are applied each is paid for with a pause, so that somebody who is half a
// million revisions behind costs the others little. If the lag grows all the same, pauses shrink.

import { exponentialBounds, Histogram } from "../base/metrics.ts";
import type { Clock, Random, Timer } from "../io/io.ts";
import type { WatchableStore } from "../state/watch/watchable-store.ts";

/** A pause is so many times as long as the slice before it: a twentieth of the thread. */
const PAUSE_FACTOR_MAX = 19;
/** At last it is as long: half of the thread. */
const PAUSE_FACTOR_MIN = 1;
/** How often it is looked at whether the lag grows. */
const REVIEW_MS = 500;
/** Progress notifications come up to this part of the interval later, not all at once. */
const PROGRESS_JITTER = 0.1;

export class WatchMetrics {
  /** Sending one response of events, and the same divided by its events. */
  readonly streamSeconds: Histogram = newHistogram();
  readonly perEventSeconds: Histogram = newHistogram();
  readonly controlSeconds: Histogram = newHistogram();
  readonly progressSeconds: Histogram = newHistogram();
}

export class WatchFeed {
  readonly metrics: WatchMetrics = new WatchMetrics();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #store: WatchableStore;
  readonly #appliedIndex: () => number;
  readonly #progressMs: number;
  #timer: Timer | undefined;
  #restTimer: Timer | undefined;
  /** Until then what changes is gathered. */
  #restsUntilMs = 0;
  #isScheduled = false;
  #isStopped = false;
  #appliedBefore = 0;
  #pauseFactor = PAUSE_FACTOR_MAX;
  #reviewedAtMs = 0;
  #lagAtReview = 0;

  constructor(parts: {
    clock: Clock;
    random: Random;
    store: WatchableStore;
    appliedIndex: () => number;
    progressNotifyMs: number;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#store = parts.store;
    this.#appliedIndex = parts.appliedIndex;
    this.#progressMs = parts.progressNotifyMs;
  }

  /** A batch of entries was applied. */
  applied(): void {
    const store = this.#store;
    const beganMs = this.#clock.monotonicMs();
    if (beganMs < this.#restsUntilMs && store.canHold) {
      store.hold();
      this.#restTimer ??= this.#clock.after(this.#restsUntilMs - beganMs, this.#endRest);
      return;
    }
    this.#flush(beganMs);
  }

  readonly #endRest = (): void => {
    this.#restTimer = undefined;
    if (!this.#isStopped) this.#flush(this.#clock.monotonicMs());
  };

  #flush(beganMs: number): void {
    const store = this.#store;
    const eventsBefore = store.eventsSent;
    const responsesBefore = store.responsesSent;
    const gathered = store.gatheredCount;
    store.flush();
    const events = store.eventsSent - eventsBefore;
    if (events === 0) return;
    const responses = store.responsesSent - responsesBefore;
    const endedMs = this.#clock.monotonicMs();
    const { restMsPerResponse, restMsMin, restMsMax } = store.limits;
    // Many changes, each for somebody else, are no reason to wait.
    const restMs = Math.min((responses - gathered) * restMsPerResponse, restMsMax);
    if (restMs >= restMsMin) this.#restsUntilMs = endedMs + restMs;
    this.#observe(events, responses, (endedMs - beganMs) / 1000);
  }

  /** Somebody is behind. */
  readonly wake = (): void => {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#clock.endOfTurn(this.#step);
  };

  /** How long a stream waits between two rounds of progress notifications. */
  nextProgressMs(): number {
    const jitterMs = Math.floor(this.#progressMs * PROGRESS_JITTER);
    return this.#progressMs + (jitterMs > 0 ? this.#random.below(jitterMs + 1) : 0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#restTimer?.cancel();
  }

  readonly #step = (): void => {
    this.#isScheduled = false;
    const store = this.#store;
    if (this.#isStopped || !store.hasWork) return;
    const eventsBefore = store.eventsSent;
    const responsesBefore = store.responsesSent;
    const beganMs = this.#clock.monotonicMs();
    store.step();
    const tookMs = this.#clock.monotonicMs() - beganMs;
    const events = store.eventsSent - eventsBefore;
    if (events > 0) this.#observe(events, store.responsesSent - responsesBefore, tookMs / 1000);
    if (store.hasWork) this.#schedule(tookMs);
  };

  #schedule(tookMs: number): void {
    const applied = this.#appliedIndex();
    const isBusy = applied !== this.#appliedBefore;
    this.#appliedBefore = applied;
    this.#isScheduled = true;
    if (!isBusy) {
      this.#clock.endOfTurn(this.#step);
      return;
    }
    this.#review();
    this.#timer = this.#clock.after(tookMs * this.#pauseFactor, this.#step);
  }

  /** Pauses are halved while the lag grows, and grow back when it shrinks. */
  #review(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#reviewedAtMs < REVIEW_MS) return;
    this.#reviewedAtMs = nowMs;
    const lag = this.#store.lag().revisionsMax;
    const factor = lag > this.#lagAtReview ? this.#pauseFactor / 2 : this.#pauseFactor * 2;
    this.#pauseFactor = Math.min(PAUSE_FACTOR_MAX, Math.max(PAUSE_FACTOR_MIN, factor));
    this.#lagAtReview = lag;
  }

  /** One clock reading for all responses of a batch: each gets its share. */
  #observe(events: number, responses: number, seconds: number): void {
    observeEach(this.metrics.streamSeconds, seconds / responses, responses);
    observeEach(this.metrics.perEventSeconds, seconds / events, responses);
  }
}

function newHistogram(): Histogram {
  return new Histogram(exponentialBounds(0.001, 2, 14));
}

/** As `observe`, so many times the same. */
function observeEach(histogram: Histogram, value: number, times: number): void {
  const { bounds, counts } = histogram;
  let at = 0;
  while (at < bounds.length && value > bounds[at]!) at++;
  counts[at]! += times;
  histogram.sum += value * times;
  histogram.count += times;
}
