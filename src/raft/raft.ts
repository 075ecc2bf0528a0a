// The agreement, as the server drives it: one object per member, pure and synchronous. Time comes
// in as `tick`, peers as `step`, clients as `propose` and `readIndex`; what follows from them goes
// out through `ready`, and `advance` tells that it is done (see ready.ts).
//
//       tick  step  propose  readIndex
//         └─────┴──────┬─────────┘
//                ┌─────▼─────┐   ready()    ┌───────────────────────────────────────┐
//                │   Raft    │ ───────────► │ server: persist, send, apply, confirm │
//                └───────────┘ ◄─────────── └───────────────────────────────────────┘
//                               advance(ready)
//
// Follows etcd-io/raft 3.7 in what members see of each other. Bytes given to `step` and `propose`
// belong to raft from then on: entries are kept as views until they are compacted.

import { assert } from "../base/assert.ts";
import {
  type ConfChange,
  ConfChangeType,
  type ConfChangeV2,
  encodeConfChange,
  encodeConfChangeV2,
  type Message,
  MessageType,
} from "../wire/messages/raft.ts";
import { ascending, configurationOf, isV2 } from "./confchange.ts";
import { Core, type CoreOptions, messageTo } from "./core.ts";
import { leaderEnded, startCampaign, tickElection } from "./election.ts";
import { advance, hasReady, type Outstanding, takeEarly, takeReady } from "./hand-over.ts";
import {
  handleSnapshotStatus,
  handleUnreachable,
  tickLeader,
  transferLeadership,
} from "./leader.ts";
import { RaftLog } from "./log.ts";
import { applyConfChange } from "./membership.ts";
import type { ProgressState } from "./progress.ts";
import { type ProposeResult, propose } from "./proposals.ts";
import { contextEntry, isOnlyVoterAndLeader, requestRead } from "./reads.ts";
import {
  type ConfState,
  type Early,
  type Entry,
  EntryType,
  type HardState,
  type Ready,
  type Role,
} from "./ready.ts";
import { owesCommits } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import { forward, step } from "./step.ts";
import { Tracker } from "./tracker.ts";

/** What a member knows when it starts; a new one: all zero and empty. */
export interface Restored {
  readonly hardState: HardState;
  /** Of the state machine, at `applied`; changes up to there are not applied to raft again. */
  readonly confState: ConfState;
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  /** What follows the snapshot in the WAL. */
  readonly entries: readonly Entry[];
  /**
   * Committed entries after this one are handed out (again). May exceed the commit index, which
   * is not synced; the entries between are handed out when they are committed again.
   */
  readonly applied: number;
}

export interface RaftOptions extends CoreOptions {
  readonly inflightCountMax: number;
  readonly inflightBytesMax: number;
  readonly restored: Restored;
}

/** An initial member; its context is what the application needs to know of it. */
export interface Peer {
  readonly id: bigint;
  readonly context: Uint8Array;
}

export interface ProgressStatus {
  readonly match: number;
  readonly next: number;
  readonly state: ProgressState;
  readonly isLearner: boolean;
  readonly isPaused: boolean;
  readonly recentActive: boolean;
  readonly pendingSnapshot: number;
  readonly inflightCount: number;
}

export interface RaftStatus {
  readonly id: bigint;
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
  readonly applied: number;
  readonly lead: bigint;
  readonly role: Role;
  readonly leadTransferee: bigint;
  readonly confState: ConfState;
  /** Of all members, by ascending id; empty unless this member leads. */
  readonly progress: ReadonlyMap<bigint, ProgressStatus>;
}

/** Ids that stand for threads inside of etcd-io/raft: no member can have them. */
const RESERVED_IDS: readonly bigint[] = [0n, 2n ** 64n - 1n, 2n ** 64n - 2n];

export class Raft {
  readonly #core: Core;
  #outstanding: Outstanding | undefined;

