// The only place where agreement, disk, peers and state meet. One turn takes what raft has ready
// through the four stations and back:
//
//   raft.ready() ─► (leader) send ─► WAL: one write for all that came in ─► (follower) send
//        ▲                               │ meanwhile: apply what is already durable and committed
//        └── advance ◄───────────────────┘
//
// Group commit falls out of the waiting: what is proposed while a write is under way shares the
// next one, and while that one is under way the first group is applied and answered.
//
// In a cluster what the others send while the disk writes need not wait for it: a quorum's word for
// the group before, requests that are passed on. That goes on early (`Raft.early`). But a leader
// whose disk stands still for an election timeout falls silent: it can acknowledge nothing, and
// the others elect a leader who can.
//
// Two rules, asserted: a follower's messages leave only after its entries are durable; an entry is
// applied only if it is durable here (etcd #14370: an acknowledged write was lost because of it).

import { assert } from "../base/assert.ts";
import type { Clock, Done } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import { type Entry, EntryType, type HardState, type Ready } from "../raft/ready.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { Snapshot } from "../wire/messages/raft.ts";
import { CommitHold } from "./commit-hold.ts";

/** What the loop drives; `Member` implements it. */
export interface LoopHooks {
  /** Before raft is asked what is ready: what was collected for it is said now. */
  begin(): void;
  send(ready: Pick<Ready, "messages">): void;
  /** A snapshot from the leader replaces log and state. */
  install(snapshot: Snapshot, hardState: HardState, done: Done): void;
  /** Who leads has changed, or reads were confirmed. */
  news(ready: Pick<Ready, "softState" | "readStates">): void;
  apply(entry: Entry): void;
  /** After a batch was applied: answers leave, waiting reads go on. */
  applied(): void;
  /** Nothing is under way for which the order of log and database is more than usual. */
  readonly canApplyEarly: boolean;
  /** Raft knows that all of the turn is done: logs may be trimmed. */
  advanced(): void;
  fatal(error: Error): void;
}

export class Loop {
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #wal: Wal;
  readonly #hooks: LoopHooks;
  readonly #electionMs: number;
  readonly #hold: CommitHold;
  #current: Ready | undefined;
  /** Of `#current.committed`: how many have been applied. */
  #appliedCount = 0;
  #durableIndex: number;
  #handedCommit = 0;
  #isLeader = false;
  /** Nobody else could have sent anything that goes on early. */
  #isAlone = false;
  #written = true;
  #isBeginning = false;
  #scheduled = false;
  #stopped = false;
  #whenIdle: (() => void) | undefined;

  constructor(parts: {
    clock: Clock;
    raft: Raft;
    wal: Wal;
    hooks: LoopHooks;
    options: { readonly electionMs: number };
    durableIndex: number;
  }) {
    this.#clock = parts.clock;
    this.#raft = parts.raft;
    this.#wal = parts.wal;
    this.#hooks = parts.hooks;
    this.#electionMs = parts.options.electionMs;
    this.#durableIndex = parts.durableIndex;
    this.#hold = new CommitHold({ ...parts, wake: this.wake });
  }

