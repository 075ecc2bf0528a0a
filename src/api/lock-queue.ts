// What Lock and Campaign have in common, and what every client library does too: the keys under
// `<name>/` are a queue, in the order of their creation, and who is first holds the lock. A key is
// `<name>/<lease in hex>` and goes with its lease. Each waits for the one right before it only, so
// that an end wakes one and not all.
//
//   name/1f  created 12   holder
//   name/2a  created 15   waits for the deletion of name/1f
//   name/0b  created 19   waits for the deletion of name/2a, then looks again
//
// The whole queue is state of the store; here is only who waits on this member for its turn.

import { latin1, latin1Bytes } from "../base/latin1.ts";
import type { Timer } from "../io/io.ts";
import type { Member } from "../server/member.ts";
import type { Mvcc } from "../state/mvcc/mvcc.ts";
import type { Outcome } from "../state/outcome.ts";
import { LEASE_COST_BYTES, txnCostBytes } from "../state/quota.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  type CompareInit,
  CompareResult,
  CompareTarget,
  encodeDeleteRangeRequest,
  encodeTxnRequest,
  type TxnRequestInit,
} from "../wire/messages/rpc-kv.ts";
import { encodeLeaseGrantRequest } from "../wire/messages/rpc-lease.ts";
import type { Caller } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";

/** Of a lease that was made for the caller. */
const SESSION_TTL_SECONDS = 60;
/** How soon a client that has gone loses its place. */
const GONE_CHECK_MS = 250;

/** These services answer with the text alone, whatever the error was. */
export function plain(error: RpcError): RpcError {
  return error.code === Code.Unknown ? error : new RpcError(Code.Unknown, error.message);
}

export const sessionExpired: RpcError = new RpcError(Code.Unknown, "mutex: session is expired");

/** A place in the queue. */
export interface Place {
  readonly prefix: string;
  readonly key: string;
  readonly lease: bigint;
  /** The fencing token: grows from holder to holder. */
  readonly createRevision: number;
  /** When the key was made, or found. */
  readonly enteredRevision: number;
  /** The key is new. */
  readonly isOwn: boolean;
}

export interface Enter {
  readonly name: Uint8Array;
  /** 0n: one is made. */
  readonly lease: bigint;
  readonly value: Uint8Array;
}

/** Who is told; a call that fails is not told anything more. */
export interface Contender {
  readonly call: Caller & { fail(error: RpcError): void };
  entered(place: Place): void;
}

interface Waiting {
  readonly contender: Contender;
  readonly place: Place;
  readonly acquired: () => void;
  stop: () => void;
}

export class LockQueue {
  readonly #member: Member;
  readonly #waiting = new Set<Waiting>();
  #timer: Timer | undefined;

  constructor(member: Member) {
    this.#member = member;
  }

