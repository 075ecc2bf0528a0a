// Lease.LeaseKeepAlive: each message renews a lease, each answer tells its whole time, 0 when there
// is no such lease. Answers come in the order of the requests, though the first may have to wait
// until it is confirmed that this member leads, or until the one who does was asked. A client that
// sends and does not read is bounded: requests wait while answers do, and too many waiting requests
// end the stream.
//
//   onMessage ─► waiting ─► confirmed to lead? ─► renew ─► answer ─► next
//                   ▲ while one is under way, or answers are not taken

import type { Renewal } from "../server/lease-clock.ts";
import type { RemoteRenewal } from "../server/lease-forwarding.ts";
import type { Member } from "../server/member.ts";
import type { ReadWaiter } from "../server/reads.ts";
import { Errors } from "../wire/errors.ts";
import { decodeLeaseKeepAliveRequest } from "../wire/messages/rpc-lease.ts";
import { sizeBig, sizeNumber, writeBig, writeNumber } from "../wire/protobuf/writer.ts";
import type { StreamCall, StreamHandler } from "../wire/rpc.ts";
import type { RpcError } from "../wire/status.ts";

const ID_TAG = 2 << 3;
const TTL_TAG = 3 << 3;

/** Answers that the client has not taken yet; then requests wait. */
const QUEUED_BYTES_MAX = 64 * 1024;
/** Requests that wait; a client renews a lease every few seconds. */
const WAITING_MAX = 10_000;

export class KeepAliveCall implements StreamHandler, Renewal, RemoteRenewal, ReadWaiter {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #waiting: bigint[] = [];
  /** The lease that is being renewed; 0n for none. */
  #id = 0n;
  #isBusy = false;
  #isPumping = false;
  #hasEnded = false;
  #isClosed = false;
  /** Of the header: the store before the renewal. */
  #revision = 0;

  constructor(member: Member, call: StreamCall) {
    this.#member = member;
    this.#call = call;
  }

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.fail(Errors.RequestTooManyRequests);
      return;
    }
    this.#waiting.push(decodeLeaseKeepAliveRequest(bytes, start, end).id);
    this.#pump();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#pump();
  }

  onCancel(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  /** This member leads: that is confirmed. */
  ready(): void {
    if (this.#isClosed) return;
    this.#revision = this.#member.revision;
    this.#member.leaseClock.renew(this.#id, this);
  }

  fail(error: RpcError): void {
    if (this.#isClosed) return;
    this.onCancel();
    this.#call.fail(error);
  }

  notPrimary(): void {
    this.#forward();
  }

  /** This member has become the leader while it asked another one. */
  here(): void {
    if (!this.#isClosed) this.#confirm();
  }

  #forward(): void {
    if (this.#isClosed) return;
    this.#revision = this.#member.revision;
    this.#member.leaseForwarding.renew(this.#id, this);
  }

  #confirm(): void {
    if (!this.#member.leaseClock.isPrimary) this.#forward();
    else if (this.#member.confirmRead(this)) this.ready();
  }

  renewed(ttlSeconds: number): void {
    if (this.#isClosed) return;
    this.#answer(ttlSeconds);
    this.#isBusy = false;
    this.#pump();
  }

  /** A loop, because renewals mostly are done before `renew` returns. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isBusy && !this.#isClosed && this.#waiting.length > 0) {
      this.#isBusy = true;
      if (this.#call.queuedBytes > QUEUED_BYTES_MAX) {
        this.#call.whenDrained(QUEUED_BYTES_MAX / 2, this.#drained);
        break;
      }
      this.#id = this.#waiting.shift()!;
      this.#confirm();
    }
    this.#isPumping = false;
    if (!this.#hasEnded || this.#isBusy || this.#isClosed || this.#waiting.length > 0) return;
    this.#isClosed = true;
    this.#call.end();
  }

  readonly #drained = (): void => {
    this.#isBusy = false;
    this.#pump();
  };

  #answer(ttlSeconds: number): void {
    const { header, term } = this.#member;
    const revision = this.#revision;
    let size = header.size(revision, term);
    if (this.#id !== 0n) size += 1 + sizeBig(this.#id);
    if (ttlSeconds !== 0) size += 1 + sizeNumber(ttlSeconds);
    let at = this.#call.reserve(size);
    const target = this.#call.buffer;
    at = header.write(target, at, revision, term);
    if (this.#id !== 0n) {
      target[at] = ID_TAG;
      at = writeBig(target, at + 1, this.#id);
    }
    if (ttlSeconds !== 0) {
      target[at] = TTL_TAG;
      writeNumber(target, at + 1, ttlSeconds);
    }
    this.#call.sendMessage();
  }
}