  constructor(options: RaftOptions) {
    checkOptions(options);
    const { hardState, confState, snapshotIndex, snapshotTerm, entries } = options.restored;
    const snapshot = { index: snapshotIndex, term: snapshotTerm, confState };
    const log = new RaftLog(snapshot, entries);
    const isUnset = hardState.term === 0 && hardState.vote === 0n && hardState.commit === 0;
    if (!isUnset) {
      const { commit } = hardState;
      assert(commit >= log.offset && commit <= log.last, `commit ${commit} is not in the log`);
      log.commit = commit;
    }
    log.applied = Math.min(Math.max(options.restored.applied, log.offset), log.commit);
    log.applying = log.applied;
    const tracker = new Tracker(options.id, configurationOf(confState), log.last, options);
    const { term, vote } = hardState;
    this.#core = new Core(options, log, tracker, { term, vote, commit: log.commit });
    this.#core.isLearner = tracker.self?.isLearner ?? false;
    becomeFollower(this.#core, term, 0n);
  }

  /**
   * Begins a new cluster, on an empty log: every initial member writes the same first entries, so
   * `peers` must be the same everywhere. The application applies them like all others.
   */
  bootstrap(peers: readonly Peer[]): void {
    const core = this.#core;
    assert(core.log.last === 0 && core.term === 0, "a cluster begins with empty logs");
    assert(peers.length > 0, "a cluster begins with a member");
    becomeFollower(core, 1, 0n);
    for (const { id, context } of [...peers].sort((a, b) => ascending(a.id, b.id))) {
      const type = ConfChangeType.ConfChangeAddNode;
      // Without the change's own id: nobody waits for it.
      const data = encodeConfChange({ type, nodeId: id, context });
      core.log.append({ term: 1, index: core.log.last + 1, type: EntryType.ConfChange, data });
      applyConfChange(core, { id: 0n, type, nodeId: id, context });
    }
    core.log.commitTo(core.log.last);
  }

  tick(): void {
    if (this.#core.role === "leader") tickLeader(this.#core);
    else tickElection(this.#core);
  }

  /** Stands for election now, as if the election timeout had passed. */
  campaign(): void {
    startCampaign(this.#core, this.#core.options.preVote ? "pre-election" : "election");
  }

  /** A message from a member; what is not meant for the network or makes no sense is ignored. */
  step(message: Message): void {
    if (isLocal(message.type)) return;
    if (isResponse(message.type) && this.#core.tracker.get(message.from) === undefined) return;
    step(this.#core, message);
  }

  /** `data` must not change any more. */
  propose(data: Uint8Array): ProposeResult {
    return propose(this.#core, EntryType.Normal, data);
  }

  /**
   * A change of one member (V1) or of several at once (V2). "ok" does not mean accepted: a leader
   * lets only one change at a time into the log and replaces others by an empty entry.
   */
  proposeConfChange(change: ConfChange | ConfChangeV2): ProposeResult {
    return isV2(change)
      ? propose(this.#core, EntryType.ConfChangeV2, encodeConfChangeV2(change))
      : propose(this.#core, EntryType.ConfChange, encodeConfChange(change));
  }

  /** When the entry is applied; also for one that the application refuses, with nodeId 0n. */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    return applyConfChange(this.#core, change);
  }

  /** The answer is a ReadState with the same `context`, some Readies later or, if lost, never. */
  readIndex(context: Uint8Array): void {
    const core = this.#core;
    if (core.role === "leader") {
      requestRead(core, 0n, context);
    } else if (core.role === "follower") {
      const message = messageTo(0n, MessageType.MsgReadIndex);
      message.entries = [contextEntry(context)];
      forward(core, message);
    }
  }

  transferLeadership(to: bigint): void {
    const core = this.#core;
    if (core.role === "leader") {
      transferLeadership(core, to);
    } else if (core.role === "follower") {
      const message = messageTo(0n, MessageType.MsgTransferLeader);
      message.from = to;
      forward(core, message);
    }
  }

  /** The transport could not deliver something to `id`. */
  reportUnreachable(id: bigint): void {
    const member = this.#core.tracker.get(id);
    if (this.#core.role === "leader" && member !== undefined) handleUnreachable(member);
  }

  /** Nothing listens any more where `id` did: its process has ended, its machine is there. */
  reportRefused(id: bigint): void {
    const { role, lead } = this.#core;
    if (role === "follower" && id === lead) leaderEnded(this.#core);
  }

  /** The snapshot for `id` was delivered, or was not. Every one that was sent must be reported. */
  reportSnapshot(id: bigint, ok: boolean): void {
    const member = this.#core.tracker.get(id);
    if (this.#core.role === "leader" && member !== undefined) handleSnapshotStatus(member, ok);
  }

  /** The applied state at `index` can be sent to others. False if there is a newer one. */
  createSnapshot(index: number, confState: ConfState): boolean {
    return this.#core.log.createSnapshot(index, confState);
  }

  /** Entries up to `index`, which a snapshot covers, are forgotten. False if they were. */
  compact(index: number): boolean {
    return this.#core.log.compact(index);
  }

  /** While more entries are due at once: commit indexes that nobody awaits travel with them. */
  set holdsCommits(value: boolean) {
    this.#core.holdsCommits = value;
  }

  /** This member leads, and some member has not been told the commit index. */
  get owesCommits(): boolean {
    return this.#core.role === "leader" && owesCommits(this.#core);
  }

  /** Entries to travel with did not come: every member is told with the next messages. */
  tellCommits(): void {
    const core = this.#core;
    for (const member of core.tracker.members) member.tellSoon(core.log.commit);
    core.appendsPending ||= core.role === "leader";
  }

  hasReady(): boolean {
    return hasReady(this.#core);
  }

  /** One at a time: the next one is taken after `advance`. */
  ready(): Ready {
    assert(this.#outstanding === undefined, "one Ready is outstanding at a time");
    this.#outstanding = takeReady(this.#core);
    return this.#outstanding.ready;
  }

  /**
   * While a Ready is outstanding: what can go on without it. `durableIndex`: committed entries up
   * to there may be applied now, because they are durable and all before them are applied; 0: none.
   */
  early(durableIndex: number): Early | undefined {
    assert(this.#outstanding !== undefined, "without a Ready under way nothing is early");
    return takeEarly(this.#core, this.#outstanding, durableIndex);
  }

  advance(ready: Ready): void {
    const outstanding = this.#outstanding;
    assert(outstanding !== undefined && outstanding.ready === ready, "the Ready is outstanding");
    this.#outstanding = undefined;
    advance(this.#core, outstanding);
  }

  get id(): bigint {
    return this.#core.id;
  }

  get term(): number {
    return this.#core.term;
  }

  /** 0n: none known. */
  get lead(): bigint {
    return this.#core.lead;
  }

  get role(): Role {
    return this.#core.role;
  }

  get isLeader(): boolean {
    return this.#core.role === "leader";
  }

  get isLearner(): boolean {
    return this.#core.isLearner;
  }

  /** Nobody else's answer is needed for anything: reads may take `commit` as their index. */
  get isOnlyVoterAndLeader(): boolean {
    return isOnlyVoterAndLeader(this.#core);
  }

  get commit(): number {
    return this.#core.log.commit;
  }

  /** As `advance` was told. */
  get applied(): number {
    return this.#core.log.applied;
  }

  get firstIndex(): number {
    return this.#core.log.first;
  }

  get lastIndex(): number {
    return this.#core.log.last;
  }

  /** The term of the entry at `index`; -1 if it was compacted or does not exist. */
  termAt(index: number): number {
    return this.#core.log.term(index);
  }

  status(): RaftStatus {
    const { id, term, vote, lead, role, leadTransferee, log, tracker } = this.#core;
    const progress = new Map<bigint, ProgressStatus>();
    for (const member of role === "leader" ? tracker.members : []) {
      const { match, next, state, isLearner, recentActive, pendingSnapshot } = member;
      const isPaused = member.isPaused();
      const inflightCount = member.inflights.count;
      progress.set(member.id, {
        match,
        next,
        state,
        isLearner,
        isPaused,
        recentActive,
        pendingSnapshot,
        inflightCount,
      });
    }
    const { commit, applied } = log;
    const confState = tracker.confState();
    return { id, term, vote, commit, applied, lead, role, leadTransferee, confState, progress };
  }
}

function checkOptions(options: RaftOptions): void {
  assert(!RESERVED_IDS.includes(options.id), "a member has an id of its own");
  assert(options.heartbeatTicks > 0, "heartbeats take time");
  assert(options.electionTicks > options.heartbeatTicks, "a heartbeat comes before an election");
  assert(options.inflightCountMax > 0, "at least one message may be under way");
}

function isLocal(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgHup:
    case MessageType.MsgBeat:
    case MessageType.MsgUnreachable:
    case MessageType.MsgSnapStatus:
    case MessageType.MsgCheckQuorum:
    case MessageType.MsgStorageAppend:
    case MessageType.MsgStorageAppendResp:
    case MessageType.MsgStorageApply:
    case MessageType.MsgStorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** Meaningful only from a member: others are asked by nobody. */
function isResponse(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgAppResp:
    case MessageType.MsgVoteResp:
    case MessageType.MsgHeartbeatResp:
    case MessageType.MsgReadIndexResp:
    case MessageType.MsgPreVoteResp:
      return true;
    default:
      return false;
  }
}