  /** Calls that wait for their turn. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes a place at the end; a lease that has one keeps it. */
  enter(request: Enter, contender: Contender): void {
    const prefix = `${latin1(request.name, 0, request.name.length)}/`;
    this.withLease(request.lease, contender.call, (lease) => {
      const key = prefix + lease.toString(16);
      const bytes = latin1Bytes(key);
      const txn: TxnRequestInit = {
        compare: [createdAt(bytes, 0)],
        success: [{ requestPut: { key: bytes, value: request.value, lease } }],
        failure: [{ requestRange: { key: bytes } }],
      };
      this.propose(txn, contender.call, ({ txn: result, revision }) => {
        const isOwn = result!.succeeded;
        const createRevision = createRevisionOf(this.#member.mvcc, key);
        const place = { prefix, key, lease, createRevision, enteredRevision: revision, isOwn };
        if (contender.call.isCancelled) this.#giveUp(place);
        else contender.entered(place);
      });
    });
  }

  /** Calls `acquired` when nobody is before the place any more. */
  await(place: Place, contender: Contender, acquired: () => void): void {
    this.#look({ contender, place, acquired, stop: () => {} });
  }

  /** Goes on with the lease, or with a new one for none. */
  withLease(lease: bigint, call: Contender["call"], then: (lease: bigint) => void): void {
    if (lease !== 0n) {
      then(lease);
      return;
    }
    const member = this.#member;
    const refusal = member.refuseOverQuota(LEASE_COST_BYTES);
    if (refusal !== null) {
      call.fail(plain(refusal));
      return;
    }
    const id = member.nextLeaseId();
    const body = encodeLeaseGrantRequest({ id, ttl: SESSION_TTL_SECONDS });
    this.#propose(RequestField.LeaseGrant, body, call, () => then(id));
  }

  propose(txn: TxnRequestInit, call: Contender["call"], then: (outcome: Outcome) => void): void {
    const body = encodeTxnRequest(txn);
    const { care, nowMs } = this.#member;
    const refusal =
      this.#member.refuseOverQuota(txnCostBytes(body, 0, body.length)) ??
      care.quotas.refuseTxnBytes(body, nowMs);
    if (refusal === null) this.#propose(RequestField.Txn, body, call, then);
    else call.fail(plain(refusal));
  }

  #propose(
    field: number,
    body: Uint8Array,
    call: Contender["call"],
    then: (outcome: Outcome) => void,
  ): void {
    this.#member.propose(field, body, 0, body.length, {
      proposedAtMs: 0,
      settle: (outcome) => {
        if (outcome.error === null) then(outcome);
        else call.fail(plain(outcome.error));
      },
      fail: (error) => call.fail(plain(error)),
    });
  }

  #look(waiting: Waiting): void {
    const { mvcc, watch } = this.#member;
    const { prefix, key, createRevision } = waiting.place;
    if (createRevisionOf(mvcc, key) !== createRevision) {
      this.#forget(waiting);
      waiting.contender.call.fail(sessionExpired);
      return;
    }
    const before = lastCreatedBefore(mvcc, prefix, createRevision);
    if (before === undefined) {
      this.#forget(waiting);
      waiting.acquired();
      return;
    }
    const again = (event: { tombstone: boolean } | null): void => {
      if (event?.tombstone === false || !this.#waiting.has(waiting)) return;
      waiting.stop();
      this.#look(waiting);
    };
    const stopBefore = watch.listen(before, before, again);
    const stopOwn = watch.listen(key, key, again);
    waiting.stop = () => {
      stopBefore();
      stopOwn();
    };
    this.#waiting.add(waiting);
    this.#watchCalls();
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  #watchCalls(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#member.clock.after(GONE_CHECK_MS, () => {
      this.#timer = undefined;
      for (const waiting of this.#waiting) {
        if (!waiting.contender.call.isCancelled) continue;
        waiting.stop();
        this.#forget(waiting);
        this.#giveUp(waiting.place);
      }
      if (this.#waiting.size > 0) this.#watchCalls();
    });
  }

  /** The client does not wait any more: those behind it need not either. */
  #giveUp({ key, isOwn }: Place): void {
    if (!isOwn) return;
    const body = encodeDeleteRangeRequest({ key: latin1Bytes(key) });
    const waiter = { proposedAtMs: 0, settle: () => {}, fail: () => {} };
    this.#member.propose(RequestField.DeleteRange, body, 0, body.length, waiter);
  }
}

/** For requests that wait: a view would keep all that was read with it. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

/** The key was created at `revision`; 0: it does not exist. */
export function createdAt(key: Uint8Array, revision: number): CompareInit {
  const { CREATE: target } = CompareTarget;
  return { target, result: CompareResult.EQUAL, key, createRevision: revision };
}

/** 0 when the key does not exist. */
export function createRevisionOf(mvcc: Mvcc, key: string): number {
  const { index } = mvcc;
  const slot = index.findText(key);
  return slot >= 0 && index.history.findNewest(slot) ? index.history.foundCreated : 0;
}

/** Who holds the lock: the oldest key under the prefix. */
export function firstCreated(mvcc: Mvcc, prefix: string): string | undefined {
  let first: string | undefined;
  let firstRevision = Number.POSITIVE_INFINITY;
  forEachLive(mvcc, prefix, (key, createRevision) => {
    if (createRevision >= firstRevision) return;
    first = key;
    firstRevision = createRevision;
  });
  return first;
}

/** Who is right before the place that was taken at `revision`. */
function lastCreatedBefore(mvcc: Mvcc, prefix: string, revision: number): string | undefined {
  let last: string | undefined;
  let lastRevision = 0;
  forEachLive(mvcc, prefix, (key, createRevision) => {
    if (createRevision >= revision || createRevision <= lastRevision) return;
    last = key;
    lastRevision = createRevision;
  });
  return last;
}

const SLOTS = 256;
const slots = new Uint32Array(SLOTS);

function forEachLive(
  { index }: Mvcc,
  prefix: string,
  visit: (key: string, createRevision: number) => void,
): void {
  const { history } = index;
  const to = endOfPrefix(prefix);
  let from = prefix;
  for (;;) {
    const count = index.collect(from, to, slots, SLOTS);
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      if (history.findNewest(slot)) visit(index.keyOf(slot), history.foundCreated);
    }
    if (count < SLOTS) return;
    from = `${index.keyOf(slots[count - 1]!)}\0`;
  }
}

/** `prefix` ends with a slash: the next character ends the range of all that begins with it. */
export function endOfPrefix(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
