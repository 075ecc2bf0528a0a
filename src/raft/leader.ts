// What a leader does: on its ticks, and with the answers of the members. Messages may be lost,
// doubled and reordered; every branch below is safe for an answer that comes late or twice.

import { type Message, MessageType } from "../wire/messages/raft.ts";
import { advanceCommit } from "./commit.ts";
import { type Core, messageTo } from "./core.ts";
import type { Progress } from "./progress.ts";
import { confirmReads } from "./reads.ts";
import { sendAppend } from "./replication.ts";
import { becomeFollower } from "./roles.ts";

export function tickLeader(core: Core): void {
  core.heartbeatElapsed++;
  core.electionElapsed++;
  if (core.electionElapsed >= core.options.electionTicks) {
    core.electionElapsed = 0;
    if (core.options.checkQuorum) checkQuorum(core);
    // A successor that has not taken over within this time will not: proposals go on here.
    core.leadTransferee = 0n;
  }
  if (core.role === "leader" && core.heartbeatElapsed >= core.options.heartbeatTicks) {
    core.heartbeatElapsed = 0;
    core.heartbeatPending = true;
  }
}

/** A leader that hears of no quorum cannot commit, and others may have elected a new one. */
function checkQuorum(core: Core): void {
  if (!core.tracker.isQuorumActive()) {
    core.logger.warn(`${core.idHex} stepped down to follower since quorum is not active`);
    becomeFollower(core, core.term, 0n);
  }
  for (const member of core.tracker.members) {
    if (member !== core.tracker.self) member.recentActive = false;
  }
}

export function handleAppendResponse(core: Core, member: Progress, message: Message): void {
  member.recentActive = true;
  if (message.reject) {
    handleRejection(core, member, message);
  } else if (message.index <= core.log.last) {
    handleAcknowledgement(core, member, message.index);
  }
}

function handleRejection(core: Core, member: Progress, message: Message): void {
  const { index, rejectHint, logTerm } = message;
  // The member has `logTerm` at the hint; what is later here cannot agree there either.
  const hint = logTerm > 0 ? core.log.agreementHint(rejectHint, logTerm) : rejectHint;
  if (!member.retreat(index, hint)) return;
  if (member.state === "replicate") member.becomeProbe();
  sendAppend(core, member, true);
}

function handleAcknowledgement(core: Core, member: Progress, index: number): void {
  const isNews = member.acknowledge(index);
  if (!isNews && !(index === member.match && member.state === "probe")) return;
  if (member.state === "probe") {
    member.becomeReplicate();
  } else if (member.state === "replicate") {
    member.inflights.freeUpTo(index);
  } else if (member.match + 1 >= core.log.first) {
    // The log reaches it: whatever became of the snapshot, it is not needed any more.
    member.becomeProbe();
    member.becomeReplicate();
  }
  advanceCommit(core);
  // There may be room in its window again, or a commit index to tell.
  core.appendsPending = true;
  if (member.id === core.leadTransferee && member.match === core.log.last) {
    sendTimeoutNow(core, member);
  }
}

export function handleHeartbeatResponse(core: Core, member: Progress, message: Message): void {
  member.recentActive = true;
  member.paused = false;
  // It lacks something, or a message was lost: an append finds out, an empty one if need be.
  if (member.match < core.log.last || member.state === "probe") sendAppend(core, member, true);
  confirmReads(core, message.from, message.context);
}

/** A message to the member was lost for sure, and perhaps more. */
export function handleUnreachable(member: Progress): void {
  if (member.state === "replicate") member.becomeProbe();
}

/** The server has sent the snapshot, or could not. */
export function handleSnapshotStatus(member: Progress, isDone: boolean): void {
  if (member.state !== "snapshot") return;
  if (!isDone) member.pendingSnapshot = 0;
  member.becomeProbe();
  // Its acknowledgement is due soon, or the next attempt should not follow at once.
  member.paused = true;
}

/** `transferee` is to lead instead. */
export function transferLeadership(core: Core, transferee: bigint): void {
  const member = core.tracker.get(transferee);
  if (member === undefined || member.isLearner || core.leadTransferee === transferee) return;
  core.leadTransferee = 0n;
  if (transferee === core.id) return;
  core.logger.info(
    `${core.idHex} [term ${core.term}] starts to transfer leadership to ${transferee.toString(16)}`,
  );
  core.electionElapsed = 0;
  core.leadTransferee = transferee;
  if (member.match === core.log.last) sendTimeoutNow(core, member);
  else sendAppend(core, member, true);
}

function sendTimeoutNow(core: Core, member: Progress): void {
  core.send(messageTo(member.id, MessageType.MsgTimeoutNow));
}
