// Bugs that etcd has had, and a few that it might have, planted into our members to see that the
// simulator would notice: a mutant that is not found is a hole in the workload or in the checks.
// They live outside of the product: each replaces a method, or wraps a member, for one run.

import { RaftLog, UNKNOWN_TERM } from "../../../src/raft/log.ts";
import { Raft } from "../../../src/raft/raft.ts";
import { Tracker } from "../../../src/raft/tracker.ts";
import { LeaseTimers } from "../../../src/server/lease-timers.ts";
import { Compaction } from "../../../src/state/mvcc/compaction.ts";
import { KeyHistory } from "../../../src/state/mvcc/key-history.ts";
import { Mvcc } from "../../../src/state/mvcc/mvcc.ts";
import { FanOut } from "../../../src/state/watch/fan-out.ts";
import { WatchableStore } from "../../../src/state/watch/watchable-store.ts";
import { Backend } from "../../../src/storage/backend.ts";
import { Freelist } from "../../../src/storage/bolt/freelist.ts";
import { Wal } from "../../../src/storage/wal/wal.ts";
import type { SimCluster } from "../cluster/cluster.ts";
import type { Changes } from "../cluster/swarm.ts";
import { ackBeforeWritten, openForgetting, openWithTornEntry } from "./wal-mutants.ts";

export interface Mutant {
  readonly name: string;
  /** Where etcd had it: a number of an issue, if it has one. */
  readonly issue?: string;
  /** What its runs are drawn with: a bug of a cluster needs a cluster. */
  readonly changes?: Changes;
  /** Plants it; returns how to take it out again. */
  readonly plant: (cluster: SimCluster) => () => void;
}

type Method = (...given: never[]) => unknown;

/** Replaces a method by one that may call the original. */
export function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  make: (original: Owner[Name]) => Owner[Name],
): () => void {
  const original = owner[name];
  owner[name] = make(original);
  return () => {
    owner[name] = original;
  };
}

/** Replaces a getter. */
function redefine(owner: object, name: string, make: (original: () => unknown) => Method) {
  const original = Object.getOwnPropertyDescriptor(owner, name)!;
  const get = make(original.get!) as () => unknown;
  Object.defineProperty(owner, name, { ...original, get });
  return () => void Object.defineProperty(owner, name, original);
}

function all(...restores: (() => void)[]): () => void {
  return () => {
    for (const restore of restores) restore();
  };
}

const store = WatchableStore.prototype;

const keepsNoTombstone = (): (() => void) =>
  replace(KeyHistory.prototype, "search", (search) => {
    return function (this: KeyHistory, slot, atMain) {
      const last = search.call(this, slot, atMain);
      if (this.foundMain === atMain && this.foundVersion < 0) {
        this.foundMain = 0;
        this.foundVersion = 1;
      }
      return last;
    };
  });

