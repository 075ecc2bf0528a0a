// For tests of what stands on a client: keys with revisions, transactions, watches and leases, as
// far as locks, elections and transactions need them. Time does not end leases, `revoke` does.

import { NodeRandom } from "../../io/node-random.ts";
import { Errors } from "../../wire/errors.ts";
import { EventType, type KeyValue, newKeyValue } from "../../wire/messages/kv.ts";
import {
  type Compare,
  CompareResult,
  CompareTarget,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeRangeResponse,
  encodeTxnResponse,
  type RangeRequest,
  type RangeResponseInit,
  type RequestOp,
  type ResponseOpInit,
  SortOrder,
} from "../../wire/messages/rpc-kv.ts";
import {
  decodeLeaseGrantRequest,
  decodeLeaseKeepAliveRequest,
  decodeLeaseRevokeRequest,
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveResponse,
  encodeLeaseRevokeResponse,
} from "../../wire/messages/rpc-lease.ts";
import { decodeWatchRequest, encodeWatchResponse } from "../../wire/messages/rpc-watch.ts";
import { bytes, text } from "../bytes.ts";
import { Client } from "../client.ts";
import { type FakeCall, FakeConnection, SkippingClock } from "./fake-connection.ts";

interface Change {
  readonly revision: number;
  readonly key: string;
  readonly kv: KeyValue;
  readonly type: EventType;
}

/** What happens to one call: before it is acted on, or in place of its answer. */
interface Trouble {
  readonly path: string;
  readonly error: unknown;
  readonly isDone: boolean;
}

export class FakeCluster {
  readonly clock: SkippingClock = new SkippingClock();
  readonly keys: Map<string, KeyValue> = new Map();
  readonly leases: Map<bigint, number> = new Map();
  /** The keys of watchers, in the order of their creation. */
  readonly watched: string[] = [];
  readonly connection: FakeConnection;
  revision = 1;
  /** Called before each call, to interfere. */
  onCall: (name: string) => void = () => {};
  /** A promise holds the answers of a stream back. */
  onStream: () => Promise<void> | undefined = () => undefined;
  readonly #history: Change[] = [];
  #troubles: Trouble[] = [];
  #listeners: (() => void)[] = [];
  #nextLease = 0x10n;

