// A lock that a cluster keeps, the same as that of Go's `concurrency.Mutex` and the Lock service:
// who stands first in the waiting line of its name has it.
//
//   const session = await Session.open(client, { ttlSeconds: 10 });
//   const mutex = new Mutex(session, "jobs/nightly");
//   await mutex.lock();
//   try { … } finally { await mutex.unlock(); }
//
// No lock can stop an owner that was paused, lost its lease and goes on. So either what is written
// under the lock is written to etcd, in a transaction that compares `isOwner()`; or it carries
// `revision`, which grows from owner to owner, to a store that refuses smaller ones (fencing).

import type { ResponseHeader } from "../wire/messages/rpc.ts";
import type { CompareInit } from "../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../wire/status.ts";
import type { CallOptions } from "./caller.ts";
import type { Session } from "./session.ts";
import { createdAt, type Turn, WaitingLine, type WaitOptions } from "./waiting-line.ts";

export const LOCK_RELEASED: RpcError = new RpcError(
  Code.Unknown,
  "mutex: lock has already been released",
);

/**
 * The owner is the session: two mutexes of one session and one name are the same lock. One object
 * takes one call at a time.
 */
export class Mutex {
  readonly #session: Session;
  readonly #line: WaitingLine;
  #turn: Turn | undefined;

  /** The lock `name` of everybody who uses the cluster; its keys begin with `<name>/`. */
  constructor(session: Session, name: string) {
    this.#session = session;
    this.#line = new WaitingLine(session.caller, name);
  }

  /**
   * Waits until all who came before are gone. A session that has it gets it again.
   * @throws RpcError `SESSION_EXPIRED`, "context canceled" by the signal, or what a call threw
   */
  async lock(options: WaitOptions = {}): Promise<void> {
    this.#turn = await this.#line.join(this.#session, new Uint8Array(0), options, this.#turn);
  }

  /**
   * Takes the lock if nobody has it or waits for it. It reads first, and writes nothing if the
   * lock is held: polling costs the cluster no entries in its log. To wait, `lock`, which watches.
   * @returns whether the lock is held now
   * @throws RpcError
   */
  async tryLock(options: CallOptions = {}): Promise<boolean> {
    this.#turn = await this.#line.joinIfEmpty(this.#session, options);
    return this.#turn !== undefined;
  }

  /** @throws RpcError `LOCK_RELEASED` if it is not held; after others it may be called again */
  async unlock(options: CallOptions = {}): Promise<void> {
    if (this.#turn === undefined) throw LOCK_RELEASED;
    await this.#line.leave(this.#turn, options);
    this.#turn = undefined;
  }

  /** For `compare` of a transaction: it does what it does only while the lock is held. */
  isOwner(): CompareInit {
    // Without a turn it must not hold: no key has been created at revision -1.
    return createdAt(this.key, this.#turn?.created ?? -1);
  }

  /** The key that stands for the session in the line of the lock. */
  get key(): Uint8Array {
    return this.#turn?.key ?? this.#line.keyOf(this.#session);
  }

  /** The fencing token: greater than that of every owner before. 0: it is not held. */
  get revision(): number {
    return this.#turn?.created ?? 0;
  }

  /** Of the answer by which the lock was got. */
  get header(): ResponseHeader | undefined {
    return this.#turn?.header;
  }
}
