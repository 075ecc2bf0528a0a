// v3lockpb.Lock: mutual exclusion for clients without a library for it. Lock answers when the
// caller holds the lock, however long that takes; the lock is free when its key is deleted, by
// Unlock or with its lease.

import { latin1Bytes } from "../base/latin1.ts";
import type { Member } from "../server/member.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeDeleteRangeRequest } from "../wire/messages/rpc-kv.ts";
import {
  decodeLockRequest,
  decodeUnlockRequest,
  type LockRequest,
  type LockResponseInit,
  sizeLockResponse,
  sizeUnlockResponse,
  type UnlockResponseInit,
  writeLockResponse,
  writeUnlockResponse,
} from "../wire/messages/v3lock.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { type Contender, copyOf, type LockQueue, type Place, plain } from "./lock-queue.ts";
import { type Encoder, send } from "./send.ts";

const lockAnswer: Encoder<LockResponseInit> = { size: sizeLockResponse, write: writeLockResponse };
const unlockAnswer: Encoder<UnlockResponseInit> = {
  size: sizeUnlockResponse,
  write: writeUnlockResponse,
};

export function lockMethods(member: Member, queue: LockQueue): [string, Method][] {
  return [
    [
      "/v3lockpb.Lock/Lock",
      {
        kind: "unary",
        handle: (call, bytes, start, end) => {
          new LockCall(member, queue, call).begin(decodeLockRequest(copyOf(bytes, start, end)));
        },
      },
    ],
    [
      "/v3lockpb.Lock/Unlock",
      {
        kind: "unary",
        handle: (call, bytes, start, end) => {
          unlock(member, call, decodeUnlockRequest(bytes, start, end).key);
        },
      },
    ],
  ];
}

class LockCall implements Contender {
  readonly call: UnaryCall;
  readonly #member: Member;
  readonly #queue: LockQueue;

  constructor(member: Member, queue: LockQueue, call: UnaryCall) {
    this.#member = member;
    this.#queue = queue;
    this.call = call;
  }

  begin({ name, lease }: LockRequest): void {
    this.#queue.enter({ name, lease, value: new Uint8Array(0) }, this);
  }

  entered(place: Place): void {
    let hasWaited = false;
    this.#queue.await(place, this, () => {
      const revision = hasWaited ? this.#member.revision : place.enteredRevision;
      const key = latin1Bytes(place.key);
      send(this.call, lockAnswer, { header: this.#member.headerAt(revision), key });
    });
    hasWaited = true;
  }
}

function unlock(member: Member, call: UnaryCall, key: Uint8Array): void {
  if (key.length === 0) {
    call.fail(plain(Errors.EmptyKey));
    return;
  }
  const body = encodeDeleteRangeRequest({ key });
  member.propose(RequestField.DeleteRange, body, 0, body.length, {
    proposedAtMs: 0,
    settle: ({ error, revision }) => {
      if (error !== null) call.fail(plain(error));
      else send(call, unlockAnswer, { header: member.headerAt(revision) });
    },
    fail: (error) => call.fail(plain(error)),
  });
}
