// The two ends of a Ready: what has gathered is taken out of the core, and when the server is done
// with it (`advance`) the core learns what is durable and applied. Only then a member's own
// entries and votes count, so that a quorum always means: on that many disks.

import { type Message, MessageType } from "../wire/messages/raft.ts";
import { advanceCommit } from "./commit.ts";
import type { Core } from "./core.ts";
import { payloadBytes } from "./log.ts";
import { leaveJointIfDue } from "./membership.ts";
import { flushHeartbeat } from "./reads.ts";
import {
  type Early,
  type Entry,
  EntryType,
  type HardState,
  type Ready,
  type SoftState,
} from "./ready.ts";
import { flushAppends, hasCommitToTell } from "./replication.ts";
import { step } from "./step.ts";

/** A Ready that the server works on, and what its end will tell the core. */
export interface Outstanding {
  readonly ready: Ready;
  readonly term: number;
  readonly isLeader: boolean;
  /** The end of the log when it was taken: all up to here was handed out. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly selfVotes: readonly Message[];
}

export function hasReady(core: Core): boolean {
  const log = core.log;
  return (
    log.last > log.handed ||
    log.hasCommittedToApply() ||
    core.messages.length > 0 ||
    core.messagesAfterAppend.length > 0 ||
    core.readStates.length > 0 ||
    core.selfVotes.length > 0 ||
    core.appendsPending ||
    core.heartbeatPending ||
    hardStateChanged(core) ||
    softStateChanged(core) ||
    (log.pendingSnapshot !== undefined && !log.pendingSnapshotHanded)
  );
}

export function takeReady(core: Core): Outstanding {
  if (core.heartbeatPending) flushHeartbeat(core);
  if (core.appendsPending) flushAppends(core);
  const log = core.log;
  const { term, vote } = core.hardState;
  const entries = log.slice(log.handed + 1, log.last, Number.POSITIVE_INFINITY);
  const snapshot = log.pendingSnapshotHanded ? undefined : log.pendingSnapshot;
  const isPromise = entries.length > 0 || term !== core.term || vote !== core.vote;
  const ready: Ready = {
    softState: takeSoftState(core),
    hardState: takeHardState(core),
    readStates: core.readStates,
    entries,
    snapshot,
    committed: takeCommitted(core),
    messages: takeMessages(core),
    // With a snapshot the commit index matters too: it must not come back below the snapshot.
    mustSync: isPromise || snapshot !== undefined,
  };
  log.handed = log.last;
  log.pendingSnapshotHanded = log.pendingSnapshot !== undefined;
  core.superseded = undefined;
  const selfVotes = core.selfVotes;
  core.selfVotes = [];
  core.readStates = [];
  return {
    ready,
    term: core.term,
    isLeader: core.role === "leader",
    lastIndex: log.last,
    lastTerm: log.lastTerm,
    selfVotes,
  };
}

/** The server has persisted, sent and applied what it was given. */
export function advance(core: Core, outstanding: Outstanding): void {
  const { ready, term, lastIndex, lastTerm } = outstanding;
  if (outstanding.isLeader && core.role === "leader" && core.term === term) {
    const self = core.tracker.self;
    if (self?.acknowledge(lastIndex) === true) advanceCommit(core);
  }
  for (const vote of outstanding.selfVotes) step(core, vote);
  // In a new term the tail may have been replaced and put back: the next Ready settles it.
  if (core.term === term) core.log.stableTo(lastTerm, lastIndex);
  const snapshotIndex = ready.snapshot?.metadata?.index;
  if (snapshotIndex !== undefined) core.log.snapshotDone(snapshotIndex);
  const last = ready.committed.at(-1);
  if (last !== undefined) {
    core.log.applied = Math.max(core.log.applied, last.index);
    core.uncommittedBytes = Math.max(0, core.uncommittedBytes - payloadBytes(ready.committed));
  }
  if (last !== undefined || snapshotIndex !== undefined) leaveJointIfDue(core);
}

/**
 * While the server still works on `outstanding`: a leader's messages, which need nothing durable of
 * it; what others only pass on; and committed entries up to `durableIndex`, which are durable here.
 * New entries alone wait for the next Ready: the members' disks are busy with those before.
 */
export function takeEarly(
  core: Core,
  outstanding: Outstanding,
  durableIndex: number,
): Early | undefined {
  const isLeader = outstanding.isLeader && core.role === "leader" && core.term === outstanding.term;
  if (isLeader && core.heartbeatPending) flushHeartbeat(core);
  if (isLeader && core.appendsPending && isAnyToBeTold(core)) flushAppends(core);
  const committed = takeCommittedEarly(core, durableIndex);
  const { readStates } = core;
  core.readStates = [];
  const messages = isLeader ? takeUrgent(core, () => true) : takeUrgent(core, isPassedOn);
  if (committed.length === 0 && readStates.length === 0 && messages.length === 0) return undefined;
  return { readStates, messages, committed };
}

function isAnyToBeTold(core: Core): boolean {
  for (const member of core.tracker.members) if (hasCommitToTell(core, member)) return true;
  return false;
}

/** Requests of clients for the leader: no statement of this member's. */
function isPassedOn({ type }: Message): boolean {
  return type === MessageType.MsgProp || type === MessageType.MsgReadIndex;
}

function takeUrgent(core: Core, isUrgent: (message: Message) => boolean): Message[] {
  const { messages } = core;
  if (messages.length === 0 || !messages.some(isUrgent)) return [];
  core.messages = messages.filter((message) => !isUrgent(message));
  core.forwarding = undefined;
  return messages.filter(isUrgent);
}

/** Changes of the configuration keep their place in a Ready: messages depend on them. */
function takeCommittedEarly(core: Core, durableIndex: number): Entry[] {
  const { log } = core;
  if (!log.hasCommittedToApply()) return [];
  const last = Math.min(log.commit, log.handed, durableIndex);
  const entries = log.slice(log.applying + 1, last, core.options.maxSizePerMessageBytes);
  const change = entries.findIndex(({ type }) => type !== EntryType.Normal);
  if (change >= 0) entries.length = change;
  const index = entries.at(-1)?.index;
  if (index === undefined) return entries;
  log.applying = index;
  log.applied = Math.max(log.applied, index);
  core.uncommittedBytes = Math.max(0, core.uncommittedBytes - payloadBytes(entries));
  return entries;
}

function takeCommitted(core: Core): Entry[] {
  const log = core.log;
  if (!log.hasCommittedToApply()) return [];
  const limit = core.options.maxSizePerMessageBytes;
  const committed = log.slice(log.applying + 1, log.commit, limit);
  log.applying = committed.at(-1)!.index;
  return committed;
}

function takeMessages(core: Core): Message[] {
  const messages = core.messages;
  if (core.messagesAfterAppend.length > 0) {
    messages.push(...core.messagesAfterAppend);
    core.messagesAfterAppend = [];
  }
  core.messages = [];
  core.forwarding = undefined;
  return messages;
}

function hardStateChanged({ hardState, term, vote, log }: Core): boolean {
  return hardState.term !== term || hardState.vote !== vote || hardState.commit !== log.commit;
}

function takeHardState(core: Core): HardState | undefined {
  if (!hardStateChanged(core)) return undefined;
  core.hardState = { term: core.term, vote: core.vote, commit: core.log.commit };
  return core.hardState;
}

function softStateChanged({ softState, lead, role }: Core): boolean {
  return softState.lead !== lead || softState.role !== role;
}

function takeSoftState(core: Core): SoftState | undefined {
  if (!softStateChanged(core)) return undefined;
  core.softState = { lead: core.lead, role: core.role };
  return core.softState;
}
