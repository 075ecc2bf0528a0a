// Virtual time. `Schedule` is the heap of everything that will happen in a simulation, ordered by
// (time, insertion); one `SimClock` is what one run of one member sees of it.

import type { Clock, Timer } from "../../src/io/io.ts";

interface SimEvent {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

export class Schedule {
  readonly #heap: SimEvent[] = [];
  #inserted = 0;
  #nowMs = 0;
  /** Folds in the time and the number of every event that ran: equal seeds, equal hashes. */
  hash = 0;
  eventCount = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): void {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    this.#push({ atMs, order: this.#inserted++, task });
  }

  /** Runs the next event; false when nothing will ever happen again. */
  step(): boolean {
    const event = this.#pop();
    if (event === undefined) return false;
    this.#nowMs = event.atMs;
    this.eventCount++;
    this.#fold(event.order);
    this.#fold(event.atMs * 1000);
    event.task();
    return true;
  }

  /** The time of the next event, or Infinity. */
  nextMs(): number {
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** Lets time pass to `timeMs` at least, where nothing happens on the way. */
  advanceTo(timeMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  #fold(value: number): void {
    this.hash = Math.imul(this.hash ^ (value | 0), 0x01000193) >>> 0;
    this.hash = ((this.hash << 5) | (this.hash >>> 27)) >>> 0;
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(left: SimEvent, right: SimEvent): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

/** The wall clock at virtual time zero: 2026-01-01T00:00:00Z. */
const WALL_START_MS = 1_767_225_600_000;

export class SimClock implements Clock {
  readonly #schedule: Schedule;
  /** How far the wall clock of this machine is off. */
  skewMs = 0;
  #pausedUntilMs = 0;
  #alive = true;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  monotonicMs(): number {
    return this.#schedule.nowMs;
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.#schedule.nowMs + this.skewMs);
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = new SimTimer(task);
    this.#schedule.after(delayMs, () => this.#run(timer));
    return timer;
  }

  /** Later at the same instant: whatever is due now and already in the heap comes first. */
  endOfTurn(task: () => void): void {
    const timer = new SimTimer(task);
    this.#schedule.after(0, () => this.#run(timer));
  }

  /** The process sees no time pass (SIGSTOP, a long collection): what is due is done afterwards. */
  pause(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#schedule.nowMs + durationMs);
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#schedule.nowMs;
  }

  /** Runs `task` now, or when the process is awake again; never when it has died. */
  whenAwake(task: () => void): void {
    if (!this.#alive) return;
    if (this.#pausedUntilMs <= this.#schedule.nowMs) task();
    else this.endOfTurn(task);
  }

  /** Nothing that was planned through this clock will happen any more: the process has died. */
  kill(): void {
    this.#alive = false;
  }

  #run(timer: SimTimer): void {
    if (!this.#alive) return;
    const waitMs = this.#pausedUntilMs - this.#schedule.nowMs;
    if (waitMs > 0) this.#schedule.after(waitMs, () => this.#run(timer));
    else timer.fire();
  }
}

class SimTimer implements Timer {
  #task: (() => void) | undefined;

  constructor(task: () => void) {
    this.#task = task;
  }

  cancel(): void {
    this.#task = undefined;
  }

  fire(): void {
    const task = this.#task;
    this.#task = undefined;
    task?.();
  }
}
