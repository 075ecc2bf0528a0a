// The door to the other members. Real: `net/peer/` speaks etcd's rafthttp over HTTP/1.1. Simulated:
// `test/simulation/sim-network.ts` loses, delays, doubles and reorders the encoded messages. The
// contract is weak on purpose: nothing that is sent need arrive, and raft lives with that.
//
//   raft ─ messages of a turn ─► send ~~~~~~~~~~~~~~► PeerHandlers.message ─► raft.step
//        ─ MsgSnap + database ─► sendSnapshot ~~~~~~► PeerHandlers.snapshot ─► SnapshotSink
//        ─ anything else ──────► ask ~~~~~~~~~~~~~~~► PeerHandlers.request   (GET /members, …)

import type { Message } from "../wire/messages/raft.ts";
import type { Done } from "./io.ts";

export interface Network {
  /** Once, before anything else: who we are, who hears. Nothing is heard or dialled before. */
  listen(handlers: PeerHandlers): void;
  /** A member of the cluster (not this one): links to it are kept up until it is removed. */
  addPeer(id: bigint, urls: readonly string[]): void;
  /** Who wrote to us but is in no configuration that we know: can be answered, is not dialled. */
  addRemote(id: bigint, urls: readonly string[]): void;
  updatePeer(id: bigint, urls: readonly string[]): void;
  removePeer(id: bigint): void;
  /**
   * To `message.to`, each; in order of sending per peer and kind. Encoded before this returns.
   * Never waits: what a full queue has no room for is dropped and reported as unreachable.
   * Messages to unknown members are dropped.
   */
  send(messages: readonly Message[]): void;
  /** A message of type MsgSnap with the whole database; reported by `PeerHandlers.snapshotSent`. */
  sendSnapshot(message: Message, database: SnapshotSource): void;
  /** A question to whoever listens at a peer URL. `done` is called once, also after a timeout. */
  ask(url: string, request: PeerRequest, done: (answer: PeerAnswer | Error) => void): void;
  /** Monotonic time since when the peer's link has been up; undefined while it is down. */
  activeSinceMs(id: bigint): number | undefined;
  /** Ends all links; nothing is heard any more. */
  close(): void;
}

/** What the server says of itself and does with what comes in. */
export interface PeerHandlers {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** As in "3.7.3", and the oldest version of a peer that is understood. */
  readonly version: string;
  readonly minClusterVersion: string;
  /** As the cluster knows them now: told to peers that do not know us. */
  peerUrls(): readonly string[];
  isRemoved(id: bigint): boolean;
  /** A message for this member; its bytes belong to the receiver. */
  message(message: Message): void;
  /** A snapshot begins to arrive: its MsgSnap and the database after it. */
  snapshot(message: Message): SnapshotSink;
  snapshotSent(to: bigint, isOk: boolean): void;
  /** A message to this peer was dropped, or its link broke. */
  unreachable(id: bigint): void;
  /** All URLs of this peer refuse connections: its machine is there, its process has ended. */
  refused(id: bigint): void;
  /** A peer says that this member was removed from the cluster: it must stop for good. */
  removed(): void;
  /** A question other than raft traffic; `answer` is called once. */
  request(request: PeerRequest, answer: (answer: PeerAnswer) => void): void;
}

/** The database as it was pinned for this snapshot; `BackendSnapshot` is one. */
export interface SnapshotSource {
  readonly sizeBytes: number;
  /** Fills `target` from `position`; returns how much there was. */
  read(position: number, target: Uint8Array): number;
  /** Must be called, also when not all was read. */
  close(): void;
}

/** Takes an arriving database; one of `end` and `abort` is called at the end. */
export interface SnapshotSink {
  /** The next piece may come after `done`. With an error the transfer is refused. */
  write(bytes: Uint8Array, done: Done): void;
  /** All has come; `done` when it is durable and given to raft. */
  end(done: Done): void;
  abort(error: Error): void;
}

export interface PeerRequest {
  readonly method: "GET" | "POST";
  /** With the query, as in "/members/promote/123". */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Asking only; default 5 s. */
  readonly timeoutMs?: number;
}

export interface PeerAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
