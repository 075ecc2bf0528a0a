// One member of a simulated cluster: raft, a WAL, and a state machine with a disk of its own.
//
// A write in progress is lost or kept in part at a crash: entries in order, the hard state last.
// A commit index alone is written, but not synced, so a crash may take it back. The state machine
// is saved now and then, and may then be ahead of the commit index in the WAL.

import { Raft, type RaftOptions } from "../../src/raft/raft.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Ready,
} from "../../src/raft/ready.ts";
import {
  type ConfChange,
  decodeConfChange,
  decodeConfChangeV2,
} from "../../src/wire/messages/raft.ts";
import { type Checker, Violation } from "./checker.ts";

/** What was applied, and the configuration then. */
export interface AppliedState {
  readonly index: number;
  readonly term: number;
  readonly value: number;
  readonly confState: ConfState;
}

export interface MemberSettings {
  readonly raft: Omit<RaftOptions, "id" | "restored">;
  /** Every other member asks before it campaigns: operators may turn that off one by one. */
  readonly isPreVoteMixed: boolean;
  readonly below: (bound: number) => number;
  readonly checker: Checker;
  readonly compactEvery: number;
  readonly keepEntries: number;
  /** A mistake made on purpose. */
  readonly restoreHardState: ((hardState: HardState) => HardState) | undefined;
}

