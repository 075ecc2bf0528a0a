// A line of waiters, kept by the cluster: each owns the key `<name>/<lease>`, and stands in the
// order of the revisions at which the keys were created. The first holds the lock, or leads.
//
//   name/5a ─ revision 4    first: its turn
//   name/71 ─ revision 9    watches name/5a, and only that: one wakes when one leaves
//   name/3f ─ revision 12   watches name/71
//
// Keys vanish with the lease of their owner, so that a dead one does not block the line.

import { CONTEXT_CANCELED } from "../net/grpc-client-call.ts";
import { EventType, type KeyValue } from "../wire/messages/kv.ts";
import type { ResponseHeader } from "../wire/messages/rpc.ts";
import { CompareResult, CompareTarget, SortOrder, SortTarget } from "../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../wire/status.ts";
import { bytes } from "./bytes.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { prefixEnd } from "./keys.ts";
import { Kv } from "./kv.ts";
import type { LeaseSession } from "./lease-session.ts";
import { Watcher } from "./watcher.ts";

const EXPIRED: RpcError = new RpcError(Code.Unknown, "mutex: session is expired");

export interface Turn {
  readonly key: Uint8Array;
  /** Of the last answer: no later change of others is part of what it says. */
  readonly revision: number;
}

export class WaitingLine {
  readonly #caller: Caller;
  readonly #kv: Kv;
  readonly #prefix: Uint8Array;

  constructor(caller: Caller, name: string) {
    this.#caller = caller;
    this.#kv = new Kv(caller);
    this.#prefix = bytes(`${name}/`);
  }

  /** Joins at the end and waits for the front; leaves again if that fails. @throws RpcError */
  async join(session: LeaseSession, value: Uint8Array, options: CallOptions = {}): Promise<Turn> {
    const key = Buffer.concat([this.#prefix, bytes(session.name)]);
    const { header, responses } = await this.#kv.txn(
      {
        compare: [
          { target: CompareTarget.CREATE, result: CompareResult.EQUAL, key, createRevision: 0 },
        ],
        success: [{ requestPut: { key, value, lease: session.id } }],
        failure: [{ requestRange: { key } }],
      },
      options,
    );
    const existing = responses[0]?.responseRange?.kvs[0]?.createRevision;
    const created = existing ?? header?.revision ?? 0;
    try {
      const revision = await this.#waitForFront(created, header, options);
      const { kvs } = await this.#kv.range({ key }, options);
      if (kvs.length === 0) throw EXPIRED;
      return { key, revision };
    } catch (error) {
      await this.leave(key);
      throw error;
    }
  }

  async leave(key: Uint8Array): Promise<void> {
    await this.#kv.deleteRange({ key });
  }

  /** Who is first, if anybody. */
  async first(options: CallOptions = {}): Promise<{
    header: ResponseHeader | undefined;
    kv: KeyValue | undefined;
  }> {
    const { header, kvs } = await this.#kv.range({ ...this.#range(SortOrder.ASCEND) }, options);
    return { header, kv: kvs[0] };
  }

  /** Waits for any change in the line after `revision`. */
  async change(revision: number, options: CallOptions = {}): Promise<void> {
    const range = { key: this.#prefix, rangeEnd: prefixEnd(this.#prefix) };
    await this.#watch({ ...range, startRevision: revision + 1 }, () => true, options);
  }

  #range(sortOrder: SortOrder): object {
    const rangeEnd = prefixEnd(this.#prefix);
    return { key: this.#prefix, rangeEnd, limit: 1, sortTarget: SortTarget.CREATE, sortOrder };
  }

  async #waitForFront(
    created: number,
    joined: ResponseHeader | undefined,
    options: CallOptions,
  ): Promise<number> {
    let header = joined;
    for (let isWaiting = false; ; isWaiting = true) {
      const before = await this.#kv.range(
        { ...this.#range(SortOrder.DESCEND), maxCreateRevision: created - 1 },
        options,
      );
      if (isWaiting) header = before.header;
      const next = before.kvs[0];
      if (next === undefined) return header?.revision ?? created;
      const startRevision = (before.header?.revision ?? 0) + 1;
      const isGone = (type: EventType): boolean => type === EventType.DELETE;
      await this.#watch({ key: next.key, startRevision }, isGone, options);
    }
  }

  async #watch(
    create: { key: Uint8Array; rangeEnd?: Uint8Array; startRevision: number },
    isWanted: (type: EventType) => boolean,
    options: CallOptions,
  ): Promise<void> {
    const watcher = new Watcher(this.#caller, create, options);
    try {
      for (let next = await watcher.next(); next !== undefined; next = await watcher.next()) {
        // Compacted: whatever happened, it is time to look again.
        if (next.canceled && next.compactRevision > 0) return;
        if (options.signal?.aborted === true) throw CONTEXT_CANCELED;
        if (next.canceled) throw new RpcError(Code.Unknown, next.cancelReason);
        if (next.events.some((event) => isWanted(event.type))) return;
      }
    } finally {
      watcher.close();
    }
  }
}
