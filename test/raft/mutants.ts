// Mistakes planted into the simulation, to see that it would notice: a mutant that is not found
// is a hole in the workload or in the checks. They live outside of the production code: in what
// the simulated server does, or by replacing a method for the time of one run.

import { RaftLog, UNKNOWN_TERM } from "../../src/raft/log.ts";
import { Tracker } from "../../src/raft/tracker.ts";
import { MessageType } from "../../src/wire/messages/raft.ts";
import type { Mutation } from "./simulation.ts";

export interface Mutant {
  readonly name: string;
  readonly mutation: Mutation;
  /** Plants it; returns how to take it out again. */
  readonly plant: () => () => void;
}

const nothing = () => () => {};

export const mutants: readonly Mutant[] = [
  {
    name: "the vote is forgotten at a restart",
    mutation: { restoreHardState: (hardState) => ({ ...hardState, vote: 0n }) },
    plant: nothing,
  },
  {
    name: "messages leave before what they say is durable",
    mutation: { sendBeforeDurable: true },
    plant: nothing,
  },
  {
    name: "heartbeats carry the commit index, not what the member has",
    mutation: {
      onSend(raft, message) {
        if (message.type === MessageType.MsgHeartbeat) message.commit = raft.commit;
      },
    },
    plant: nothing,
  },
  {
    name: "a leader answers reads without asking anybody",
    mutation: { readAtOnce: true },
    plant: nothing,
  },
  {
    name: "votes go to any log",
    mutation: {},
    plant() {
      const { isUpToDate } = RaftLog.prototype;
      RaftLog.prototype.isUpToDate = () => true;
      return () => {
        RaftLog.prototype.isUpToDate = isUpToDate;
      };
    },
  },
  {
    name: "entries of earlier terms are committed by counting",
    mutation: {},
    plant() {
      const { committed } = Tracker.prototype;
      const { matches } = RaftLog.prototype;
      // The commit rule asks for the index first, then for the term at it.
      let isCommitRule = false;
      Tracker.prototype.committed = function (this: Tracker) {
        isCommitRule = true;
        return committed.call(this);
      };
      RaftLog.prototype.matches = function (this: RaftLog, index: number, term: number) {
        const known = this.term(index) !== UNKNOWN_TERM;
        const isCounted = isCommitRule && known;
        isCommitRule = false;
        return isCounted || matches.call(this, index, term);
      };
      return () => {
        Tracker.prototype.committed = committed;
        RaftLog.prototype.matches = matches;
      };
    },
  },
  {
    name: "the tail of a follower stays when the leader replaces its beginning",
    mutation: {},
    plant() {
      const { merge } = RaftLog.prototype;
      RaftLog.prototype.merge = function (this: RaftLog, entries) {
        const isNew = entries.length > 0 && entries.at(-1)!.index > this.last;
        if (isNew || entries.length === 0) merge.call(this, entries);
      };
      return () => {
        RaftLog.prototype.merge = merge;
      };
    },
  },
  {
    name: "learners count for the commit",
    mutation: {},
    plant() {
      const { committed } = Tracker.prototype;
      Tracker.prototype.committed = function (this: Tracker) {
        const voters = this.incoming;
        this.incoming = this.members;
        try {
          return committed.call(this);
        } finally {
          this.incoming = voters;
        }
      };
      return () => {
        Tracker.prototype.committed = committed;
      };
    },
  },
];
