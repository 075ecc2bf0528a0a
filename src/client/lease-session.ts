// A lease that is renewed for as long as its owner lives: what the owner writes with it vanishes
// when the owner does. Locks and elections stand on it.

import { RpcError } from "../wire/status.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { Lease } from "./lease.ts";

/** When nothing else is said, as in etcd's clients. */
export const SESSION_TTL_SECONDS = 60;

/** After a lost stream: until the next try. */
const RETRY_MS = 500;

export class LeaseSession {
  readonly id: bigint;
  /** Resolves when the lease has ended without `close`. */
  readonly lost: Promise<void>;
  readonly #lease: Lease;
  readonly #caller: Caller;
  readonly #ttlSeconds: number;
  #closed = false;
  #wake: () => void = () => {};

  private constructor(caller: Caller, id: bigint, ttlSeconds: number) {
    this.id = id;
    this.#caller = caller;
    this.#lease = new Lease(caller);
    this.#ttlSeconds = ttlSeconds;
    this.lost = this.#renew();
  }

  /** @throws RpcError */
  static async open(
    caller: Caller,
    ttlSeconds: number,
    options: CallOptions = {},
  ): Promise<LeaseSession> {
    const { id, ttl } = await new Lease(caller).leaseGrant({ ttl: ttlSeconds }, options);
    return new LeaseSession(caller, id, ttl);
  }

  /** The id as keys contain it. */
  get name(): string {
    return this.id.toString(16);
  }

  /** Stops renewing. The lease ends now if `revoke`, else by its time. */
  async close(options: { revoke: boolean }): Promise<void> {
    this.#closed = true;
    this.#wake();
    if (options.revoke) await this.#lease.leaseRevoke({ id: this.id });
  }

  async #renew(): Promise<void> {
    const { clock } = this.#caller;
    let endMs = clock.monotonicMs() + this.#ttlSeconds * 1000;
    while (!this.#closed && clock.monotonicMs() < endMs) {
      try {
        const { ttl } = await this.#lease.leaseKeepAliveOnce(this.id, {
          timeoutMs: endMs - clock.monotonicMs(),
        });
        endMs = clock.monotonicMs() + ttl * 1000;
        // Three tries before it is over.
        await this.#sleep((ttl * 1000) / 3);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (error.message.endsWith("lease not found")) return;
        await this.#sleep(RETRY_MS);
      }
    }
    // Who closes it knows; the promise is for those who do not.
    if (this.#closed) await new Promise(() => {});
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = this.#caller.clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
