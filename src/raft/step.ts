// A message arrives. First the terms are compared, which may end the role of this member; then the
// role decides. What makes no sense in a role is ignored: it is late, doubled or misdirected.

import { type Message, MessageType } from "../wire/messages/raft.ts";
import { type Core, messageTo } from "./core.ts";
import { answerVote, CAMPAIGN_TRANSFER, countVote, startCampaign } from "./election.ts";
import { handleAppend, handleHeartbeat, handleSnapshot } from "./follower.ts";
import { handleAppendResponse, handleHeartbeatResponse, transferLeadership } from "./leader.ts";
import { handleProposal } from "./proposals.ts";
import { requestRead } from "./reads.ts";
import { becomeFollower } from "./roles.ts";

export function step(core: Core, message: Message): void {
  if (!Number.isSafeInteger(message.term) || !Number.isSafeInteger(message.index)) return;
  if (message.term === 0 && !mayLackTerm(message.type)) return;
  if (message.term !== 0 && !admit(core, message)) return;
  switch (message.type) {
    case MessageType.MsgVote:
    case MessageType.MsgPreVote:
      answerVote(core, message);
      return;
    case MessageType.MsgProp:
      handleProposal(core, message);
      return;
    default:
      if (core.role === "leader") stepLeader(core, message);
      else if (core.role === "follower") stepFollower(core, message);
      else stepCandidate(core, message);
  }
}

/** Requests that are passed on, whatever the term of who asked. */
function mayLackTerm(type: MessageType): boolean {
  return (
    type === MessageType.MsgProp ||
    type === MessageType.MsgReadIndex ||
    type === MessageType.MsgTransferLeader ||
    type === MessageType.MsgForgetLeader
  );
}

/** Compares the terms; false if the message ends here. */
function admit(core: Core, message: Message): boolean {
  if (message.term > core.term) return admitNewer(core, message);
  if (message.term === core.term) return true;
  const { checkQuorum, preVote } = core.options;
  const { type } = message;
  if (type === MessageType.MsgPreVote) {
    answerStale(core, message, MessageType.MsgPreVoteResp, true);
  } else if (
    (checkQuorum || preVote) &&
    (type === MessageType.MsgApp || type === MessageType.MsgHeartbeat)
  ) {
    // A leader of an old term would otherwise never learn of the new one: a member that hears a
    // leader ignores the votes of others, so the higher term could not spread.
    answerStale(core, message, MessageType.MsgAppResp, false);
  }
  return false;
}

function admitNewer(core: Core, message: Message): boolean {
  const { type } = message;
  const isVote = type === MessageType.MsgVote;
  const isPreVote = type === MessageType.MsgPreVote;
  if ((isVote || isPreVote) && isInLease(core) && !isTransfer(message)) {
    core.logger.info(
      `${core.idHex} ignores the ${isVote ? "vote" : "pre-vote"} of ` +
        `${message.from.toString(16)} at term ${core.term}: lease is not expired`,
    );
    return false;
  }
  // Nothing has begun in that term yet.
  if (isPreVote || (type === MessageType.MsgPreVoteResp && !message.reject)) return true;
  const isOfLeader =
    type === MessageType.MsgApp ||
    type === MessageType.MsgHeartbeat ||
    type === MessageType.MsgSnap;
  becomeFollower(core, message.term, isOfLeader ? message.from : 0n);
  return true;
}

/** A leader is heard (or is this member): no vote that it did not ask for itself. */
function isInLease(core: Core): boolean {
  const { checkQuorum, electionTicks } = core.options;
  return checkQuorum && core.lead !== 0n && core.electionElapsed < electionTicks;
}

function isTransfer({ context }: Message): boolean {
  if (context.length !== CAMPAIGN_TRANSFER.length) return false;
  return CAMPAIGN_TRANSFER.every((byte, at) => context[at] === byte);
}

function answerStale(core: Core, message: Message, type: MessageType, reject: boolean): void {
  const answer = messageTo(message.from, type);
  answer.term = core.term;
  answer.reject = reject;
  core.sendAfterAppend(answer);
}

function stepLeader(core: Core, message: Message): void {
  const { type } = message;
  if (type === MessageType.MsgReadIndex) {
    const context = message.entries[0]?.data;
    if (context !== undefined) requestRead(core, message.from, context);
    return;
  }
  if (type === MessageType.MsgTransferLeader) {
    transferLeadership(core, message.from);
    return;
  }
  const member = core.tracker.get(message.from);
  if (member === undefined) return;
  if (type === MessageType.MsgAppResp) handleAppendResponse(core, member, message);
  else if (type === MessageType.MsgHeartbeatResp) handleHeartbeatResponse(core, member, message);
}

function stepCandidate(core: Core, message: Message): void {
  const isPre = core.role === "pre-candidate";
  switch (message.type) {
    case MessageType.MsgApp:
    case MessageType.MsgHeartbeat:
    case MessageType.MsgSnap:
      // Somebody else has won this term.
      becomeFollower(core, message.term, message.from);
      stepFollower(core, message);
      return;
    case MessageType.MsgVoteResp:
      if (!isPre) countVote(core, message);
      return;
    case MessageType.MsgPreVoteResp:
      if (isPre) countVote(core, message);
      return;
  }
}

function stepFollower(core: Core, message: Message): void {
  switch (message.type) {
    case MessageType.MsgApp:
      hearLeader(core, message.from);
      handleAppend(core, message);
      return;
    case MessageType.MsgHeartbeat:
      hearLeader(core, message.from);
      handleHeartbeat(core, message);
      return;
    case MessageType.MsgSnap:
      hearLeader(core, message.from);
      handleSnapshot(core, message);
      return;
    case MessageType.MsgReadIndex:
    case MessageType.MsgTransferLeader:
      forward(core, message);
      return;
    case MessageType.MsgReadIndexResp:
      if (message.entries.length === 1) {
        core.readStates.push({ index: message.index, context: message.entries[0]!.data });
      }
      return;
    case MessageType.MsgTimeoutNow:
      // The leader has checked that the log is complete, so no pre-vote.
      startCampaign(core, "transfer");
      return;
    case MessageType.MsgForgetLeader:
      core.lead = 0n;
      return;
  }
}

function hearLeader(core: Core, from: bigint): void {
  core.electionElapsed = 0;
  core.lead = from;
}

/** To the leader; lost if there is none. `from` stays who asked, or who is to lead. */
export function forward(core: Core, message: Message): void {
  if (core.lead === 0n) return;
  const copy = messageTo(core.lead, message.type);
  copy.from = message.from === 0n ? core.id : message.from;
  copy.entries = message.entries;
  // A read is no statement about a term; with one, etcd's followers would die of it.
  copy.term = message.type === MessageType.MsgTransferLeader ? core.term : 0;
  core.messages.push(copy);
}
