// A line of waiters, kept by the cluster: each owns the key `<name>/<lease>`, and stands in the
// order of the revisions at which the keys were created. The first holds the lock, or leads.
//
//   name/5a ─ revision 4    first: its turn
//   name/71 ─ revision 9    watches name/5a, and only that: one wakes when one leaves
//   name/3f ─ revision 12   watches name/71
//
// Keys vanish with the lease of their owner, so that a dead one does not block the line. Keys and
// order are those of every etcd client: waiters of all of them stand in the same line.

import { CONTEXT_CANCELED } from "../net/grpc-client-call.ts";
import { EventType, type KeyValue } from "../wire/messages/kv.ts";
import { newResponseHeader, type ResponseHeader } from "../wire/messages/rpc.ts";
import {
  type CompareInit,
  CompareResult,
  CompareTarget,
  type RangeRequestInit,
  type RequestOpInit,
  SortOrder,
  SortTarget,
  type TxnResponse,
} from "../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../wire/status.ts";
import { bytes } from "./bytes.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { prefixEnd } from "./keys.ts";
import { Kv } from "./kv.ts";
import { SESSION_EXPIRED, type Session } from "./session.ts";
import { Watcher } from "./watcher.ts";

export interface Place {
  readonly key: Uint8Array;
  /** At which the key was created: later ones are behind it. */
  readonly created: number;
}

export interface Turn extends Place {
  /** Of the answer that told so. */
  readonly header: ResponseHeader;
}

export interface WaitOptions {
  /** Ends the waiting; `AbortSignal.timeout(ms)` is a signal, too. */
  readonly signal?: AbortSignal | undefined;
}

interface FirstOfLine {
  readonly header: ResponseHeader;
  readonly kv: KeyValue | undefined;
}

/** Whether the key is there since that revision; 0: it is not there. */
export function createdAt(
  key: Uint8Array,
  createRevision: number,
  rangeEnd?: Uint8Array,
): CompareInit {
  const { CREATE } = CompareTarget;
  return { target: CREATE, result: CompareResult.EQUAL, key, rangeEnd, createRevision };
}

