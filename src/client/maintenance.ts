// The Maintenance service: what operators do. Most calls concern the one member that is asked, so
// a client for them has a single endpoint.

import {
  type AlarmRequestInit,
  type AlarmResponse,
  type DefragmentRequestInit,
  type DefragmentResponse,
  type DowngradeRequestInit,
  type DowngradeResponse,
  decodeAlarmResponse,
  decodeDefragmentResponse,
  decodeDowngradeResponse,
  decodeHashKVResponse,
  decodeHashResponse,
  decodeMoveLeaderResponse,
  decodeSnapshotResponse,
  decodeStatusResponse,
  encodeAlarmRequest,
  encodeDefragmentRequest,
  encodeDowngradeRequest,
  encodeHashKVRequest,
  encodeHashRequest,
  encodeMoveLeaderRequest,
  encodeSnapshotRequest,
  encodeStatusRequest,
  type HashKVRequestInit,
  type HashKVResponse,
  type HashRequestInit,
  type HashResponse,
  type MoveLeaderRequestInit,
  type MoveLeaderResponse,
  type SnapshotRequestInit,
  type SnapshotResponse,
  type StatusRequestInit,
  type StatusResponse,
} from "../wire/messages/rpc-maintenance.ts";
import type { Caller, CallOptions, StreamMethod, UnaryMethod } from "./caller.ts";

const alarm: UnaryMethod<AlarmRequestInit, AlarmResponse> = {
  path: "/etcdserverpb.Maintenance/Alarm",
  effect: "write",
  encode: encodeAlarmRequest,
  decode: decodeAlarmResponse,
};
const status: UnaryMethod<StatusRequestInit, StatusResponse> = {
  path: "/etcdserverpb.Maintenance/Status",
  effect: "read",
  encode: encodeStatusRequest,
  decode: decodeStatusResponse,
};
const defragment: UnaryMethod<DefragmentRequestInit, DefragmentResponse> = {
  path: "/etcdserverpb.Maintenance/Defragment",
  effect: "write",
  encode: encodeDefragmentRequest,
  decode: decodeDefragmentResponse,
};
const hash: UnaryMethod<HashRequestInit, HashResponse> = {
  path: "/etcdserverpb.Maintenance/Hash",
  effect: "read",
  encode: encodeHashRequest,
  decode: decodeHashResponse,
};
const hashKV: UnaryMethod<HashKVRequestInit, HashKVResponse> = {
  path: "/etcdserverpb.Maintenance/HashKV",
  effect: "read",
  encode: encodeHashKVRequest,
  decode: decodeHashKVResponse,
};
const moveLeader: UnaryMethod<MoveLeaderRequestInit, MoveLeaderResponse> = {
  path: "/etcdserverpb.Maintenance/MoveLeader",
  effect: "write",
  encode: encodeMoveLeaderRequest,
  decode: decodeMoveLeaderResponse,
};
const downgrade: UnaryMethod<DowngradeRequestInit, DowngradeResponse> = {
  path: "/etcdserverpb.Maintenance/Downgrade",
  effect: "write",
  encode: encodeDowngradeRequest,
  decode: decodeDowngradeResponse,
};
const snapshot: StreamMethod<SnapshotRequestInit, SnapshotResponse> = {
  path: "/etcdserverpb.Maintenance/Snapshot",
  encode: encodeSnapshotRequest,
  decode: decodeSnapshotResponse,
};

export class Maintenance {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Lists, raises or disarms alarms. */
  alarm(request: AlarmRequestInit, options?: CallOptions): Promise<AlarmResponse> {
    return this.#caller.unary(alarm, request, options);
  }

  /** Version, sizes, raft state and errors of the member that answers. */
  status(options?: CallOptions): Promise<StatusResponse> {
    return this.#caller.unary(status, {}, options);
  }

  /** Gives the free space of the member's database back. It does not serve meanwhile. */
  defragment(options?: CallOptions): Promise<DefragmentResponse> {
    return this.#caller.unary(defragment, {}, options);
  }

  /** A checksum of the member's whole database; for tests. */
  hash(options?: CallOptions): Promise<HashResponse> {
    return this.#caller.unary(hash, {}, options);
  }

  /** A checksum of the history up to a revision; equal on all healthy members. */
  hashKV(request: HashKVRequestInit, options?: CallOptions): Promise<HashKVResponse> {
    return this.#caller.unary(hashKV, request, options);
  }

  /** Hands leadership over; only the leader can. */
  moveLeader(request: MoveLeaderRequestInit, options?: CallOptions): Promise<MoveLeaderResponse> {
    return this.#caller.unary(moveLeader, request, options);
  }

  /** Validates, begins or cancels a downgrade by one minor version. */
  downgrade(request: DowngradeRequestInit, options?: CallOptions): Promise<DowngradeResponse> {
    return this.#caller.unary(downgrade, request, options);
  }

  /** The member's database in pieces; the last one holds the SHA-256 of all before it. */
  snapshot(options?: CallOptions): AsyncGenerator<SnapshotResponse, void, undefined> {
    return this.#caller.serverStream(snapshot, {}, options);
  }
}
