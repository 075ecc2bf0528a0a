// Elections: when a member campaigns, whom it asks, and what it answers when asked.
//
// With PreVote a campaign begins with the question "would you vote for me in the next term?",
// which changes nothing on either side: a member that was cut off and comes back does not disturb
// a leader that is well. With CheckQuorum a member that hears its leader does not even answer.

import { type Message, MessageType } from "../wire/messages/raft.ts";
import { type Core, messageTo } from "./core.ts";
import { EntryType } from "./ready.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";

export type Campaign = "pre-election" | "election" | "transfer";

/** The leader itself has asked for this election, so its lease is no reason to refuse. */
export const CAMPAIGN_TRANSFER: Uint8Array = new TextEncoder().encode("CampaignTransfer");

export function tickElection(core: Core): void {
  core.electionElapsed++;
  if (core.electionElapsed < core.randomizedElectionTicks || !isPromotable(core)) return;
  core.electionElapsed = 0;
  startCampaign(core, core.options.preVote ? "pre-election" : "election");
}

/**
 * Nothing listens any more where the leader did: its process has ended, so its lease is worth
 * nothing and no election timeout need pass. One voter after the other campaigns, lest votes are
 * split; the first waits for the next tick, for the others to notice, too. A word of the leader
 * ends all this, and with PreVote who is mistaken disturbs nobody.
 */
export function leaderEnded(core: Core): void {
  const { electionTicks, preVote } = core.options;
  if (!preVote || core.electionElapsed >= electionTicks || !isPromotable(core)) return;
  const rank = core.tracker.voters().filter(({ id }) => id < core.id && id !== core.lead).length;
  core.electionElapsed = electionTicks;
  core.randomizedElectionTicks = electionTicks + Math.min(1 + 2 * rank, electionTicks - 1);
  core.logger.info(
    `${core.idHex} lost leader ${core.lead.toString(16)} at term ${core.term}: its address refuses connections`,
  );
}

/** Campaigns, unless something speaks against it. */
export function startCampaign(core: Core, campaign: Campaign): void {
  if (core.role === "leader") return;
  if (!isPromotable(core)) {
    core.logger.warn(`${core.idHex} is unpromotable and can not campaign`);
  } else if (hasUnappliedConfChange(core)) {
    core.logger.warn(
      `${core.idHex} cannot campaign at term ${core.term} since there are still pending configuration changes to apply`,
    );
  } else {
    core.logger.info(`${core.idHex} is starting a new election at term ${core.term}`);
    askForVotes(core, campaign);
  }
}

function isPromotable(core: Core): boolean {
  const self = core.tracker.self;
  return self !== undefined && !self.isLearner && core.log.pendingSnapshot === undefined;
}

/** Votes would be counted by a configuration that is already out of date. */
function hasUnappliedConfChange(core: Core): boolean {
  const log = core.log;
  for (let index = Math.max(log.applied + 1, log.first); index <= log.commit; index++) {
    if (log.entry(index).type !== EntryType.Normal) return true;
  }
  return false;
}

function askForVotes(core: Core, campaign: Campaign): void {
  const isPreVote = campaign === "pre-election";
  if (isPreVote) becomePreCandidate(core);
  else becomeCandidate(core);
  const term = isPreVote ? core.term + 1 : core.term;
  for (const voter of core.tracker.voters()) {
    if (voter.id === core.id) {
      voteForSelf(core, term, isPreVote);
      continue;
    }
    const type = isPreVote ? MessageType.MsgPreVote : MessageType.MsgVote;
    const message = messageTo(voter.id, type);
    message.from = core.id;
    message.term = term;
    message.index = core.log.last;
    message.logTerm = core.log.lastTerm;
    if (campaign === "transfer") message.context = CAMPAIGN_TRANSFER;
    core.messages.push(message);
  }
}

/** Counts when the vote is durable, like everybody else's. */
function voteForSelf(core: Core, term: number, isPreVote: boolean): void {
  const type = isPreVote ? MessageType.MsgPreVoteResp : MessageType.MsgVoteResp;
  const message = messageTo(core.id, type);
  message.from = core.id;
  message.term = term;
  core.selfVotes.push(message);
}

/** A vote or pre-vote is asked for; the terms have been compared already. */
export function answerVote(core: Core, request: Message): void {
  const isPreVote = request.type === MessageType.MsgPreVote;
  const canVote =
    core.vote === request.from ||
    (core.vote === 0n && core.lead === 0n) ||
    (isPreVote && request.term > core.term);
  const isGranted = canVote && core.log.isUpToDate(request.logTerm, request.index);
  logVote(core, request, isGranted);
  const type = isPreVote ? MessageType.MsgPreVoteResp : MessageType.MsgVoteResp;
  const message = messageTo(request.from, type);
  // The term of a granted pre-vote is the one asked about: the own one would be taken as stale.
  message.term = isGranted ? request.term : core.term;
  message.reject = !isGranted;
  core.sendAfterAppend(message);
  if (isGranted && !isPreVote) {
    core.electionElapsed = 0;
    core.vote = request.from;
  }
}

function logVote(core: Core, request: Message, isGranted: boolean): void {
  const kind = request.type === MessageType.MsgPreVote ? "MsgPreVote" : "MsgVote";
  const own = `[logterm: ${core.log.lastTerm}, index: ${core.log.last}, vote: ${core.vote.toString(16)}]`;
  const candidate = `${request.from.toString(16)} [logterm: ${request.logTerm}, index: ${request.index}]`;
  const verdict = isGranted ? "cast" : "rejected";
  core.logger.info(`${core.idHex} ${own} ${verdict} ${kind} for ${candidate} at term ${core.term}`);
}

/** On a candidate or pre-candidate: an answer that belongs to its campaign. */
export function countVote(core: Core, response: Message): void {
  core.tracker.recordVote(response.from, !response.reject);
  const result = core.tracker.voteResult();
  if (result === "lost") {
    becomeFollower(core, core.term, 0n);
  } else if (result === "won" && core.role === "pre-candidate") {
    askForVotes(core, "election");
  } else if (result === "won") {
    becomeLeader(core);
  }
}
