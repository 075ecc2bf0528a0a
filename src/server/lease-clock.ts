// When leases end. Only the leader counts, by its monotonic clock, and what has expired is revoked
// through the log, so that all members delete the same keys under the same revision. A member that
// becomes leader starts anew: every lease has its whole time (or what the last checkpoint says) and
// an election more, because nobody knows when the old leader heard of it last.
//
//   granted, renewed ──► expiryMs        heap: when to look at a lease; a renewal does not move it
//   timer: due and expired? ──► leadership confirmed ──► LeaseRevoke ──► applied: forgotten
//          due but renewed: back into the heap               └─ failed: again after a while
//
// Many that expire together are spread: at a promotion by later expiries, and always by the pace of
// the revokes, which leave room for everybody else's requests.

import type { Logger } from "../base/log.ts";
import { Counter, exponentialBounds, Histogram } from "../base/metrics.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Lease, LeaseListener, Leases } from "../state/lease/leases.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeLeaseRevokeRequest } from "../wire/messages/rpc-lease.ts";
import type { RpcError } from "../wire/status.ts";
import { LeaseCheckpoints } from "./lease-checkpoints.ts";
import { LeaseTimer, LeaseTimers } from "./lease-timers.ts";
import type { Waiter } from "./proposals.ts";
import type { ReadWaiter } from "./reads.ts";

/** Revokes per second, as in etcd. */
const REVOKES_PER_SECOND = 1000;
/** … and under way at the same time. */
const REVOKES_OUTSTANDING_MAX = 16;
/** How often expired leases are looked for, at most: so many revokes share a write of the log. */
const PACE_MS = 20;
const REVOKES_PER_PACE: number = (REVOKES_PER_SECOND * PACE_MS) / 1000;
/** After a promotion no more leases expire in a second. */
const EXPIRIES_PER_SECOND = 750;

export class LeaseMetrics {
  readonly granted: Counter = new Counter();
  readonly revoked: Counter = new Counter();
  readonly renewed: Counter = new Counter();
  readonly expired: Counter = new Counter();
  readonly ttlSeconds: Histogram = new Histogram(exponentialBounds(1, 2, 24));
}

/** Who asked for a renewal; told once, mostly before `renew` returns. */
export interface Renewal {
  /** The whole time to live in seconds, or 0: there is no such lease (any more). */
  renewed(ttlSeconds: number): void;
  /** This member does not lead (any more): ask the one who does. */
  notPrimary(): void;
}

export interface LeaseClockParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly leases: Leases;
  readonly electionMs: number;
  readonly retryMs: number;
  /** Tell other members from time to time how much is left. */
  readonly checkpoints: boolean;
  readonly confirmRead: (waiter: ReadWaiter) => boolean;
  readonly propose: (
    field: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: Waiter,
  ) => void;
}

