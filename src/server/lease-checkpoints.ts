// Checkpoints: from time to time the leader writes into the log how much is left of long leases, so
// that a new leader does not give them their whole time again. Behind the feature gate
// LeaseCheckpoint, as in etcd.

import { Heap } from "../base/heap.ts";
import type { Clock } from "../io/io.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeLeaseCheckpointRequest } from "../wire/messages/rpc-lease.ts";
import type { LeaseClockParts } from "./lease-clock.ts";
import type { LeaseTimer, LeaseTimers } from "./lease-timers.ts";

/** Leases with less left need none: that is how exact the remaining time is after a change. */
const INTERVAL_SECONDS = 300;
const PER_ENTRY_MAX = 1000;
/** How often the heap is looked at: so many checkpoints share an entry. */
const PACE_MS = 500;

interface Due {
  readonly atMs: number;
  readonly timer: LeaseTimer;
}

export class LeaseCheckpoints {
  readonly #clock: Clock;
  readonly #propose: LeaseClockParts["propose"];
  readonly #timers: LeaseTimers;
  /** One per lease that has something to tell; what a renewal has outdated is skipped. */
  readonly #heap = new Heap<Due>((a, b) => a.atMs < b.atMs);
  #lastRunMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LeaseClockParts, timers: LeaseTimers) {
    this.#clock = parts.clock;
    this.#propose = parts.propose;
    this.#timers = timers;
  }

  get nextMs(): number {
    const due = this.#heap.peek();
    if (due === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(due.atMs, this.#lastRunMs + PACE_MS);
  }

  /** The clock of the lease was set; the next checkpoint is due an interval later. */
  schedule(timer: LeaseTimer, nowMs: number): void {
    const { lease } = timer;
    const left = lease.remainingTtl > 0 ? lease.remainingTtl : lease.ttl;
    const isScheduled = timer.checkpointMs > 0;
    timer.checkpointMs = left > INTERVAL_SECONDS ? nowMs + INTERVAL_SECONDS * 1000 : 0;
    // An entry that is there comes first, and goes on to the new time.
    if (timer.checkpointMs > 0 && !isScheduled) {
      this.#heap.push({ atMs: timer.checkpointMs, timer });
    }
  }

  run(nowMs: number): void {
    if (this.nextMs > nowMs) return;
    this.#lastRunMs = nowMs;
    const checkpoints: { id: bigint; remainingTTL: number }[] = [];
    while (checkpoints.length < PER_ENTRY_MAX && (this.#heap.peek()?.atMs ?? Infinity) <= nowMs) {
      const { timer } = this.#heap.pop()!;
      if (timer.isGone || timer.checkpointMs === 0) continue;
      if (timer.checkpointMs > nowMs) {
        this.#heap.push({ atMs: timer.checkpointMs, timer });
        continue;
      }
      timer.checkpointMs = 0;
      const remainingTTL = Math.ceil((timer.expiryMs - nowMs) / 1000);
      if (remainingTTL <= 0 || remainingTTL >= timer.lease.ttl) continue;
      checkpoints.push({ id: timer.lease.id, remainingTTL });
    }
    if (checkpoints.length > 0) this.#write(checkpoints, () => {});
  }

  /** A lease is renewed of which others believe that less is left: they are told first. */
  reset(timer: LeaseTimer, done: () => void): void {
    this.#write([{ id: timer.lease.id, remainingTTL: 0 }], done);
  }

  clear(): void {
    this.#heap.retain(() => false);
  }

  /** When it fails, the next leader gives these leases more time than it had to. */
  #write(checkpoints: { id: bigint; remainingTTL: number }[], done: () => void): void {
    const body = encodeLeaseCheckpointRequest({ checkpoints });
    const ended = (): void => {
      const nowMs = this.#clock.monotonicMs();
      for (const { id } of checkpoints) {
        const timer = this.#timers.find(id);
        if (timer !== undefined && timer.checkpointMs === 0) this.schedule(timer, nowMs);
      }
      done();
    };
    const waiter = { proposedAtMs: 0, settle: ended, fail: ended };
    this.#propose(RequestField.LeaseCheckpoint, body, 0, body.length, waiter);
  }
}
