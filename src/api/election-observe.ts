// Election.Observe: who leads and what they proclaim, from now on. Each proclamation of the leader
// is an answer; when the leader's key is deleted the next answer is the new leader's. A client that
// does not read misses what was proclaimed meanwhile, but always gets what holds in the end.

import type { Member } from "../server/member.ts";
import type { Mvcc } from "../state/mvcc/mvcc.ts";
import type { KeyEvent } from "../state/watch/listeners.ts";
import {
  type LeaderResponseInit,
  sizeLeaderResponse,
  writeLeaderResponse,
} from "../wire/messages/v3election.ts";
import type { StreamCall } from "../wire/rpc.ts";
import type { RpcError } from "../wire/status.ts";
import { endOfPrefix, firstCreated, plain } from "./lock-queue.ts";
import { type Encoder, sendOne } from "./send.ts";

/** Answers that the client has not taken; the next one waits until half of it is. */
const QUEUED_BYTES_MAX = 256 * 1024;

const encoder: Encoder<LeaderResponseInit> = {
  size: sizeLeaderResponse,
  write: writeLeaderResponse,
};

export class ObserveCall {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #prefix: string;
  #stop: () => void = () => {};
  #leader: string | undefined;
  /** Events up to here are known from a look at the store. */
  #seenRevision = 0;
  #isBehind = false;
  #isClosed = false;

  constructor(member: Member, call: StreamCall, prefix: string) {
    this.#member = member;
    this.#call = call;
    this.#prefix = prefix;
    const waiter = {
      ready: () => this.#begin(),
      fail: (error: RpcError) => call.fail(plain(error)),
    };
    if (member.confirmRead(waiter)) waiter.ready();
  }

  onCancel(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #begin(): void {
    if (this.#isClosed) return;
    const { watch } = this.#member;
    this.#stop = watch.listen(this.#prefix, endOfPrefix(this.#prefix), (event) => {
      if (event === null) this.#look();
      else this.#onEvent(event);
    });
    this.#look();
  }

  /** Tells who leads now, if anybody does. */
  #look(): void {
    if (this.#isClosed) return;
    const { mvcc } = this.#member;
    const leader = leaderOf(mvcc, this.#prefix);
    this.#seenRevision = mvcc.currentRevision;
    this.#leader = leader?.key;
    if (leader !== undefined) this.#tell(this.#seenRevision, leader.kv);
  }

  #onEvent(event: KeyEvent): void {
    const { key, revision, tombstone, bytes, start, end } = event;
    if (this.#isClosed || this.#isBehind || revision <= this.#seenRevision) return;
    if (tombstone) {
      if (key === this.#leader) this.#look();
    } else if (this.#leader === undefined || key === this.#leader) {
      this.#leader = key;
      this.#tell(revision, bytes.subarray(start, end));
    }
  }

  #tell(revision: number, kv: Uint8Array): void {
    if (this.#call.queuedBytes <= QUEUED_BYTES_MAX) {
      sendOne(this.#call, encoder, { header: this.#member.headerAt(revision), kv });
      return;
    }
    this.#isBehind = true;
    this.#call.whenDrained(QUEUED_BYTES_MAX / 2, () => {
      this.#isBehind = false;
      this.#look();
    });
  }
}

/** The oldest key under the prefix and its KeyValue. */
export function leaderOf(mvcc: Mvcc, prefix: string): { key: string; kv: Uint8Array } | undefined {
  const key = firstCreated(mvcc, prefix);
  if (key === undefined) return undefined;
  const slot = mvcc.index.findText(key);
  if (!mvcc.findRecordOf(slot, mvcc.currentRevision)) return undefined;
  const { foundBytes, foundStart, foundEnd } = mvcc.records;
  return { key, kv: foundBytes.subarray(foundStart, foundEnd) };
}
