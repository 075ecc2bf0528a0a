// v3electionpb.Election: a lock whose holder says something that others read. The queue is that of
// lock-queue.ts, the value of the first key is what its holder proclaims.

import { latin1, latin1Bytes } from "../base/latin1.ts";
import type { Member } from "../server/member.ts";
import type { TxnRequestInit } from "../wire/messages/rpc-kv.ts";
import {
  type CampaignRequest,
  type CampaignResponseInit,
  decodeCampaignRequest,
  decodeLeaderRequest,
  decodeProclaimRequest,
  decodeResignRequest,
  type LeaderKey,
  type LeaderResponseInit,
  type ProclaimRequest,
  type ProclaimResponseInit,
  type ResignResponseInit,
  sizeCampaignResponse,
  sizeLeaderResponse,
  sizeProclaimResponse,
  sizeResignResponse,
  writeCampaignResponse,
  writeLeaderResponse,
  writeProclaimResponse,
  writeResignResponse,
} from "../wire/messages/v3election.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { leaderOf, ObserveCall } from "./election-observe.ts";
import {
  type Contender,
  copyOf,
  createdAt,
  type LockQueue,
  type Place,
  plain,
} from "./lock-queue.ts";
import { type Encoder, send } from "./send.ts";

const campaignAnswer: Encoder<CampaignResponseInit> = {
  size: sizeCampaignResponse,
  write: writeCampaignResponse,
};
const leaderAnswer: Encoder<LeaderResponseInit> = {
  size: sizeLeaderResponse,
  write: writeLeaderResponse,
};
const proclaimAnswer: Encoder<ProclaimResponseInit> = {
  size: sizeProclaimResponse,
  write: writeProclaimResponse,
};
const resignAnswer: Encoder<ResignResponseInit> = {
  size: sizeResignResponse,
  write: writeResignResponse,
};

const missingLeader = new RpcError(Code.Unknown, '"leader" field must be provided');
const noLeader = new RpcError(Code.Unknown, "election: no leader");
const notLeader = new RpcError(Code.Unknown, "election: not leader");

type Handle = Extract<Method, { kind: "unary" }>["handle"];

export function electionMethods(member: Member, queue: LockQueue): [string, Method][] {
  const unary = (name: string, handle: Handle): [string, Method] => {
    return [`/v3electionpb.Election/${name}`, { kind: "unary", handle }];
  };
  return [
    unary("Campaign", (call, bytes, start, end) => {
      const request = decodeCampaignRequest(copyOf(bytes, start, end));
      new CampaignCall(member, queue, call, request).begin();
    }),
    unary("Proclaim", (call, bytes, start, end) => {
      proclaim(member, queue, call, decodeProclaimRequest(copyOf(bytes, start, end)));
    }),
    unary("Resign", (call, bytes, start, end) => {
      const { leader } = decodeResignRequest(copyOf(bytes, start, end));
      if (leader === undefined) call.fail(missingLeader);
      else resign(member, queue, call, leader);
    }),
    unary("Leader", (call, bytes, start, end) => {
      const { name } = decodeLeaderRequest(bytes, start, end);
      tellLeader(member, call, `${latin1(name, 0, name.length)}/`);
    }),
    [
      "/v3electionpb.Election/Observe",
      {
        kind: "server-stream",
        handle: (call, bytes, start, end) => {
          const { name } = decodeLeaderRequest(bytes, start, end);
          return new ObserveCall(member, call, `${latin1(name, 0, name.length)}/`);
        },
      },
    ],
  ];
}

class CampaignCall implements Contender {
  readonly call: UnaryCall;
  readonly #member: Member;
  readonly #queue: LockQueue;
  readonly #request: CampaignRequest;

  constructor(member: Member, queue: LockQueue, call: UnaryCall, request: CampaignRequest) {
    this.#member = member;
    this.#queue = queue;
    this.call = call;
    this.#request = request;
  }

  begin(): void {
    this.#queue.enter(this.#request, this);
  }

  /** A key that was there already may say something else. */
  entered(place: Place): void {
    const { value } = this.#request;
    if (place.isOwn) {
      this.#await(place);
      return;
    }
    const txn = putIfCreatedAt(latin1Bytes(place.key), place.createRevision, value, place.lease);
    this.#queue.propose(txn, this.call, ({ txn: result }) => {
      if (result!.succeeded) this.#await(place);
      else this.call.fail(notLeader);
    });
  }

  #await(place: Place): void {
    this.#queue.await(place, this, () => {
      const { name } = this.#request;
      const { lease, createRevision: rev, enteredRevision } = place;
      const leader = { name, key: latin1Bytes(place.key), rev, lease };
      send(this.call, campaignAnswer, { header: this.#member.headerAt(enteredRevision), leader });
    });
  }
}

function proclaim(
  member: Member,
  queue: LockQueue,
  call: UnaryCall,
  { leader, value }: ProclaimRequest,
): void {
  if (leader === undefined) {
    call.fail(missingLeader);
    return;
  }
  queue.withLease(leader.lease, call, (lease) => {
    const txn = putIfCreatedAt(leader.key, leader.rev, value, lease);
    queue.propose(txn, call, ({ txn: result, revision }) => {
      if (!result!.succeeded) call.fail(notLeader);
      else send(call, proclaimAnswer, { header: member.headerAt(revision) });
    });
  });
}

/** Whoever does not lead has nothing to give up: that is no error. */
function resign(member: Member, queue: LockQueue, call: UnaryCall, { key, rev }: LeaderKey): void {
  const txn: TxnRequestInit = {
    compare: [createdAt(key, rev)],
    success: [{ requestDeleteRange: { key } }],
  };
  queue.propose(txn, call, ({ revision }) => {
    send(call, resignAnswer, { header: member.headerAt(revision) });
  });
}

function tellLeader(member: Member, call: UnaryCall, prefix: string): void {
  const waiter = {
    ready: () => {
      const kv = leaderOf(member.mvcc, prefix)?.kv;
      if (kv === undefined) call.fail(noLeader);
      else send(call, leaderAnswer, { header: member.headerAt(), kv });
    },
    fail: (error: RpcError) => call.fail(plain(error)),
  };
  if (member.confirmRead(waiter)) waiter.ready();
}

function putIfCreatedAt(
  key: Uint8Array,
  revision: number,
  value: Uint8Array,
  lease: bigint,
): TxnRequestInit {
  return {
    compare: [createdAt(key, revision)],
    success: [{ requestPut: { key, value, lease } }],
  };
}
