// The Cluster service: the members.

import {
  decodeMemberAddResponse,
  decodeMemberListResponse,
  decodeMemberPromoteResponse,
  decodeMemberRemoveResponse,
  decodeMemberUpdateResponse,
  encodeMemberAddRequest,
  encodeMemberListRequest,
  encodeMemberPromoteRequest,
  encodeMemberRemoveRequest,
  encodeMemberUpdateRequest,
  type MemberAddRequestInit,
  type MemberAddResponse,
  type MemberListRequestInit,
  type MemberListResponse,
  type MemberPromoteRequestInit,
  type MemberPromoteResponse,
  type MemberRemoveRequestInit,
  type MemberRemoveResponse,
  type MemberUpdateRequestInit,
  type MemberUpdateResponse,
} from "../wire/messages/rpc-cluster.ts";
import type { Caller, CallOptions, UnaryMethod } from "./caller.ts";

const memberAdd: UnaryMethod<MemberAddRequestInit, MemberAddResponse> = {
  path: "/etcdserverpb.Cluster/MemberAdd",
  effect: "write",
  encode: encodeMemberAddRequest,
  decode: decodeMemberAddResponse,
};
const memberRemove: UnaryMethod<MemberRemoveRequestInit, MemberRemoveResponse> = {
  path: "/etcdserverpb.Cluster/MemberRemove",
  effect: "write",
  encode: encodeMemberRemoveRequest,
  decode: decodeMemberRemoveResponse,
};
const memberUpdate: UnaryMethod<MemberUpdateRequestInit, MemberUpdateResponse> = {
  path: "/etcdserverpb.Cluster/MemberUpdate",
  effect: "write",
  encode: encodeMemberUpdateRequest,
  decode: decodeMemberUpdateResponse,
};
const memberPromote: UnaryMethod<MemberPromoteRequestInit, MemberPromoteResponse> = {
  path: "/etcdserverpb.Cluster/MemberPromote",
  effect: "write",
  encode: encodeMemberPromoteRequest,
  decode: decodeMemberPromoteResponse,
};
const memberList: UnaryMethod<MemberListRequestInit, MemberListResponse> = {
  path: "/etcdserverpb.Cluster/MemberList",
  effect: "read",
  encode: encodeMemberListRequest,
  decode: decodeMemberListResponse,
};

export class Cluster {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Adds a member, as a learner if wanted. It is yet to be started. */
  memberAdd(request: MemberAddRequestInit, options?: CallOptions): Promise<MemberAddResponse> {
    return this.#caller.unary(memberAdd, request, options);
  }

  /** Removes a member for good: it cannot come back under the same id. */
  memberRemove(
    request: MemberRemoveRequestInit,
    options?: CallOptions,
  ): Promise<MemberRemoveResponse> {
    return this.#caller.unary(memberRemove, request, options);
  }

  /** Changes the URLs on which a member listens to the others. */
  memberUpdate(
    request: MemberUpdateRequestInit,
    options?: CallOptions,
  ): Promise<MemberUpdateResponse> {
    return this.#caller.unary(memberUpdate, request, options);
  }

  /** Makes a voter of a learner that has caught up. */
  memberPromote(
    request: MemberPromoteRequestInit,
    options?: CallOptions,
  ): Promise<MemberPromoteResponse> {
    return this.#caller.unary(memberPromote, request, options);
  }

  /** All members; from the leader's point of view if `linearizable`. */
  memberList(request: MemberListRequestInit, options?: CallOptions): Promise<MemberListResponse> {
    return this.#caller.unary(memberList, request, options);
  }
}
