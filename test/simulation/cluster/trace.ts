// What happened, in one line each, for whoever has to understand a failure.

import type { Schedule } from "../sim-clock.ts";

/** Lines kept when not everything is wanted. */
const LINES_KEPT = 80;

export class Trace {
  readonly lines: string[] = [];
  readonly isFull: boolean;
  readonly #schedule: Schedule;

  constructor(schedule: Schedule, isFull: boolean) {
    this.#schedule = schedule;
    this.isFull = isFull;
  }

  add(text: string): void {
    const { nowMs, eventCount } = this.#schedule;
    this.lines.push(`${eventCount} ${(nowMs / 1000).toFixed(4)} ${text}`);
    if (!this.isFull && this.lines.length > 4 * LINES_KEPT) this.lines.splice(0, 3 * LINES_KEPT);
  }

  last(): string[] {
    return this.isFull ? this.lines : this.lines.slice(-LINES_KEPT);
  }
}
