// Waiting until this member has applied what was committed when it was asked (etcd:
// waitAppliedIndex): before a learner's progress is judged, before a lease is renewed for another
// member. It takes one turn; a second is the limit.

import type { Clock, Timer } from "../io/io.ts";

/** As etcd's applyTimeout. */
const APPLY_TIMEOUT_MS = 1000;

interface Waiting {
  readonly index: number;
  readonly done: (isApplied: boolean) => void;
  readonly timer: Timer;
}

export class AppliedWait {
  readonly #clock: Clock;
  readonly #commitIndex: () => number;
  readonly #appliedIndex: () => number;
  /** By rising index, because the commit index never falls. */
  #waiting: Waiting[] = [];

  constructor(clock: Clock, commitIndex: () => number, appliedIndex: () => number) {
    this.#clock = clock;
    this.#commitIndex = commitIndex;
    this.#appliedIndex = appliedIndex;
  }

  /** `done(false)` when it takes too long; mostly it is called before this returns. */
  wait(done: (isApplied: boolean) => void): void {
    const index = this.#commitIndex();
    if (this.#appliedIndex() >= index) {
      done(true);
      return;
    }
    const waiting: Waiting = {
      index,
      done,
      timer: this.#clock.after(APPLY_TIMEOUT_MS, () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        done(false);
      }),
    };
    this.#waiting.push(waiting);
  }

  /** Called after entries were applied. */
  applied(): void {
    const appliedIndex = this.#appliedIndex();
    while (this.#waiting.length > 0 && this.#waiting[0]!.index <= appliedIndex) {
      const { timer, done } = this.#waiting.shift()!;
      timer.cancel();
      done(true);
    }
  }

  stop(): void {
    for (const { timer, done } of this.#waiting.splice(0)) {
      timer.cancel();
      done(false);
    }
  }
}