function answered(answer: TxnResponse, at: number): KeyValue | undefined {
  return answer.responses[at]?.responseRange?.kvs[0];
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

  /**
   * Joins at the end and waits for the front; leaves again if that fails, unless `held` says that
   * it was the session's turn already. @throws RpcError
   */
  async join(
    session: Session,
    value: Uint8Array,
    options: WaitOptions = {},
    held?: Place,
  ): Promise<Turn> {
    const key = this.keyOf(session);
    const signals = [session.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const waiting = { signal: AbortSignal.any(signals) };
    let created = 0;
    try {
      const put: RequestOpInit = { requestPut: { key, value, lease: session.lease } };
      const first = { requestRange: this.#range(SortOrder.ASCEND) };
      const answer = await this.#kv.txn(
        {
          compare: [createdAt(key, 0)],
          success: [put, first],
          failure: [{ requestRange: { key } }, first],
        },
        waiting,
      );
      const header = answer.header ?? newResponseHeader();
      const existing = answer.succeeded ? undefined : answered(answer, 0);
      created = existing?.createRevision ?? header.revision;
      const place = { key, created };
      if (existing !== undefined && Buffer.compare(existing.value, value) !== 0) {
        await this.#replace(place, put, waiting);
      }
      if (answered(answer, 1)?.createRevision === created) return { ...place, header };
      return { ...place, header: await this.#waitForFront(place, waiting) };
    } catch (error) {
      if (held === undefined) await this.#giveUp(session, { key, created });
      throw session.signal.aborted ? SESSION_EXPIRED : error;
    }
  }

  /** Joins if there is nobody; else nothing is written. @throws RpcError */
  async joinIfEmpty(session: Session, options: CallOptions = {}): Promise<Turn | undefined> {
    const key = this.keyOf(session);
    // Reading costs the cluster no entry in its log, a transaction that fails does.
    const { header, kv } = await this.first(options);
    if (kv !== undefined) {
      const isOwn = Buffer.compare(kv.key, key) === 0;
      return isOwn ? { key, created: kv.createRevision, header } : undefined;
    }
    if (session.signal.aborted) throw SESSION_EXPIRED;
    try {
      const answer = await this.#kv.txn(
        {
          compare: [createdAt(this.#prefix, 0, prefixEnd(this.#prefix))],
          success: [{ requestPut: { key, lease: session.lease } }],
        },
        options,
      );
      if (!answer.succeeded) return undefined;
      const own = answer.header ?? newResponseHeader();
      return { key, created: own.revision, header: own };
    } catch (error) {
      await this.#giveUp(session, { key, created: 0 });
      throw error;
    }
  }

  /** @throws RpcError */
  async leave({ key, created }: Place, options: CallOptions = {}): Promise<ResponseHeader> {
    // A key that was made anew, by a later turn of the same session, is not meant.
    const compare = created > 0 ? [createdAt(key, created)] : [];
    const success = [{ requestDeleteRange: { key } }];
    const { header } = await this.#kv.txn({ compare, success }, options);
    return header ?? newResponseHeader();
  }

  /** Who is first, if anybody. @throws RpcError */
  async first(options: CallOptions = {}): Promise<FirstOfLine> {
    const { header, kvs } = await this.#kv.range(this.#range(SortOrder.ASCEND), options);
    return { header: header ?? newResponseHeader(), kv: kvs[0] };
  }

  /** Changes in the line from a revision on. */
  changes(startRevision: number, options: CallOptions = {}): Watcher {
    const range = { key: this.#prefix, rangeEnd: prefixEnd(this.#prefix), startRevision };
    return new Watcher(this.#caller, range, options);
  }

  keyOf(session: Session): Uint8Array {
    return Buffer.concat([this.#prefix, bytes(session.name)]);
  }

  #range(sortOrder: SortOrder): RangeRequestInit {
    const rangeEnd = prefixEnd(this.#prefix);
    return { key: this.#prefix, rangeEnd, limit: 1, sortTarget: SortTarget.CREATE, sortOrder };
  }

  /** A session that stands in line already may say something new. */
  async #replace(place: Place, put: RequestOpInit, options: CallOptions): Promise<void> {
    const compare = [createdAt(place.key, place.created)];
    const { succeeded } = await this.#kv.txn({ compare, success: [put] }, options);
    if (!succeeded) throw SESSION_EXPIRED;
  }

  async #waitForFront(place: Place, options: CallOptions): Promise<ResponseHeader> {
    for (;;) {
      const before = await this.#kv.range(
        { ...this.#range(SortOrder.DESCEND), maxCreateRevision: place.created - 1 },
        options,
      );
      const next = before.kvs[0];
      if (next === undefined) break;
      await this.#untilDeleted(next.key, (before.header?.revision ?? 0) + 1, options);
    }
    // Its own key may have gone meanwhile, with its lease.
    const { header, kvs } = await this.#kv.range({ key: place.key }, options);
    if (kvs[0]?.createRevision !== place.created) throw SESSION_EXPIRED;
    return header ?? newResponseHeader();
  }

  async #untilDeleted(key: Uint8Array, startRevision: number, options: CallOptions): Promise<void> {
    const watcher = new Watcher(this.#caller, { key, startRevision }, options);
    try {
      for await (const response of watcher) {
        // Compacted: whatever happened, it is time to look again.
        if (response.canceled && response.compactRevision > 0) return;
        if (options.signal?.aborted === true) throw CONTEXT_CANCELED;
        if (response.canceled) throw new RpcError(Code.Unknown, response.cancelReason);
        if (response.events.some((event) => event.type === EventType.DELETE)) return;
      }
    } finally {
      watcher.close();
    }
  }

  /** As well as it can be done; if it cannot, the key goes with its lease. */
  async #giveUp(session: Session, place: Place): Promise<void> {
    // After an unknown outcome, too, the key may be there.
    try {
      await this.leave(place, { timeoutMs: session.ttlSeconds * 1000 });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
  }
}
