// The Lease service: keys that vanish when their owner does.

import { Errors } from "../wire/errors.ts";
import {
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  decodeLeaseLeasesResponse,
  decodeLeaseRevokeResponse,
  decodeLeaseTimeToLiveResponse,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseLeasesRequest,
  encodeLeaseRevokeRequest,
  encodeLeaseTimeToLiveRequest,
  type LeaseGrantRequestInit,
  type LeaseGrantResponse,
  type LeaseKeepAliveRequestInit,
  type LeaseKeepAliveResponse,
  type LeaseLeasesRequestInit,
  type LeaseLeasesResponse,
  type LeaseRevokeRequestInit,
  type LeaseRevokeResponse,
  type LeaseTimeToLiveRequestInit,
  type LeaseTimeToLiveResponse,
} from "../wire/messages/rpc-lease.ts";
import type { Caller, CallOptions, MessageStream, StreamMethod, UnaryMethod } from "./caller.ts";

const leaseGrant: UnaryMethod<LeaseGrantRequestInit, LeaseGrantResponse> = {
  path: "/etcdserverpb.Lease/LeaseGrant",
  effect: "write",
  encode: encodeLeaseGrantRequest,
  decode: decodeLeaseGrantResponse,
};
const leaseRevoke: UnaryMethod<LeaseRevokeRequestInit, LeaseRevokeResponse> = {
  path: "/etcdserverpb.Lease/LeaseRevoke",
  effect: "write",
  encode: encodeLeaseRevokeRequest,
  decode: decodeLeaseRevokeResponse,
};
const leaseTimeToLive: UnaryMethod<LeaseTimeToLiveRequestInit, LeaseTimeToLiveResponse> = {
  path: "/etcdserverpb.Lease/LeaseTimeToLive",
  effect: "read",
  encode: encodeLeaseTimeToLiveRequest,
  decode: decodeLeaseTimeToLiveResponse,
};
const leaseLeases: UnaryMethod<LeaseLeasesRequestInit, LeaseLeasesResponse> = {
  path: "/etcdserverpb.Lease/LeaseLeases",
  effect: "read",
  encode: encodeLeaseLeasesRequest,
  decode: decodeLeaseLeasesResponse,
};
const keepAlive: StreamMethod<LeaseKeepAliveRequestInit, LeaseKeepAliveResponse> = {
  path: "/etcdserverpb.Lease/LeaseKeepAlive",
  encode: encodeLeaseKeepAliveRequest,
  decode: decodeLeaseKeepAliveResponse,
};

export class Lease {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Creates a lease; id 0 lets the server choose one. */
  leaseGrant(request: LeaseGrantRequestInit, options?: CallOptions): Promise<LeaseGrantResponse> {
    return this.#caller.unary(leaseGrant, request, options);
  }

  /** Ends a lease and deletes its keys. */
  leaseRevoke(
    request: LeaseRevokeRequestInit,
    options?: CallOptions,
  ): Promise<LeaseRevokeResponse> {
    return this.#caller.unary(leaseRevoke, request, options);
  }

  /** What is left of a lease, with its keys if wanted; TTL -1: there is none. */
  leaseTimeToLive(
    request: LeaseTimeToLiveRequestInit,
    options?: CallOptions,
  ): Promise<LeaseTimeToLiveResponse> {
    return this.#caller.unary(leaseTimeToLive, request, options);
  }

  /** The ids of all leases. */
  leaseLeases(options?: CallOptions): Promise<LeaseLeasesResponse> {
    return this.#caller.unary(leaseLeases, {}, options);
  }

  /** Each message renews a lease and is answered with its new TTL, 0 when it has ended. */
  leaseKeepAlive(
    options?: CallOptions,
  ): Promise<MessageStream<LeaseKeepAliveRequestInit, LeaseKeepAliveResponse>> {
    return this.#caller.stream(keepAlive, options);
  }

  /** Renews a lease once. @throws RpcError when it has ended */
  async leaseKeepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseKeepAliveResponse> {
    const stream = await this.leaseKeepAlive(options);
    try {
      stream.send({ id });
      const answer = await stream.next();
      if (answer === undefined || answer.ttl <= 0) throw Errors.LeaseNotFound;
      return answer;
    } finally {
      stream.cancel();
    }
  }
}