export const mutants: readonly Mutant[] = [
  {
    name: "answers before a quorum has it",
    changes: { members: 3 },
    plant: () =>
      replace(Tracker.prototype, "committed", (committed) => {
        return function (this: Tracker) {
          return Math.max(committed.call(this), this.self?.match ?? 0);
        };
      }),
  },
  {
    name: "answers before its own log is synced",
    issue: "#14370",
    changes: { members: 1 },
    plant: () => replace(Wal.prototype, "append", ackBeforeWritten),
  },
  {
    name: "forgets its vote in a crash",
    // Elections that overlap, and crashes within them.
    changes: {
      members: 3,
      faults: ["crash", "loss", "isolate", "halves"],
      faultEveryMs: 60,
      options: { tickMs: 10, electionMs: 50, preVote: false },
    },
    plant: () => replace(Wal, "open", openForgetting),
  },
  {
    name: "sends before it saves",
    changes: { members: 3 },
    plant() {
      // The loop asks right after taking a Ready whether this member leads: then it may.
      let isTaken = false;
      return all(
        replace(Raft.prototype, "ready", (ready) => {
          return function (this: Raft) {
            isTaken = true;
            return ready.call(this);
          };
        }),
        redefine(Raft.prototype, "isLeader", (isLeader) => {
          return function (this: Raft) {
            const answer = isTaken || isLeader.call(this);
            isTaken = false;
            return answer;
          };
        }),
      );
    },
  },
  {
    name: "commits between the changes of an entry and its index",
    issue: "#13766",
    plant: () =>
      replace(Mvcc.prototype, "end", (end) => {
        return function (this: Mvcc) {
          const hasChanged = end.call(this);
          if (this.records instanceof Backend) this.records.commit();
          return hasChanged;
        };
      }),
  },
  {
    name: "a crash after a compaction takes the revision back",
    issue: "#17780",
    plant(cluster) {
      cluster.onStarted = (node) => {
        const { backend, state } = node.member!;
        let newest = 1;
        backend.scanRecords(1, 0, (main) => {
          newest = main;
          return true;
        });
        state.mvcc.currentRevision = newest;
      };
      return keepsNoTombstone();
    },
  },
  {
    name: "a deletion at the compact revision is lost in the store",
    issue: "#18089",
    plant: keepsNoTombstone,
  },
  {
    name: "a deletion at the compact revision is lost to watchers",
    issue: "#19179",
    plant() {
      let compacted = 0;
      return all(
        replace(Compaction.prototype, "schedule", (schedule) => {
          return function (this: Compaction, revision) {
            compacted = revision;
            return schedule.call(this, revision);
          };
        }),
        replace(FanOut.prototype, "offer", (offer) => {
          return function (this: FanOut, revision, key, tombstone, ...rest) {
            if (tombstone && revision === compacted) return false;
            return offer.call(this, revision, key, tombstone, ...rest);
          };
        }),
      );
    },
  },
  {
    name: "progress runs ahead of events",
    issue: "#15220",
    plant: () => replace(store, "isInStep", () => () => true),
  },
  {
    name: "a watcher of the future gets what is older",
    issue: "#20221",
    plant: () =>
      replace(store, "create", (create) => {
        return function (this: WatchableStore, stream, options) {
          const isFuture = options.startRevision > this.revision + 1;
          const startRevision = isFuture ? 0 : options.startRevision;
          return create.call(this, stream, { ...options, startRevision });
        };
      }),
  },
  {
    name: "a defragmentation commits with an older index",
    issue: "#14685",
    plant: () =>
      replace(Backend.prototype, "defragment", (defragment) => {
        return function (this: Backend, done) {
          const { appliedIndex, term } = this;
          this.setApplied(appliedIndex - 1, term);
          defragment.call(this, done);
          this.setApplied(appliedIndex, term);
        };
      }),
  },
  {
    name: "a leader that was paused reads without asking",
    issue: "#20418",
    changes: { members: 3 },
    plant: () =>
      redefine(Raft.prototype, "isOnlyVoterAndLeader", () => {
        return function (this: Raft) {
          return this.isLeader;
        };
      }),
  },
  {
    name: "takes the torn end of its log for whole",
    plant: () => replace(Wal, "open", openWithTornEntry),
  },
  {
    name: "uses a page again that is being read",
    plant: () =>
      all(
        replace(Freelist.prototype, "pin", () => () => {}),
        replace(Freelist.prototype, "unpin", () => () => {}),
      ),
  },
  {
    name: "entries of earlier terms are committed by counting",
    changes: {
      members: 5,
      without: ["members"],
      faults: ["crash", "loss", "isolate", "halves", "slowDisk"],
      faultEveryMs: 60,
      options: { tickMs: 10, electionMs: 50, preVote: false },
    },
    plant() {
      // The commit rule asks for the index first, then for the term at it.
      let isCommitRule = false;
      return all(
        replace(Tracker.prototype, "committed", (committed) => {
          return function (this: Tracker) {
            isCommitRule = true;
            return committed.call(this);
          };
        }),
        replace(RaftLog.prototype, "matches", (matches) => {
          return function (this: RaftLog, index, term) {
            const isCounted = isCommitRule && this.term(index) !== UNKNOWN_TERM;
            isCommitRule = false;
            return isCounted || matches.call(this, index, term);
          };
        }),
      );
    },
  },
  {
    name: "votes for any log",
    changes: { members: 3 },
    plant: () => replace(RaftLog.prototype, "isUpToDate", () => () => true),
  },
  {
    name: "leases end after half of their time",
    plant: () =>
      replace(LeaseTimers.prototype, "add", (add) => {
        return function (this: LeaseTimers, timer) {
          timer.expiryMs -= timer.lease.ttl * 500;
          timer.dueMs = timer.expiryMs;
          add.call(this, timer);
        };
      }),
  },
];
