// Time for tests over real sockets: it stands still until the test moves it. The end of a turn is
// the real one.

import type { Clock, Timer } from "../../src/io/io.ts";

export class SteppedClock implements Clock {
  #nowMs = 0;
  #tasks: { atMs: number; task: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const entry = { atMs: this.#nowMs + delayMs, task };
    this.#tasks.push(entry);
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((other) => other !== entry);
      },
    };
  }

  endOfTurn(task: () => void): void {
    setImmediate(task);
  }

  /** Runs what is due in the next `ms`, in order of time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#tasks.filter((entry) => entry.atMs <= endMs);
      if (due.length === 0) break;
      const next = due.reduce((a, b) => (b.atMs < a.atMs ? b : a));
      this.#tasks = this.#tasks.filter((entry) => entry !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.task();
    }
    this.#nowMs = endMs;
  }
}
