// ReadIndex: a leader tells at which index a linearizable read may look at the state. It has to
// make sure that it still is the leader, so it waits until a quorum has answered a heartbeat that
// was sent after the request came in.
//
//   positions:   0 … confirmed │ confirmed+1 … issued │
//                answered      │ waiting              │ next request
//
// A heartbeat carries the position of the newest waiting request, 8 bytes little-endian; members
// return it unchanged. What a quorum has returned confirms all requests up to there. One round at
// a time: what comes in while an answer is awaited shares the next one (the heartbeats of the ticks
// repeat a round that was lost). Requests are lost without a word when leadership is: who asked
// asks again.
//
// The question of a follower is such an answer itself. When it asked, at t, it followed this leader
// or an earlier one, so it had voted in no later term; this leader has not to this day. If the two
// are a quorum (two of three voters), nobody can have been elected in a later term before t, and
// what was committed before t is in this leader's log, below its commit index. So its heartbeats
// need not be asked. Reads that were asked of the leader itself gain nothing: they may be after t.

import { type Message, MessageType } from "../wire/messages/raft.ts";
import { type Core, messageTo, type ReadRequest } from "./core.ts";
import { type Entry, EntryType } from "./ready.ts";

/**
 * Requests that wait. Every member has one round under way and repeats it twice a second, so
 * thousands mean that nobody is confirming: more are dropped, as every lost request is.
 */
const WAITING_READS_MAX = 4096;

/** Of a position in the context of a heartbeat. */
const POSITION_BYTES = 8;

/** On the leader. `from` is 0n or the own id for a read that was asked for here. */
export function requestRead(core: Core, from: bigint, context: Uint8Array): void {
  const request: ReadRequest = { from, context, index: core.log.commit };
  if (hasCommittedInTerm(core)) {
    confirm(core, request);
  } else if (core.pendingReads.length < WAITING_READS_MAX) {
    // Before that a leader cannot know what its predecessors had committed. Even a single voter
    // may have committed more before its restart than it remembers: the index is not synced.
    core.pendingReads.push(request);
  }
}

/** The only voter is this member, and it leads: its commit index is up to date. */
export function isOnlyVoterAndLeader(core: Core): boolean {
  if (core.role !== "leader" || !core.tracker.isSingleton || !hasCommittedInTerm(core)) {
    return false;
  }
  // A leader that was removed must ask the voter that is left: it may lead already.
  return core.tracker.incoming[0] === core.tracker.self;
}

function confirm(core: Core, request: ReadRequest): void {
  // Who asks has voted for nobody later, as this leader: see above. One voter is enough of itself.
  if (core.tracker.isQuorum(core.id, request.from)) answer(core, request);
  else enqueue(core, request);
}

/** On the leader, when its commit index has moved. */
export function releasePendingReads(core: Core): void {
  if (core.pendingReads.length === 0 || !hasCommittedInTerm(core)) return;
  const requests = core.pendingReads;
  core.pendingReads = [];
  for (const request of requests) {
    request.index = core.log.commit;
    confirm(core, request);
  }
}

function enqueue(core: Core, request: ReadRequest): void {
  const reads = core.reads;
  if (reads.waiting.length >= WAITING_READS_MAX) return;
  reads.waiting.push(request);
  reads.acknowledged.set(core.id, issuedPosition(core));
  startRound(core);
}

/** Unless one is under way, or nobody waits. */
function startRound(core: Core): void {
  const { waiting, asked, confirmed } = core.reads;
  if (waiting.length > 0 && asked <= confirmed) core.heartbeatPending = true;
}

/** A member has answered a heartbeat that carried `context`. */
export function confirmReads(core: Core, from: bigint, context: Uint8Array): void {
  const position = positionIn(context);
  // Not one of ours: nothing to trust.
  if (position <= 0 || position > issuedPosition(core)) return;
  const reads = core.reads;
  if (position <= (reads.acknowledged.get(from) ?? 0)) return;
  reads.acknowledged.set(from, position);
  const count = core.tracker.reached(reads.acknowledged) - reads.confirmed;
  if (count <= 0) return;
  const confirmed = reads.waiting.splice(0, count);
  reads.confirmed += confirmed.length;
  for (const request of confirmed) answer(core, request);
  startRound(core);
}

function answer(core: Core, request: ReadRequest): void {
  const { from, context, index } = request;
  if (from === 0n || from === core.id) {
    core.readStates.push({ index, context });
    return;
  }
  // Who asked has to wait until its member has applied that.
  const asker = core.tracker.get(from);
  if (asker !== undefined && index > asker.sentCommit) {
    asker.tellSoon(index);
    core.appendsPending = true;
  }
  const message = messageTo(from, MessageType.MsgReadIndexResp);
  message.index = index;
  message.entries = [contextEntry(context)];
  core.send(message);
}

/** Messages carry the context of a read as the data of their only entry. */
export function contextEntry(context: Uint8Array): Entry {
  return { term: 0, index: 0, type: EntryType.Normal, data: context };
}

function hasCommittedInTerm(core: Core): boolean {
  return core.log.matches(core.log.commit, core.term);
}

/** To all members, learners too; collected until the next Ready, so that reads share one. */
export function flushHeartbeat(core: Core): void {
  core.heartbeatPending = false;
  core.reads.asked = issuedPosition(core);
  const context = core.reads.waiting.length > 0 ? positionBytes(core.reads.asked) : undefined;
  for (const member of core.tracker.members) {
    if (member === core.tracker.self) continue;
    const message: Message = messageTo(member.id, MessageType.MsgHeartbeat);
    // Never more than the member is known to have: it dies if told to commit what it lacks.
    message.commit = Math.min(member.match, core.log.commit);
    if (context !== undefined) message.context = context;
    core.send(message);
  }
}

function issuedPosition(core: Core): number {
  return core.reads.confirmed + core.reads.waiting.length;
}

function positionBytes(position: number): Uint8Array {
  const bytes = new Uint8Array(POSITION_BYTES);
  let rest = position;
  for (let at = 0; at < POSITION_BYTES; at++) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** 0 for anything that is not a position. */
function positionIn(context: Uint8Array): number {
  if (context.length !== POSITION_BYTES) return 0;
  let position = 0;
  for (let at = POSITION_BYTES - 1; at >= 0; at--) position = position * 256 + context[at]!;
  return position;
}
