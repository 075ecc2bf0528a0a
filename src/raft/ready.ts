// What raft and the server hand to each other: entries, hard state, and the batches ("Ready")
// in which raft's decisions reach the disk, the peers and the state machine.
//
//   raft.ready() ──► persist snapshot, entries, hardState (fsync if mustSync)
//                ──► send messages ──► apply committed ──► raft.advance(ready)
//
// A follower's messages may leave only after the persisting; a leader's may leave before, since
// its own entries count towards the quorum in `advance` only. One Ready is outstanding at a time;
// ticks, messages and proposals that arrive meanwhile go into the next one.

import type { Message, Snapshot } from "../wire/messages/raft.ts";

/** The numbers of raftpb.EntryType. */
export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** One object from proposal to compaction, shared by the log, the WAL and apply. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** Empty for the entry with which a leader opens its term, and for a refused conf change. */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** 0n: no vote in this term. */
  readonly vote: bigint;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: bigint[];
  readonly learners: bigint[];
  readonly votersOutgoing: bigint[];
  readonly learnersNext: bigint[];
  readonly autoLeave: boolean;
}

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

export interface SoftState {
  /** 0n: none known. */
  readonly lead: bigint;
  readonly role: Role;
}

/** Whoever asked with `context` may read once everything up to `index` is applied. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

export interface Ready {
  /** Only when it changed. */
  readonly softState: SoftState | undefined;
  /** Only when it changed. */
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  /** To persist. May overwrite what was persisted before from the first index on. */
  readonly entries: readonly Entry[];
  /** Received from the leader; to persist before `entries`, and to replace the state machine. */
  readonly snapshot: Snapshot | undefined;
  /** To apply, in order. May contain entries of this very Ready: persist first. */
  readonly committed: readonly Entry[];
  /** To send. One of type Snap has metadata only; the server supplies the data. */
  readonly messages: readonly Message[];
  /** A commit index alone needs no sync: it is learned again. */
  readonly mustSync: boolean;
}

/** What need not wait for the end of the Ready that is being worked on. */
export interface Early {
  readonly readStates: readonly ReadState[];
  readonly messages: readonly Message[];
  /** To apply at once; raft takes them for applied. */
  readonly committed: readonly Entry[];
}
