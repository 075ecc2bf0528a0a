// The leader's side of what other members are asked about leases: renewals and remaining times,
// which only the leader knows. They are answered for what this member has applied of all that is
// committed, so that a lease granted through another member is found.

import { latin1Bytes } from "../base/latin1.ts";
import type { PeerAnswer } from "../io/network.ts";
import type { State } from "../state/state.ts";
import { decodeLeaseInternalRequest, encodeLeaseInternalResponse } from "../wire/messages/lease.ts";
import {
  decodeLeaseKeepAliveRequest,
  encodeLeaseKeepAliveResponse,
  type LeaseTimeToLiveRequest,
} from "../wire/messages/rpc-lease.ts";
import { ProtoError } from "../wire/protobuf/proto-error.ts";
import type { AppliedWait } from "./applied-wait.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { plainText } from "./peer-answers.ts";

/** A request has an id and a flag; whatever is longer is none. As in etcd. */
const REQUEST_BYTES_MAX = 64 * 1024;

const NOT_FOUND = "lease not found";
const NOT_PRIMARY = "not a primary lessor";
const TIMEOUT = "waiting for node to catch up its applied index has timed out";

type Body = Uint8Array | undefined;
type Answer = (answer: PeerAnswer) => void;

/** POST /leases: a LeaseKeepAliveRequest. */
export function answerLeaseRenewal(
  parts: { readonly leaseClock: LeaseClock; readonly applied: AppliedWait },
  body: Body,
  answer: Answer,
): void {
  const request = decoded(body, decodeLeaseKeepAliveRequest, answer);
  if (request === undefined) return;
  const { id } = request;
  parts.applied.wait((isApplied) => {
    if (!isApplied) {
      answer(plainText(408, TIMEOUT));
      return;
    }
    parts.leaseClock.renew(id, {
      renewed: (ttl) => {
        if (ttl === 0) answer(plainText(404, NOT_FOUND));
        else answer(protobuf(encodeLeaseKeepAliveResponse({ id, ttl })));
      },
      notPrimary: () => answer(plainText(400, NOT_PRIMARY)),
    });
  });
}

/** POST /leases/internal: a LeaseInternalRequest. */
export function answerTimeToLive(
  parts: {
    readonly state: State;
    readonly leaseClock: LeaseClock;
    readonly applied: AppliedWait;
  },
  body: Body,
  answer: Answer,
): void {
  const request = decoded(body, decodeLeaseInternalRequest, answer);
  if (request === undefined) return;
  const asked = request.leaseTimeToLiveRequest ?? { id: 0n, keys: false };
  parts.applied.wait((isApplied) => {
    answer(isApplied ? timeToLive(parts, asked) : plainText(408, TIMEOUT));
  });
}

function timeToLive(
  { state, leaseClock }: { readonly state: State; readonly leaseClock: LeaseClock },
  { id, keys: wantsKeys }: LeaseTimeToLiveRequest,
): PeerAnswer {
  const lease = state.leases.find(id);
  if (lease === undefined) return plainText(404, NOT_FOUND);
  if (!leaseClock.isPrimary) return plainText(500, NOT_PRIMARY);
  const ttl = Math.floor(leaseClock.remainingSeconds(lease));
  const keys = wantsKeys ? state.keysOf(lease).map(latin1Bytes) : [];
  const leaseTimeToLiveResponse = { header: {}, id, ttl, grantedTTL: lease.ttl, keys };
  return protobuf(encodeLeaseInternalResponse({ leaseTimeToLiveResponse }));
}

function decoded<Request>(
  body: Body,
  decode: (bytes: Uint8Array) => Request,
  answer: Answer,
): Request | undefined {
  const bytes = body ?? new Uint8Array(0);
  if (bytes.length > REQUEST_BYTES_MAX) {
    answer(plainText(413, "request body too large"));
    return undefined;
  }
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    answer(plainText(400, "error unmarshalling request"));
    return undefined;
  }
}

function protobuf(body: Uint8Array): PeerAnswer {
  return { status: 200, headers: { "content-type": "application/protobuf" }, body };
}