export class LeaseClock implements LeaseListener {
  readonly metrics: LeaseMetrics = new LeaseMetrics();
  readonly #parts: LeaseClockParts;
  readonly #clock: Clock;
  readonly #leases: Leases;
  readonly #timers = new LeaseTimers();
  readonly #checkpoints: LeaseCheckpoints | undefined;
  #isPrimary = false;
  #outstanding = 0;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #lastPaceMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(parts: LeaseClockParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#leases = parts.leases;
    if (parts.checkpoints) this.#checkpoints = new LeaseCheckpoints(parts, this.#timers);
    parts.leases.listener = this;
  }

  get isPrimary(): boolean {
    return this.#isPrimary;
  }

  /** This member leads, and all entries before its term are applied. */
  promote(): void {
    this.demote();
    this.#isPrimary = true;
    const firstMs = this.#clock.monotonicMs() + this.#parts.electionMs;
    const timers = Array.from(this.#leases.all(), (lease) => {
      return new LeaseTimer(lease, firstMs + remainingSecondsOf(lease) * 1000);
    });
    spread(timers);
    for (const timer of timers) this.#add(timer);
    this.#arm();
  }

  /** Another member leads, or none. */
  demote(): void {
    if (!this.#isPrimary) return;
    this.#isPrimary = false;
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const waiting = this.#timers.all().flatMap((timer) => timer.waiting.splice(0));
    this.#timers.clear();
    this.#checkpoints?.clear();
    for (const renewal of waiting) renewal.notPrimary();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Gives the lease its whole time again. That this member leads was confirmed by a quorum. */
  renew(id: bigint, renewal: Renewal): void {
    if (!this.#isPrimary) {
      renewal.notPrimary();
      return;
    }
    const timer = this.#timers.find(id);
    if (timer === undefined) {
      renewal.renewed(0);
    } else if (timer.expiryMs <= this.#clock.monotonicMs()) {
      // Its revoke may be under way: nobody may believe that the lease lives.
      timer.waiting.push(renewal);
    } else if (this.#checkpoints !== undefined && timer.lease.remainingTtl > 0) {
      this.#checkpoints.reset(timer, () => this.#renewNow(timer, renewal));
    } else {
      this.#renewNow(timer, renewal);
    }
  }

  /** Seconds until the lease expires; 0 at least. */
  remainingSeconds(lease: Lease): number {
    const timer = this.#timers.find(lease.id);
    if (timer === undefined) return remainingSecondsOf(lease);
    return Math.max(0, (timer.expiryMs - this.#clock.monotonicMs()) / 1000);
  }

  /** All leases, those that expire first before the others. */
  byExpiry(): Lease[] {
    if (!this.#isPrimary) return [...this.#leases.all()];
    const timers = this.#timers.all();
    return timers.sort((a, b) => a.expiryMs - b.expiryMs).map((timer) => timer.lease);
  }

  // --- what happens to leases, on every member

  granted(lease: Lease): void {
    this.metrics.granted.add();
    this.metrics.ttlSeconds.observe(lease.ttl);
    if (!this.#isPrimary) return;
    this.#add(new LeaseTimer(lease, this.#clock.monotonicMs() + lease.ttl * 1000));
    this.#arm();
  }

  revoked(lease: Lease): void {
    this.metrics.revoked.add();
    const timer = this.#timers.remove(lease.id);
    for (const renewal of timer?.waiting.splice(0) ?? []) renewal.renewed(0);
  }

  checkpointed(lease: Lease): void {
    const timer = this.#timers.find(lease.id);
    if (timer !== undefined) this.#checkpoints?.schedule(timer, this.#clock.monotonicMs());
    this.#arm();
  }

  // ---

  #add(timer: LeaseTimer): void {
    this.#timers.add(timer);
    this.#checkpoints?.schedule(timer, this.#clock.monotonicMs());
  }

  #renewNow(timer: LeaseTimer, renewal: Renewal): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#isPrimary) {
      renewal.notPrimary();
    } else if (this.#timers.find(timer.lease.id) !== timer) {
      renewal.renewed(0);
    } else {
      timer.expiryMs = nowMs + timer.lease.ttl * 1000;
      this.#checkpoints?.schedule(timer, nowMs);
      this.metrics.renewed.add();
      renewal.renewed(timer.lease.ttl);
    }
  }

  #arm(): void {
    if (!this.#isPrimary || this.#isStopped) return;
    const dueMs = Math.min(this.#timers.nextMs, this.#checkpoints?.nextMs ?? Infinity);
    const atMs = Math.max(dueMs, this.#lastPaceMs + PACE_MS);
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.min(Math.max(0, atMs - this.#clock.monotonicMs()), TIMER_MS_MAX);
    this.#timer = this.#clock.after(delayMs, this.#run);
  }

  readonly #run = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    this.#lastPaceMs = nowMs;
    this.#checkpoints?.run(nowMs);
    const room = Math.min(REVOKES_PER_PACE, REVOKES_OUTSTANDING_MAX - this.#outstanding);
    const expired = this.#timers.takeExpired(nowMs, room);
    if (expired.length > 0) this.#confirm(expired);
    // When nothing more may be under way, the next answer arms the timer.
    if (this.#outstanding < REVOKES_OUTSTANDING_MAX) this.#arm();
  };

  /** An old leader must not end what a new one has renewed. */
  #confirm(expired: LeaseTimer[]): void {
    this.#outstanding += expired.length;
    const waiter: ReadWaiter = {
      ready: () => {
        for (const timer of expired) this.#revoke(timer);
      },
      fail: () => {
        for (const timer of expired) this.#ended(timer);
      },
    };
    if (this.#parts.confirmRead(waiter)) waiter.ready();
  }

  #revoke(timer: LeaseTimer): void {
    const { log, propose } = this.#parts;
    const { id } = timer.lease;
    if (!this.#isPrimary || this.#timers.find(id) !== timer) {
      this.#ended(timer);
      return;
    }
    const body = encodeLeaseRevokeRequest({ id });
    propose(RequestField.LeaseRevoke, body, 0, body.length, {
      proposedAtMs: 0,
      settle: ({ error }) => {
        if (error === null) this.metrics.expired.add();
        this.#ended(timer);
      },
      fail: (error: RpcError) => {
        const fields = { "lease-id": leaseText(id), error: error.message };
        log.warn("failed to revoke lease", fields);
        this.#ended(timer);
      },
    });
  }

  /** If the lease is still there, its revoke has failed. */
  #ended(timer: LeaseTimer): void {
    this.#outstanding--;
    if (this.#timers.find(timer.lease.id) === timer) {
      this.#timers.lookAgain(timer, this.#clock.monotonicMs() + this.#parts.retryMs);
    }
    this.#arm();
  }
}

/** Longer delays would overflow the timers of the platform; it is looked again then. */
const TIMER_MS_MAX = 24 * 3600 * 1000;

function remainingSecondsOf(lease: Lease): number {
  return lease.remainingTtl > 0 ? lease.remainingTtl : lease.ttl;
}

/** Moves expiries so that no second has more than a cluster can revoke besides its work. */
function spread(timers: LeaseTimer[]): void {
  timers.sort((a, b) => a.expiryMs - b.expiryMs);
  for (let i = EXPIRIES_PER_SECOND; i < timers.length; i++) {
    const earliestMs = timers[i - EXPIRIES_PER_SECOND]!.expiryMs + 1000;
    const timer = timers[i]!;
    timer.expiryMs = Math.max(timer.expiryMs, earliestMs);
    timer.dueMs = timer.expiryMs;
  }
}

/** As etcd logs it. */
function leaseText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, "0");
}
