import type { Clock, Timer } from "./io.ts";

/** setTimeout overflows (and fires at once) above this; longer waits are made of several. */
const TIMEOUT_MAX_MS = 0x7fff_ffff;

export class NodeClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, task: () => void): Timer {
    return new NodeTimer(delayMs, task);
  }

  endOfTurn(task: () => void): void {
    setImmediate(task);
  }
}

class NodeTimer implements Timer {
  #handle: NodeJS.Timeout;

  constructor(delayMs: number, task: () => void) {
    this.#handle = this.#start(delayMs, task);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #start(delayMs: number, task: () => void): NodeJS.Timeout {
    if (delayMs <= TIMEOUT_MAX_MS) return setTimeout(task, delayMs);
    return setTimeout(() => {
      this.#handle = this.#start(delayMs - TIMEOUT_MAX_MS, task);
    }, TIMEOUT_MAX_MS);
  }
}
