// A lease that is renewed for as long as its owner lives: what the owner writes with it vanishes
// when the owner does. Locks and elections stand on it.
//
//   grant ─► sleep TTL/3 ─► renew ─► sleep TTL/3 ─► renew …
//                             └─ no answer for TTL/6, or an error: the next member
//
// The owner must never believe longer than the cluster. So the time that is left is counted from
// before a renewal was sent, not from when its answer came.

import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import type { Caller } from "./caller.ts";
import { isError } from "./errors.ts";
import { Lease } from "./lease.ts";

/** When nothing else is said, as in etcd's clients. */
export const SESSION_TTL_SECONDS = 60;

/** What fails because the lease of its session has ended. */
export const SESSION_EXPIRED: RpcError = new RpcError(Code.Unknown, "mutex: session is expired");

/** After a renewal that failed: until the next. */
const RETRY_MS = 500;

/** As etcd's clients do. */
const RENEWALS_PER_TTL = 3;

/** So that of the time that is left after a silent member there is some for two others. */
const ANSWERS_PER_TTL = 6;

/** The part of a `Client` that sessions and what stands on them need. */
export interface HasCaller {
  readonly caller: Caller;
}

export interface SessionOptions {
  /** How long the lease outlives its owner. Default: 60. The server may give more. */
  readonly ttlSeconds?: number | undefined;
  /** A lease that is there already, such as the one of the process before a restart. */
  readonly lease?: bigint | undefined;
}

/**
 * A lease and its renewal. `close` it when what was written with it shall vanish now, or `orphan`
 * it; a process that merely ends leaves it to its TTL.
 */
export class Session {
  /** The id of the lease: put keys with it. */
  readonly lease: bigint;
  readonly ttlSeconds: number;
  /** Where the calls go. */
  readonly caller: Caller;
  /** Resolves when the lease has ended, or may have ended, without `close` or `orphan`. */
  readonly lost: Promise<void>;
  readonly #service: Lease;
  readonly #ended = new AbortController();
  #wake: () => void = () => {};

  private constructor(caller: Caller, lease: bigint, ttlSeconds: number, sinceMs: number) {
    this.lease = lease;
    this.caller = caller;
    this.ttlSeconds = ttlSeconds;
    this.#service = new Lease(caller);
    this.lost = this.#renew(sinceMs + ttlSeconds * 1000);
  }

  /** Grants a lease, or takes over `options.lease`. @throws RpcError */
  static async open(client: HasCaller, options: SessionOptions = {}): Promise<Session> {
    const { caller } = client;
    const sinceMs = caller.clock.monotonicMs();
    const service = new Lease(caller);
    if (options.lease !== undefined) {
      const { id, ttl } = await service.leaseKeepAliveOnce(options.lease);
      return new Session(caller, id, ttl, sinceMs);
    }
    const wanted = options.ttlSeconds ?? SESSION_TTL_SECONDS;
    const { id, ttl } = await service.leaseGrant({ ttl: wanted });
    return new Session(caller, id, ttl, sinceMs);
  }

  /** The id as keys contain it. */
  get name(): string {
    return this.lease.toString(16);
  }

  /** Aborted when the session is over, whatever ended it: give it to calls that need the lease. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Stops renewing: the lease ends by its TTL, or another process takes it over. */
  orphan(): void {
    this.#ended.abort();
    this.#wake();
  }

  /** Ends the lease now, and deletes its keys. @throws RpcError */
  async close(): Promise<void> {
    this.orphan();
    try {
      // When this takes longer the lease has ended by itself.
      await this.#service.leaseRevoke({ id: this.lease }, { timeoutMs: this.ttlSeconds * 1000 });
    } catch (error) {
      if (!isError(error, Errors.LeaseNotFound)) throw error;
    }
  }

  async #renew(untilMs: number): Promise<void> {
    const { clock } = this.caller;
    let endMs = untilMs;
    let isKnown = true;
    await this.#sleep((this.ttlSeconds * 1000) / RENEWALS_PER_TTL);
    while (isKnown && !this.signal.aborted && clock.monotonicMs() < endMs) {
      const sentMs = clock.monotonicMs();
      const timeoutMs = Math.min(endMs - sentMs, (this.ttlSeconds * 1000) / ANSWERS_PER_TTL);
      try {
        const options = { timeoutMs, signal: this.signal };
        const { ttl } = await this.#service.leaseKeepAliveOnce(this.lease, options);
        endMs = sentMs + ttl * 1000;
        await this.#sleep((ttl * 1000) / RENEWALS_PER_TTL);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        isKnown = !isError(error, Errors.LeaseNotFound);
        if (isKnown) await this.#sleep(Math.min(RETRY_MS, endMs - clock.monotonicMs()));
      }
    }
    // Who ends it knows; the promise is for those who do not.
    if (this.signal.aborted) await new Promise(() => {});
    this.#ended.abort();
  }

  async #sleep(ms: number): Promise<void> {
    if (this.signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.caller.clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
