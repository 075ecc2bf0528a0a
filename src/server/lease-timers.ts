// The leases that a leader counts, by id and by when to look at them. A renewal, of which there are
// thousands a second, moves only the expiry; the heap is put right when the old time has come.

import { Heap } from "../base/heap.ts";
import type { Lease } from "../state/lease/leases.ts";
import type { Renewal } from "./lease-clock.ts";

export class LeaseTimer {
  readonly lease: Lease;
  expiryMs: number;
  /** When the heap will show it; not later than `expiryMs`, unless its revoke has failed. */
  dueMs: number;
  /** When the next checkpoint of it is due; 0: never. */
  checkpointMs = 0;
  isGone = false;
  /** Renewals that came too late, until the revoke is applied. */
  readonly waiting: Renewal[] = [];

  constructor(lease: Lease, expiryMs: number) {
    this.lease = lease;
    this.expiryMs = expiryMs;
    this.dueMs = expiryMs;
  }
}

/** Timers that are gone may stay in the heap until they are so many, and half of it. */
const GONE_MAX = 1000;

export class LeaseTimers {
  readonly #byId = new Map<bigint, LeaseTimer>();
  readonly #heap = new Heap<LeaseTimer>((a, b) => a.dueMs < b.dueMs);
  #goneCount = 0;

  /** When the next lease has to be looked at. */
  get nextMs(): number {
    return this.#heap.peek()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  find(id: bigint): LeaseTimer | undefined {
    return this.#byId.get(id);
  }

  all(): LeaseTimer[] {
    return [...this.#byId.values()];
  }

  add(timer: LeaseTimer): void {
    this.#byId.set(timer.lease.id, timer);
    this.#heap.push(timer);
  }

  remove(id: bigint): LeaseTimer | undefined {
    const timer = this.#byId.get(id);
    if (timer === undefined) return undefined;
    timer.isGone = true;
    this.#byId.delete(id);
    if (++this.#goneCount > GONE_MAX && this.#goneCount > this.#heap.size / 2) {
      this.#heap.retain((other) => !other.isGone);
      this.#goneCount = 0;
    }
    return timer;
  }

  /** Takes up to `limit` expired leases out of the heap; those renewed since go back. */
  takeExpired(nowMs: number, limit: number): LeaseTimer[] {
    const expired: LeaseTimer[] = [];
    while (expired.length < limit && this.nextMs <= nowMs) {
      const timer = this.#heap.pop()!;
      if (timer.isGone) {
        this.#goneCount--;
      } else if (timer.expiryMs > nowMs) {
        timer.dueMs = timer.expiryMs;
        this.#heap.push(timer);
      } else {
        expired.push(timer);
      }
    }
    return expired;
  }

  /** Puts a timer that was taken back into the heap. */
  lookAgain(timer: LeaseTimer, dueMs: number): void {
    timer.dueMs = dueMs;
    this.#heap.push(timer);
  }

  clear(): void {
    for (const timer of this.#byId.values()) timer.isGone = true;
    this.#byId.clear();
    this.#heap.retain(() => false);
    this.#goneCount = 0;
  }
}
