// etcdserverpb.Lease: grants and revokes go through the log, what is left of a lease only the
// leader knows. Keep-alives are a stream of their own (lease-keep-alive.ts).

import { latin1Bytes } from "../base/latin1.ts";
import { WriteKind } from "../server/care/writers.ts";
import type { Member } from "../server/member.ts";
import { LEASE_COST_BYTES } from "../state/quota.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseGrantRequest,
  type LeaseGrantResponseInit,
  type LeaseLeasesResponseInit,
  type LeaseRevokeResponseInit,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponseInit,
  sizeLeaseGrantResponse,
  sizeLeaseLeasesResponse,
  sizeLeaseRevokeResponse,
  sizeLeaseTimeToLiveResponse,
  writeLeaseGrantResponse,
  writeLeaseLeasesResponse,
  writeLeaseRevokeResponse,
  writeLeaseTimeToLiveResponse,
} from "../wire/messages/rpc-lease.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { withoutFields } from "./empty-request.ts";
import { KeepAliveCall } from "./lease-keep-alive.ts";
import { ProposalAnswer } from "./proposal-answer.ts";
import { type Encoder, send } from "./send.ts";

const grantAnswer: Encoder<LeaseGrantResponseInit> = {
  size: sizeLeaseGrantResponse,
  write: writeLeaseGrantResponse,
};
const revokeAnswer: Encoder<LeaseRevokeResponseInit> = {
  size: sizeLeaseRevokeResponse,
  write: writeLeaseRevokeResponse,
};
const timeToLiveAnswer: Encoder<LeaseTimeToLiveResponseInit> = {
  size: sizeLeaseTimeToLiveResponse,
  write: writeLeaseTimeToLiveResponse,
};
const leasesAnswer: Encoder<LeaseLeasesResponseInit> = {
  size: sizeLeaseLeasesResponse,
  write: writeLeaseLeasesResponse,
};

/** What there is to say of a lease that does not exist. */
const NO_LEASE_TTL = -1;

export function leaseMethods(member: Member): [string, Method][] {
  const service = "/etcdserverpb.Lease/";
  return [
    [
      `${service}LeaseGrant`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) => grant(member, call, bytes, start, end),
      },
    ],
    [
      `${service}LeaseRevoke`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) => {
          // What is in the log must be readable for ever.
          decodeLeaseRevokeRequest(bytes, start, end);
          const answer = new ProposalAnswer(call, ({ revision }) => {
            send(call, revokeAnswer, { header: member.headerAt(revision) });
          });
          member.propose(RequestField.LeaseRevoke, bytes, start, end, answer);
        },
      },
    ],
    [
      `${service}LeaseTimeToLive`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) => {
          timeToLive(member, call, decodeLeaseTimeToLiveRequest(bytes, start, end));
        },
      },
    ],
    [`${service}LeaseLeases`, withoutFields((call) => leases(member, call))],
    [
      `${service}LeaseKeepAlive`,
      { kind: "bidi-stream", open: (call) => new KeepAliveCall(member, call) },
    ],
  ];
}

function grant(
  member: Member,
  call: UnaryCall,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const { writers } = member.care;
  writers.note(call.origin, WriteKind.Lease, end - start, member.nowMs);
  const refusal = member.refuseOverQuota(LEASE_COST_BYTES);
  if (refusal !== null) {
    writers.refused(call.origin);
    call.fail(refusal);
    return;
  }
  const answer = new ProposalAnswer(call, ({ revision, leaseId, leaseTtl }) => {
    send(call, grantAnswer, { header: member.headerAt(revision), id: leaseId, ttl: leaseTtl });
  });
  const { id, ttl } = decodeLeaseGrantRequest(bytes, start, end);
  if (id !== 0n) {
    member.propose(RequestField.LeaseGrant, bytes, start, end, answer);
  } else {
    const body = encodeLeaseGrantRequest({ id: member.nextLeaseId(), ttl });
    member.propose(RequestField.LeaseGrant, body, 0, body.length, answer);
  }
}

function timeToLive(member: Member, call: UnaryCall, request: LeaseTimeToLiveRequest): void {
  if (!member.leaseClock.isPrimary) {
    askForTimeToLive(member, call, request);
    return;
  }
  const waiter = {
    ready: () => answerTimeToLive(member, call, request),
    fail: call.fail.bind(call),
  };
  if (member.confirmRead(waiter)) waiter.ready();
}

function answerTimeToLive(
  member: Member,
  call: UnaryCall,
  { id, keys: wantsKeys }: LeaseTimeToLiveRequest,
): void {
  const { leaseClock, state } = member;
  if (!leaseClock.isPrimary) {
    askForTimeToLive(member, call, { id, keys: wantsKeys });
    return;
  }
  const header = member.headerAt();
  const lease = state.leases.find(id);
  if (lease === undefined) {
    send(call, timeToLiveAnswer, { header, id, ttl: NO_LEASE_TTL });
    return;
  }
  const ttl = Math.floor(leaseClock.remainingSeconds(lease));
  const keys = wantsKeys ? state.keysOf(lease).map(latin1Bytes) : [];
  send(call, timeToLiveAnswer, { header, id, ttl, grantedTTL: lease.ttl, keys });
}

/** Only the leader knows. */
function askForTimeToLive(
  member: Member,
  call: UnaryCall,
  { id, keys }: LeaseTimeToLiveRequest,
): void {
  member.leaseForwarding.timeToLive(id, keys, {
    here: () => timeToLive(member, call, { id, keys }),
    told: (response) => {
      const header = member.headerAt();
      send(call, timeToLiveAnswer, { ...(response ?? { id, ttl: NO_LEASE_TTL }), header });
    },
    fail: call.fail.bind(call),
  });
}

function leases(member: Member, call: UnaryCall): void {
  const all = member.leaseClock.byExpiry().map(({ id }) => ({ id }));
  send(call, leasesAnswer, { header: member.headerAt(), leases: all });
}