  /** There may be work: a tick, a message or a proposal came in. */
  readonly wake = (): void => {
    if (this.#scheduled || this.#stopped) return;
    if (this.#current !== undefined && this.#isAlone) return;
    this.#scheduled = true;
    this.#clock.endOfTurn(this.#turn);
  };

  /** The commit index that was given to the log last: a snapshot record must not be ahead of it. */
  get handedCommit(): number {
    return this.#handedCommit;
  }

  /** No further turn is begun; `done` is called when the one under way has ended. */
  stop(done: () => void): void {
    this.#stopped = true;
    if (this.#current === undefined) done();
    else this.#whenIdle = done;
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    if (this.#current === undefined) this.#begin();
    else this.#goOnEarly(this.#current);
  };

  /** While the disk writes: what is agreed and durable by now is applied, answers leave. */
  #goOnEarly(ready: Ready): void {
    if (ready.snapshot !== undefined || this.#isStuckLeader) return;
    const isInOrder = this.#appliedCount === ready.committed.length;
    const canApply = isInOrder && this.#hooks.canApplyEarly;
    this.#hold.begin();
    const early = this.#raft.early(canApply ? this.#durableIndex : 0);
    if (this.#isLeader) this.#hold.taken(false);
    if (early === undefined) return;
    const { readStates, messages, committed } = early;
    if (readStates.length > 0) this.#hooks.news({ softState: undefined, readStates });
    if (messages.length > 0) this.#hooks.send(early);
    for (let at = 0; at < committed.length; at++) this.#hooks.apply(committed[at]!);
    if (committed.length > 0) this.#hooks.applied();
  }

  get #isStuckLeader(): boolean {
    if (!this.#raft.isLeader) return false;
    return this.#clock.monotonicMs() - this.#wal.writeBeganMs > this.#electionMs;
  }

  /** Takes Readies until one has to wait for the disk. */
  #begin(): void {
    this.#hooks.begin();
    while (this.#raft.hasReady() && !this.#stopped) {
      this.#hold.begin();
      const ready = this.#raft.ready();
      this.#current = ready;
      // Once: the role may change while the disk writes, and then nobody or both would send.
      this.#isLeader = this.#raft.isLeader;
      this.#isAlone = this.#raft.isOnlyVoterAndLeader;
      this.#appliedCount = 0;
      if (this.#isLeader) this.#hold.taken(ready.entries.length > 0);
      if (ready.hardState !== undefined) this.#handedCommit = ready.hardState.commit;
      if (ready.softState !== undefined || ready.readStates.length > 0) this.#hooks.news(ready);
      if (ready.messages.length > 0 && this.#isLeader) this.#hooks.send(ready);
      // What replaces the end of the log is not durable yet, whatever stood there before.
      const first = ready.entries[0];
      if (first !== undefined) this.#durableIndex = Math.min(this.#durableIndex, first.index - 1);
      if (ready.snapshot !== undefined) {
        this.#install(ready, ready.snapshot);
        return;
      }
      this.#written = true;
      if (ready.entries.length > 0 || ready.hardState !== undefined) {
        this.#written = false;
        this.#isBeginning = true;
        this.#wal.append(ready.entries, ready.hardState, ready.mustSync, this.#onWritten);
        this.#isBeginning = false;
      }
      this.#applyDurable(ready);
      if (!this.#written) return;
      this.#finish(ready);
    }
    if (this.#stopped) this.#whenIdle?.();
  }

  readonly #onWritten = (error: Error | null): void => {
    if (error !== null) {
      this.#hooks.fatal(error);
      return;
    }
    const ready = this.#current;
    assert(ready !== undefined && !this.#written, "a write ended that no turn had begun");
    const last = ready.entries.at(-1);
    if (last !== undefined) this.#durableIndex = last.index;
    this.#written = true;
    if (this.#isBeginning) return;
    this.#finish(ready);
    this.#begin();
  };

  /** Log and state become those of the snapshot; entries that came after it follow. */
  #install(ready: Ready, snapshot: Snapshot): void {
    const { hardState, entries } = ready;
    assert(hardState !== undefined, "a snapshot moves the commit index");
    this.#written = false;
    this.#hooks.install(snapshot, hardState, (error) => {
      if (error !== null) {
        this.#hooks.fatal(error);
        return;
      }
      this.#durableIndex = snapshot.metadata!.index;
      if (entries.length > 0) this.#wal.append(entries, undefined, true, this.#onWritten);
      else this.#onWritten(null);
    });
  }

  /** All of it is durable: tell the others, apply the rest, let raft go on. */
  #finish(ready: Ready): void {
    // A follower votes and counts by the configuration it has applied, so that comes first.
    if (ready.committed.some(isConfChange)) this.#applyDurable(ready);
    if (ready.messages.length > 0 && !this.#isLeader) this.#hooks.send(ready);
    this.#applyDurable(ready);
    assert(this.#appliedCount === ready.committed.length, "committed entries are durable here");
    this.#raft.advance(ready);
    this.#current = undefined;
    this.#hooks.advanced();
  }

  /** Applies what is durable on this member; of a follower's new entries that is none yet. */
  #applyDurable(ready: Ready): void {
    const committed = ready.committed;
    let at = this.#appliedCount;
    if (at === committed.length) return;
    while (at < committed.length && committed[at]!.index <= this.#durableIndex) {
      this.#hooks.apply(committed[at]!);
      at++;
    }
    if (at === this.#appliedCount) return;
    this.#appliedCount = at;
    this.#hooks.applied();
  }
}

function isConfChange(entry: Entry): boolean {
  return entry.type !== EntryType.Normal;
}