  constructor() {
    this.connection = new FakeConnection((call) => this.#answer(call), {
      stream: (call) => this.#stream(call),
      clock: this.clock,
    });
  }

  client(): Client {
    return new Client({
      endpoints: ["a:1"],
      clock: this.clock,
      random: new NodeRandom(),
      connect: () => this.connection,
    });
  }

  /** The next call of that name fails, having been done or not. */
  fail(path: string, error: unknown, options: { isDone: boolean }): void {
    this.#troubles.push({ path, error, ...options });
  }

  /** The calls so far, by the last part of their path. */
  get calls(): string[] {
    return this.connection.calls.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  }

  value(key: string): string | undefined {
    const kv = this.keys.get(key);
    return kv === undefined ? undefined : text(kv.value);
  }

  put(key: string, value: string, lease = 0n): void {
    this.#change(() => this.#put(key, bytes(value), lease));
  }

  delete(key: string): void {
    this.#change(() => this.#delete(key));
  }

  revoke(lease: bigint): void {
    this.leases.delete(lease);
    const attached = [...this.keys].filter(([, kv]) => kv.lease === lease);
    this.#change(() => {
      for (const [key] of attached) this.#delete(key);
    });
  }

  /** Resolves when `isSo`, looked at after each turn of the event loop. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise(setImmediate);
  }

  #change(make: () => void): void {
    const before = this.#history.length;
    this.revision++;
    make();
    if (this.#history.length === before) this.revision--;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  #put(key: string, value: Uint8Array, lease: bigint): void {
    const old = this.keys.get(key);
    const kv: KeyValue = {
      ...newKeyValue(),
      key: bytes(key),
      value,
      lease,
      createRevision: old?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (old?.version ?? 0) + 1,
    };
    this.keys.set(key, kv);
    this.#history.push({ revision: this.revision, key, kv, type: EventType.PUT });
  }

  #delete(key: string): void {
    if (!this.keys.delete(key)) return;
    const kv = { ...newKeyValue(), key: bytes(key), modRevision: this.revision };
    this.#history.push({ revision: this.revision, key, kv, type: EventType.DELETE });
  }

  #answer(call: FakeCall): Uint8Array {
    const name = call.path.slice(call.path.lastIndexOf("/") + 1);
    this.onCall(name);
    const trouble = this.#troubles.find(({ path }) => path === name);
    this.#troubles = this.#troubles.filter((one) => one !== trouble);
    if (trouble?.isDone === false) throw trouble.error;
    const answer = this.#act(name, call.message);
    if (trouble !== undefined) throw trouble.error;
    return answer;
  }

  #act(name: string, message: Uint8Array): Uint8Array {
    if (name === "Range") return encodeRangeResponse(this.#range(decodeRangeRequest(message)));
    if (name === "Txn") return this.#txn(message);
    if (name === "LeaseGrant") {
      const { ttl } = decodeLeaseGrantRequest(message);
      this.leases.set(this.#nextLease, ttl);
      return encodeLeaseGrantResponse({ id: this.#nextLease++, ttl });
    }
    const { id } = decodeLeaseRevokeRequest(message);
    if (!this.leases.has(id)) throw Errors.LeaseNotFound;
    this.revoke(id);
    return encodeLeaseRevokeResponse({});
  }

  #txn(message: Uint8Array): Uint8Array {
    const { compare, success, failure } = decodeTxnRequest(message);
    const succeeded = compare.every((one) => this.#holds(one));
    const responses: ResponseOpInit[] = [];
    this.#change(() => {
      for (const op of succeeded ? success : failure) responses.push(this.#perform(op));
    });
    return encodeTxnResponse({ header: { revision: this.revision }, succeeded, responses });
  }

  #holds({ key, rangeEnd, target, result, createRevision, modRevision }: Compare): boolean {
    const found = this.#found(key, rangeEnd);
    return (found.length === 0 ? [newKeyValue()] : found).every((kv) => {
      const isCreate = target === CompareTarget.CREATE;
      const actual = isCreate ? kv.createRevision : kv.modRevision;
      const expected = (isCreate ? createRevision : modRevision) ?? 0;
      return result === CompareResult.LESS ? actual < expected : actual === expected;
    });
  }

  #perform({ requestPut, requestRange, requestDeleteRange }: RequestOp): ResponseOpInit {
    if (requestRange !== undefined) return { responseRange: this.#range(requestRange) };
    if (requestPut !== undefined) {
      const { key, value, lease } = requestPut;
      if (lease !== 0n && !this.leases.has(lease)) throw Errors.LeaseNotFound;
      this.#put(text(key), value, lease);
      return { responsePut: {} };
    }
    this.#delete(text(requestDeleteRange!.key));
    return { responseDeleteRange: {} };
  }

  /** In the past, too: the last change of each key up to the revision. */
  #range(request: RangeRequest): RangeResponseInit {
    const { key, rangeEnd, sortOrder, maxCreateRevision, limit, revision } = request;
    const found = this.#found(key, rangeEnd, revision === 0 ? this.revision : revision)
      .filter((kv) => maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision)
      .sort((a, b) => a.createRevision - b.createRevision);
    if (sortOrder === SortOrder.DESCEND) found.reverse();
    const kvs = limit === 0 ? found : found.slice(0, limit);
    return { header: { revision: this.revision }, kvs, count: found.length };
  }

  #found(key: Uint8Array, rangeEnd: Uint8Array, revision: number = this.revision): KeyValue[] {
    const last = new Map<string, Change>();
    for (const change of this.#history) {
      if (change.revision <= revision && isIn(change.key, key, rangeEnd)) {
        last.set(change.key, change);
      }
    }
    return [...last.values()].filter((one) => one.type === EventType.PUT).map(({ kv }) => kv);
  }

  async *#stream({ path, message }: FakeCall): AsyncGenerator<Uint8Array> {
    const name = path.slice(path.lastIndexOf("/") + 1);
    this.onCall(name);
    const trouble = this.#troubles.find((one) => one.path === name);
    this.#troubles = this.#troubles.filter((one) => one !== trouble);
    if (trouble !== undefined) throw trouble.error;
    await this.onStream();
    if (name === "LeaseKeepAlive") {
      const { id } = decodeLeaseKeepAliveRequest(message);
      yield encodeLeaseKeepAliveResponse({ id, ttl: this.leases.get(id) ?? 0 });
      return;
    }
    const create = decodeWatchRequest(message).createRequest!;
    this.watched.push(text(create.key));
    const { key, rangeEnd } = create;
    let next = create.startRevision === 0 ? this.revision + 1 : create.startRevision;
    yield encodeWatchResponse({ created: true, header: { revision: this.revision } });
    for (;;) {
      const events = this.#history.filter(
        (one) => one.revision >= next && isIn(one.key, key, rangeEnd),
      );
      next = this.revision + 1;
      if (events.length > 0) {
        yield encodeWatchResponse({ header: { revision: this.revision }, events });
      } else await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }
}

function isIn(key: string, from: Uint8Array, to: Uint8Array): boolean {
  return to.length === 0 ? key === text(from) : key >= text(from) && key < text(to);
}
