// The roles of a member, and what changes when one ends:
//
//                       times out                     would win
//   ┌──────────┐  ───────────────────►  ┌───────────────┐  ───────►  ┌───────────┐
//   │ follower │                        │ pre-candidate │            │ candidate │──┐ times out:
//   └──────────┘  ◄───────────────────  └───────────────┘            └───────────┘◄─┘ a new term
//     ▲      ▲      would lose, leader                                 │       │
//     │      └───── found, higher term ────────────────────────────────┘       │ wins
//     │                                                                        ▼
//     │            higher term, or no quorum is heard of                  ┌────────┐
//     └───────────────────────────────────────────────────────────────────│ leader │
//                                                                         └────────┘
// A pre-candidate has changed nothing yet: neither term, vote nor timers. Without PreVote a
// follower becomes a candidate at once; so does one that the leader chose as its successor.

import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../wire/protobuf/reader.ts";
import { type Core, newReadQueue } from "./core.ts";
import { appendOwn } from "./proposals.ts";
import { EntryType } from "./ready.ts";

export function becomeFollower(core: Core, term: number, lead: bigint): void {
  reset(core, term);
  core.role = "follower";
  core.lead = lead;
  core.logger.info(`${core.idHex} became follower at term ${term}`);
}

export function becomePreCandidate(core: Core): void {
  assert(core.role !== "leader", "a leader does not campaign");
  core.tracker.forgetVotes();
  core.role = "pre-candidate";
  core.lead = 0n;
  core.logger.info(`${core.idHex} became pre-candidate at term ${core.term}`);
}

export function becomeCandidate(core: Core): void {
  assert(core.role !== "leader", "a leader does not campaign");
  reset(core, core.term + 1);
  core.role = "candidate";
  core.vote = core.id;
  core.logger.info(`${core.idHex} became candidate at term ${core.term}`);
}

export function becomeLeader(core: Core): void {
  assert(core.role === "candidate", "only a candidate can win");
  reset(core, core.term);
  core.role = "leader";
  core.lead = core.id;
  const self = core.tracker.self;
  assert(self !== undefined, "a leader starts as a member");
  self.becomeReplicate();
  self.recentActive = true;
  // Any entry before the first own one may be a conf change; one look at the log would tell,
  // but to wait until all of it is applied is simpler and always right.
  core.pendingConfIndex = core.log.last;
  appendOwn(core, EntryType.Normal, EMPTY_BYTES);
  core.logger.info(`${core.idHex} became leader at term ${core.term}`);
}

/** Everything that belongs to one role in one term. */
function reset(core: Core, term: number): void {
  if (core.term !== term) {
    core.term = term;
    core.vote = 0n;
  }
  core.lead = 0n;
  core.leadTransferee = 0n;
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  const { electionTicks, randomBelow } = core.options;
  core.randomizedElectionTicks = electionTicks + randomBelow(electionTicks);
  core.tracker.forgetVotes();
  for (const member of core.tracker.members) {
    member.reset(core.log.last + 1, member === core.tracker.self ? core.log.last : 0);
  }
  core.pendingConfIndex = 0;
  core.uncommittedBytes = 0;
  core.reads = newReadQueue();
  core.appendsPending = false;
  core.heartbeatPending = false;
}
