// A leader that a cluster knows, the same as that of Go's `concurrency.Election` and the Election
// service: who stands first in the waiting line of its name leads, and the value of its key is what
// it proclaims.
//
//   const election = new Election(await Session.open(client), "scheduler");
//   await election.campaign(bytes("host-1"));      // returns as soon as it leads
//   …
//   await election.resign();

import { EventType, type KeyValue } from "../wire/messages/kv.ts";
import type { ResponseHeader } from "../wire/messages/rpc.ts";
import type { CompareInit } from "../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../wire/status.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { Kv } from "./kv.ts";
import type { HasCaller, Session } from "./session.ts";
import { createdAt, type Place, WaitingLine, type WaitOptions } from "./waiting-line.ts";
import { Watcher } from "./watcher.ts";

export const NOT_LEADER: RpcError = new RpcError(Code.Unknown, "election: not leader");
export const NO_LEADER: RpcError = new RpcError(Code.Unknown, "election: no leader");

/** Who leads, or what it says now: the value of its key. */
export interface Leadership {
  readonly header: ResponseHeader;
  readonly kv: KeyValue;
}

/** One object takes one call at a time; the candidate is its session. */
export class Election {
  readonly #session: Session;
  readonly #line: WaitingLine;
  readonly #kv: Kv;
  #place: Place | undefined;
  #header: ResponseHeader | undefined;

  /** The election `name` of everybody who uses the cluster; its keys begin with `<name>/`. */
  constructor(session: Session, name: string) {
    this.#session = session;
    this.#line = new WaitingLine(session.caller, name);
    this.#kv = new Kv(session.caller);
  }

  /** Goes on with a leadership that is known, such as that of the process before a restart. */
  static resume(session: Session, name: string, place: Place): Election {
    const election = new Election(session, name);
    election.#place = place;
    return election;
  }

  /**
   * Waits to be the leader, with this value. A session that stands in line already keeps its place
   * and says the new value. @throws RpcError `SESSION_EXPIRED`, "context canceled" by the signal, …
   */
  async campaign(value: Uint8Array, options: WaitOptions = {}): Promise<void> {
    const turn = await this.#line.join(this.#session, value, options, this.#place);
    this.#place = turn;
    this.#header = turn.header;
  }

  /** Says a new value, without another election. @throws RpcError `NOT_LEADER`, … */
  async proclaim(value: Uint8Array, options: CallOptions = {}): Promise<void> {
    const place = this.#place;
    if (place === undefined) throw NOT_LEADER;
    const { key } = place;
    const success = [{ requestPut: { key, value, lease: this.#session.lease } }];
    const request = { compare: [this.isLeader()], success };
    const { succeeded, header } = await this.#kv.txn(request, options);
    if (!succeeded) {
      this.#place = undefined;
      throw NOT_LEADER;
    }
    this.#header = header;
  }

  /** Leaves the lead to the next in line. Without it, nothing. @throws RpcError */
  async resign(options: CallOptions = {}): Promise<void> {
    if (this.#place === undefined) return;
    this.#header = await this.#line.leave(this.#place, options);
    this.#place = undefined;
  }

  /** Who leads now. @throws RpcError `NO_LEADER`, … */
  async leader(options: CallOptions = {}): Promise<Leadership> {
    const { header, kv } = await this.#line.first(options);
    if (kv === undefined) throw NO_LEADER;
    return { header, kv };
  }

  /** Every leader from now on and everything it proclaims, see `observeElection`. */
  observe(options: CallOptions = {}): AsyncGenerator<Leadership, void, undefined> {
    return observe(this.#session.caller, this.#line, options);
  }

  /** For `compare` of a transaction: it does what it does only while this is the leader. */
  isLeader(): CompareInit {
    // Without a place it must not hold: no key has been created at revision -1.
    return createdAt(this.key, this.#place?.created ?? -1);
  }

  get key(): Uint8Array {
    return this.#place?.key ?? this.#line.keyOf(this.#session);
  }

  /** The fencing token: greater than that of every leader before. 0: it does not lead. */
  get revision(): number {
    return this.#place?.created ?? 0;
  }

  /** Of the last campaign, proclamation or resignation. */
  get header(): ResponseHeader | undefined {
    return this.#header;
  }
}

/**
 * Follows an election without taking part: yields the leader there is, or the first to come, each
 * of its proclamations, then the next leader, and so on. Leaders that came and went while nobody
 * looked are left out; the last one never is. Ends by the signal. @throws RpcError
 */
export function observeElection(
  client: HasCaller,
  name: string,
  options: CallOptions = {},
): AsyncGenerator<Leadership, void, undefined> {
  return observe(client.caller, new WaitingLine(client.caller, name), options);
}

async function* observe(
  caller: Caller,
  line: WaitingLine,
  options: CallOptions,
): AsyncGenerator<Leadership, void, undefined> {
  try {
    for (;;) {
      const now = await line.first(options);
      const leader = now.kv === undefined ? await firstPut(line, now.header, options) : now;
      if (leader?.kv === undefined) continue;
      yield { header: leader.header, kv: leader.kv };
      yield* proclamations(caller, leader.kv.key, leader.header.revision + 1, options);
    }
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
  }
}

/** Waits for somebody to come; undefined: what came cannot be read any more, so look again. */
async function firstPut(
  line: WaitingLine,
  seen: ResponseHeader,
  options: CallOptions,
): Promise<Leadership | undefined> {
  for await (const response of line.changes(seen.revision + 1, options)) {
    throwIfFailed(response);
    const kv = response.events.find((event) => event.type === EventType.PUT)?.kv;
    // One answer may tell of several revisions; what follows begins after this one.
    if (kv !== undefined) {
      return { header: { ...response.header!, revision: kv.modRevision }, kv };
    }
    if (response.canceled) break;
  }
  return undefined;
}

async function* proclamations(
  caller: Caller,
  key: Uint8Array,
  startRevision: number,
  options: CallOptions,
): AsyncGenerator<Leadership, void, undefined> {
  for await (const response of new Watcher(caller, { key, startRevision }, options)) {
    throwIfFailed(response);
    for (const { type, kv } of response.events) {
      if (type === EventType.DELETE || kv === undefined) return;
      yield { header: response.header!, kv };
    }
  }
}

function throwIfFailed(response: {
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
}): void {
  if (!response.canceled || response.compactRevision > 0) return;
  throw new RpcError(Code.Unknown, response.cancelReason);
}
