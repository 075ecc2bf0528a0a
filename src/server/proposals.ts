// The way into the log and the one way back. `propose` wraps a client's request bytes into an
// InternalRaftRequest, gives it an id and hands it to raft; when the entry is applied, `settle`
// finds who asked. Whoever waits is one object in the waiting room, found by the id.
//
//   api ──propose──► slab: bytes of the entry ──► raft        raft ──► state.apply ──settle──► api

import type { Clock } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import type { Outcome } from "../state/outcome.ts";
import { Errors } from "../wire/errors.ts";
import { sizeOfProposal, writeProposal } from "../wire/internal-raft-request.ts";
import { Code, RpcError } from "../wire/status.ts";
import { EntrySlab } from "./entry-slab.ts";
import { requestTimeoutMs } from "./options.ts";
import { RequestIds } from "./request-id.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import type { Timeouts } from "./timeouts.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** Who waits for an entry to be applied. One of the two is called, once. */
export interface Waiter {
  /** Set by `propose`. */
  proposedAtMs: number;
  settle(outcome: Outcome): void;
  fail(error: RpcError): void;
}

/** New entries are refused while more committed ones wait to be applied (etcd: maxGap…). */
const APPLY_BACKLOG_MAX = 5000;
/** Requests held while no leader is known; beyond it they are refused at once. */
const LEADERLESS_QUEUE_MAX = 5000;

/** The leader takes nothing while it hands its office over. */
export const proposalDropped: RpcError = new RpcError(Code.Unknown, "raft proposal dropped");

/** There was no leader all the time: the request was never begun, and etcd tells that so. */
const neverProposed: RpcError = new RpcError(Code.DeadlineExceeded, "context deadline exceeded");

export class Proposals {
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #metrics: ServerMetrics;
  readonly #appliedIndex: () => number;
  readonly #wake: () => void;
  readonly #maxRequestBytes: number;
  readonly #timeoutMs: number;
  readonly #timeouts: Timeouts;
  readonly #ids: RequestIds;
  readonly #slab = new EntrySlab();
  readonly #waiting = new WaitingRoom<Waiter>();
  #leaderless: { readonly low: number; readonly data: Uint8Array }[] = [];
  #stopped = false;

  constructor(parts: {
    clock: Clock;
    raft: Raft;
    memberId: bigint;
    metrics: ServerMetrics;
    options: { readonly maxRequestBytes: number; readonly electionMs: number };
    timeouts: Timeouts;
    appliedIndex: () => number;
    wake: () => void;
  }) {
    this.#clock = parts.clock;
    this.#raft = parts.raft;
    this.#metrics = parts.metrics;
    this.#appliedIndex = parts.appliedIndex;
    this.#wake = parts.wake;
    this.#maxRequestBytes = parts.options.maxRequestBytes;
    this.#timeoutMs = requestTimeoutMs(parts.options);
    this.#timeouts = parts.timeouts;
    this.#ids = new RequestIds(parts.memberId, parts.clock.wallMs());
  }

  get pendingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Proposes `bytes[start, end)`, the encoded request, as field `field` of InternalRaftRequest.
   * The bytes are copied. The answer comes through `waiter`, possibly before this returns.
   */
  propose(field: number, bytes: Uint8Array, start: number, end: number, waiter: Waiter): void {
    const low = this.#ids.nextLow();
    const sizeBytes = sizeOfProposal(this.#ids.high, low, field, end - start);
    const refusal = this.#refuse(sizeBytes);
    if (refusal !== null) {
      waiter.fail(refusal);
      return;
    }
    const data = this.#slab.allocate(sizeBytes);
    writeProposal(data, 0, this.#ids.high, low, field, bytes, start, end);
    waiter.proposedAtMs = this.#clock.monotonicMs();
    this.#waiting.add(low, waiter);
    this.#hand(data, low);
  }

  #refuse(sizeBytes: number): RpcError | null {
    if (this.#stopped) return Errors.Stopped;
    if (this.#raft.commit - this.#appliedIndex() > APPLY_BACKLOG_MAX) {
      this.#metrics.proposalsFailed.add();
      return Errors.RequestTooManyRequests;
    }
    return sizeBytes > this.#maxRequestBytes ? Errors.RequestTooLarge : null;
  }

  #hand(data: Uint8Array, low: number): void {
    const result = this.#raft.propose(data);
    if (result === "ok") {
      this.#wake();
    } else if (result === "no leader" && this.#leaderless.length < LEADERLESS_QUEUE_MAX) {
      this.#leaderless.push({ low, data });
    } else {
      this.#fail(low, result === "dropped" ? proposalDropped : Errors.NoLeader);
    }
  }

  /** A leader is known (again): what was held back can go, if somebody still waits for it. */
  leaderKnown(): void {
    if (this.#leaderless.length === 0) return;
    const held = this.#leaderless;
    this.#leaderless = [];
    for (const { low, data } of held)
      if (this.#waiting.get(low) !== undefined) this.#hand(data, low);
  }

  /** Gives the result to the one who asked; entries of other members have nobody here. */
  settle(outcome: Outcome, nowMs: number): void {
    if (outcome.idHigh !== this.#ids.high) return;
    const waiter = this.#waiting.take(outcome.idLow48);
    if (waiter === undefined) return;
    const seconds = (nowMs - waiter.proposedAtMs) / 1000;
    this.#metrics.requestSeconds.observe(outcome.field, outcome.error === null, seconds);
    waiter.settle(outcome);
  }

  /** True when somebody here waits for the entry: otherwise reads in it need not be done. */
  isAwaited(idHigh: number, idLow48: number): boolean {
    return idHigh === this.#ids.high && this.#waiting.get(idLow48) !== undefined;
  }

  /** Called on every tick: fails those who waited longer than the request timeout. */
  expire(): void {
    // A leader that was lost and found between two turns is no news.
    if (this.#leaderless.length > 0 && this.#raft.lead !== 0n) this.leaderKnown();
    const before = this.#clock.monotonicMs() - this.#timeoutMs;
    for (let low = this.#waiting.oldest(); low !== undefined; low = this.#waiting.oldest()) {
      const waiter = this.#waiting.get(low)!;
      if (waiter.proposedAtMs > before) return;
      // All since the leader was lost.
      const isHeld = low >= (this.#leaderless[0]?.low ?? Number.POSITIVE_INFINITY);
      this.#fail(low, isHeld ? neverProposed : this.timeoutReason(waiter.proposedAtMs));
      if (isHeld) this.#leaderless.shift();
    }
  }

  /** Why a request that began then was not answered in time. */
  timeoutReason(sinceMs: number): RpcError {
    return this.#timeouts.reason(sinceMs);
  }

  stop(): void {
    this.#stopped = true;
    for (const low of this.#waiting.ids()) this.#fail(low, Errors.Stopped);
  }

  #fail(low: number, error: RpcError): void {
    const waiter = this.#waiting.take(low);
    if (waiter === undefined) return;
    this.#metrics.proposalsFailed.add();
    waiter.fail(error);
  }
}
