// Linearizable reads (ReadIndex, raft dissertation §6.4). A read may look at the store once
// everything that was committed when it arrived has been applied, and the leader of that moment
// is confirmed. All reads that arrive before a round starts share it:
//
//   confirm() ──► next ──(round starts)──► raft.readIndex(id) ──► read index known
//                                                └──► waiting for appliedIndex ≥ it ──► ready
//
// In a cluster of one the leader confirms itself, and as entries are applied in the very turn in
// which they commit, nearly every read is ready at once, without an object.

import type { Clock } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import type { ReadState } from "../raft/ready.ts";
import { Errors } from "../wire/errors.ts";
import type { RpcError } from "../wire/status.ts";
import { requestTimeoutMs } from "./options.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface ReadWaiter {
  ready(): void;
  fail(error: RpcError): void;
}

interface Round {
  readonly startedAtMs: number;
  readonly waiters: ReadWaiter[];
  /** Ids sent for this round: raft may lose a request silently, so it is asked again. */
  readonly contexts: Set<bigint>;
  lastAskedMs: number;
}

/** How long until raft is asked again (etcd: readIndexRetryTime). */
const RETRY_MS = 500;

export class Reads {
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #metrics: ServerMetrics;
  readonly #appliedIndex: () => number;
  readonly #wake: () => void;
  readonly #timeoutMs: number;
  #nextContext: bigint;
  #next: ReadWaiter[] = [];
  #round: Round | undefined;
  /** Confirmed, waiting for apply; indexes never fall, so the front is due first. */
  #unapplied: { index: number; waiters: ReadWaiter[] }[] = [];

  constructor(parts: {
    clock: Clock;
    raft: Raft;
    metrics: ServerMetrics;
    options: { readonly electionMs: number };
    appliedIndex: () => number;
    wake: () => void;
    firstContext: bigint;
  }) {
    this.#clock = parts.clock;
    this.#raft = parts.raft;
    this.#metrics = parts.metrics;
    this.#appliedIndex = parts.appliedIndex;
    this.#wake = parts.wake;
    this.#timeoutMs = requestTimeoutMs(parts.options);
    this.#nextContext = parts.firstContext;
  }

  /** A linearizable read may look at the store this very moment. */
  get isReady(): boolean {
    return this.#confirmsItself && this.#appliedIndex() >= this.#raft.commit;
  }

  /**
   * The commit index is not synced, so after a restart it may be behind what was acknowledged,
   * until an entry of the present term is committed.
   */
  get #confirmsItself(): boolean {
    const raft = this.#raft;
    return raft.isOnlyVoterAndLeader && raft.termAt(raft.commit) === raft.term;
  }

  /** True: read now. False: `waiter` is told later. */
  confirm(waiter: ReadWaiter): boolean {
    if (this.isReady) return true;
    this.wait(waiter);
    return false;
  }

  /** `waiter` is told when it may read, or why it may not. */
  wait(waiter: ReadWaiter): void {
    if (this.#confirmsItself) {
      this.#awaitApplied(this.#raft.commit, [waiter]);
      return;
    }
    this.#next.push(waiter);
    if (this.#round === undefined) this.#wake();
  }

  /** A turn begins: all reads that came in since the last one share a round. */
  begin(): void {
    if (this.#round === undefined) this.#startRound();
  }

  #startRound(): void {
    if (this.#next.length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    this.#round = {
      startedAtMs: nowMs,
      waiters: this.#next,
      contexts: new Set(),
      lastAskedMs: nowMs,
    };
    this.#next = [];
    this.#ask(this.#round);
  }

  #ask(round: Round): void {
    const id = this.#nextContext++;
    const context = new Uint8Array(8);
    new DataView(context.buffer).setBigUint64(0, id);
    round.contexts.add(id);
    round.lastAskedMs = this.#clock.monotonicMs();
    this.#raft.readIndex(context);
    this.#wake();
  }

  /** What raft's Ready says about reads asked for. */
  confirmed(states: readonly ReadState[]): void {
    for (const state of states) {
      const round = this.#round;
      if (round === undefined || state.context.length !== 8) continue;
      const bytes = state.context;
      const id = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
      if (!round.contexts.has(id)) continue;
      this.#round = undefined;
      this.#awaitApplied(state.index, round.waiters);
      this.#startRound();
    }
  }

  #awaitApplied(index: number, waiters: ReadWaiter[]): void {
    if (this.#appliedIndex() >= index) {
      for (const waiter of waiters) waiter.ready();
    } else {
      this.#unapplied.push({ index, waiters });
    }
  }

  /** Called after entries were applied. */
  applied(): void {
    while (this.#unapplied.length > 0 && this.#unapplied[0]!.index <= this.#appliedIndex()) {
      for (const waiter of this.#unapplied.shift()!.waiters) waiter.ready();
    }
  }

  leaderChanged(): void {
    const round = this.#round;
    if (round === undefined) return;
    this.#round = undefined;
    this.#metrics.readIndexesFailed.add();
    for (const waiter of round.waiters) waiter.fail(Errors.LeaderChanged);
    this.#startRound();
  }

  firstCommitInTerm(): void {
    if (this.#round !== undefined) this.#ask(this.#round);
  }

  /** Called on every tick: asks again, gives up. */
  expire(): void {
    const round = this.#round;
    if (round === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - round.startedAtMs > this.#timeoutMs) {
      this.#round = undefined;
      this.#metrics.slowReadIndexes.add();
      for (const waiter of round.waiters) waiter.fail(Errors.Timeout);
      this.#startRound();
    } else if (nowMs - round.lastAskedMs >= RETRY_MS) {
      this.#ask(round);
    }
  }

  stop(): void {
    const all = [
      ...this.#next,
      ...(this.#round?.waiters ?? []),
      ...this.#unapplied.flatMap((group) => group.waiters),
    ];
    this.#next = [];
    this.#round = undefined;
    this.#unapplied = [];
    for (const waiter of all) waiter.fail(Errors.Stopped);
  }
}