export const noConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export class SimulatedMember {
  readonly id: bigint;
  readonly #settings: MemberSettings;
  raft: Raft;
  isUp = true;
  upAgainAt = 0;
  /** Since when it leads a configuration that it has left; 0: it does not. */
  removedAt = 0;
  state: AppliedState;
  /** Under way: taken from raft, not yet on disk. */
  ready: Ready | undefined;
  writeDoneAt = 0;
  /** The messages of `ready` have left. */
  isSent = false;

  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #syncedHardState: HardState = this.#hardState;
  /** In the WAL, following the log snapshot. */
  #entries: Entry[] = [];
  #logSnapshot = { index: 0, term: 0 };
  #savedState: AppliedState;

  constructor(id: bigint, settings: MemberSettings, confState: ConfState) {
    this.id = id;
    this.#settings = settings;
    this.state = this.#savedState = { index: 0, term: 0, value: 0, confState };
    this.raft = this.#open();
  }

  get isInConfiguration(): boolean {
    const { voters, learners, votersOutgoing } = this.state.confState;
    return [voters, learners, votersOutgoing].some((ids) => ids.includes(this.id));
  }

  #open(): Raft {
    const { raft, restoreHardState, isPreVoteMixed } = this.#settings;
    return new Raft({
      ...raft,
      preVote: isPreVoteMixed ? this.id % 2n === 0n : raft.preVote,
      id: this.id,
      restored: {
        hardState: restoreHardState?.(this.#hardState) ?? this.#hardState,
        confState: this.#savedState.confState,
        snapshotIndex: this.#logSnapshot.index,
        snapshotTerm: this.#logSnapshot.term,
        entries: this.#entries,
        applied: this.#savedState.index,
      },
    });
  }

  restart(): void {
    this.isUp = true;
    this.removedAt = 0;
    this.state = this.#savedState;
    this.raft = this.#open();
  }

  crash(upAgainAt: number): void {
    const { below } = this.#settings;
    const { ready } = this;
    if (ready !== undefined && ready.snapshot === undefined) {
      const kept = below(ready.entries.length + 2);
      const isAll = kept > ready.entries.length;
      this.#persist(ready.entries.slice(0, kept), isAll ? ready.hardState : undefined, true);
    }
    if (below(2) === 0) this.#hardState = this.#syncedHardState;
    this.ready = undefined;
    this.isUp = false;
    this.upAgainAt = upAgainAt;
  }

  /** Whether `take` leaves something for the disk to wait for. */
  take(): boolean {
    const ready = this.raft.ready();
    this.ready = ready;
    this.isSent = false;
    this.#settings.checker.appended(this.raft, ready.entries);
    return ready.mustSync;
  }

  /** The write is done: apply, before the messages of a follower leave. */
  finishWrite(ready: Ready): void {
    if (ready.snapshot?.metadata !== undefined) this.#install(ready);
    this.#persist(ready.entries, ready.hardState, ready.mustSync);
    for (const entry of ready.committed) this.#apply(entry);
  }

  advance(ready: Ready): void {
    this.ready = undefined;
    this.raft.advance(ready);
    this.#trim();
  }

  /** The state machine's disk, as of now. */
  saveState(): void {
    this.#savedState = this.state;
  }

  #persist(entries: readonly Entry[], hardState: HardState | undefined, isSynced: boolean): void {
    const first = entries[0];
    if (first !== undefined) {
      const offset = this.#logSnapshot.index;
      const isGap = first.index > offset + this.#entries.length + 1;
      if (isGap) throw new Violation(`${this.id} leaves a gap before ${first.index}`);
      this.#entries.length = first.index - offset - 1;
      this.#entries.push(...entries);
    }
    if (hardState !== undefined) {
      this.#settings.checker.persisted(this.id, this.#hardState, hardState);
      this.#hardState = hardState;
    }
    if (isSynced) this.#syncedHardState = this.#hardState;
  }

  #apply(entry: Entry): void {
    const { index, term } = entry;
    // After a restart entries are handed out again that the state machine has already.
    if (index <= this.state.index) return;
    const durableIndex = this.#logSnapshot.index + this.#entries.length;
    if (index > durableIndex) throw new Violation(`applied before it is durable: ${index}`);
    if (index !== this.state.index + 1) throw new Violation(`applied out of order: ${index}`);
    const value = mix(this.state.value, entry);
    let confState = this.state.confState;
    if (entry.type === EntryType.ConfChange) {
      confState = this.raft.applyConfChange(admitted(decodeConfChange(entry.data), index));
    } else if (entry.type === EntryType.ConfChangeV2) {
      confState = this.raft.applyConfChange(decodeConfChangeV2(entry.data));
    }
    this.state = { index, term, value, confState };
    this.#settings.checker.applied(this.raft, entry, value, confState);
  }

  #install(ready: Ready): void {
    const { index, term, confState } = ready.snapshot!.metadata!;
    const value = numberOf(ready.snapshot!.data);
    this.#settings.checker.installed(this.id, index, value);
    if (index <= this.state.index) throw new Violation("a snapshot takes back what was applied");
    this.state = { index, term, value, confState: confState! };
    this.saveState();
    this.#logSnapshot = { index, term };
    this.#entries = [];
  }

  /** Log snapshots and compaction, now and then. */
  #trim(): void {
    const { raft, state } = this;
    const { compactEvery, keepEntries } = this.#settings;
    if (state.index < this.#logSnapshot.index + compactEvery || raft.applied < state.index) return;
    this.saveState();
    raft.createSnapshot(state.index, state.confState);
    raft.compact(Math.max(1, state.index - keepEntries));
    // The record of a snapshot is synced, and with it what was written before.
    this.#syncedHardState = this.#hardState;
    this.#entries = this.#entries.slice(state.index - this.#logSnapshot.index);
    this.#logSnapshot = { index: state.index, term: state.term };
  }
}

/** Now and then a change is refused when it is applied, as etcd's members do: it is voided. */
function admitted(change: ConfChange, index: number): ConfChange {
  return index % 5 === 0 && index > 10 ? { ...change, nodeId: 0n } : change;
}

function mix(value: number, entry: Entry): number {
  let mixed = Math.imul(value ^ entry.index, 0x9e3779b1) ^ entry.term;
  for (const byte of entry.data) mixed = Math.imul(mixed ^ byte, 0x85ebca6b) ^ (mixed >>> 13);
  return mixed >>> 0;
}

export function bytesOf(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function numberOf(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}
