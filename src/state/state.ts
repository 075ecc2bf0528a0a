// The state of a member: everything that the log says, and nothing else. Synchronous and
// deterministic: two members that have applied the same entries are equal.
//
//   state
//   ├── mvcc         keys and their revisions         (bucket key)
//   ├── compaction   what of them is forgotten        (bucket meta)
//   ├── leases       which keys go together           (bucket lease)
//   ├── members      who belongs to the cluster       (buckets members, members_removed, cluster)
//   └── alarms       what is wrong                    (bucket alarm)

import type { Logger } from "../base/log.ts";
import { AuthKey, Bucket, MetaKey, uint64Bytes } from "../storage/schema.ts";
import type { ConfChange } from "../wire/messages/raft.ts";
import type { RpcError } from "../wire/status.ts";
import { Alarms } from "./alarms.ts";
import { apply } from "./apply.ts";
import { type Lease, Leases } from "./lease/leases.ts";
import { encodeConfState, Members } from "./members/members.ts";
import type { ChangesHook } from "./mvcc/changes.ts";
import { Compaction } from "./mvcc/compaction.ts";
import { HashJob, hashError, type KeyValueHash, StoredHashes } from "./mvcc/hash.ts";
import { KeyIndex } from "./mvcc/key-index.ts";
import { Mvcc } from "./mvcc/mvcc.ts";
import type { RecordStore } from "./mvcc/record-store.ts";
import { Restore } from "./mvcc/restore.ts";
import type { Outcome } from "./outcome.ts";
import { Quota } from "./quota.ts";

export interface StateOptions {
  readonly records: RecordStore;
  readonly log: Logger;
  /** As the flag: 0 is the default, less than 0 is none. */
  readonly quotaBytes: number;
  /** Leases live at least so many seconds. */
  readonly minLeaseTtl: number;
  readonly maxLearners: number;
  /** Records that a compaction looks at in one batch. */
  readonly compactionBatchLimit: number;
  /** As "3.7.3". */
  readonly serverVersion: string;
  /** Anything that users cannot guess; does not change any answer. */
  readonly hashSeed: number;
  /** Does somebody on this member wait for the answer to this request? */
  readonly isAwaited: (idHigh: number, idLow48: number) => boolean;
  readonly onChanges: ChangesHook;
  /** Prefixes whose account is always kept apart. */
  readonly pinnedPrefixes?: readonly string[];
}

/** What raft says its configuration is after a change. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export interface ConfChangeOutcome {
  readonly index: number;
  readonly idHigh: number;
  readonly idLow48: number;
  readonly error: RpcError | null;
  readonly isReplay: boolean;
  /** The change as it was given to raft: node id 0 when it was refused. */
  readonly change: ConfChange;
}

/** Records read per step of `State.open`. */
const RESTORE_STEP_RECORDS = 10_000;

export class State {
  readonly records: RecordStore;
  readonly mvcc: Mvcc;
  readonly compaction: Compaction;
  readonly leases: Leases;
  readonly members: Members;
  readonly alarms: Alarms;
  readonly quota: Quota;
  /** Hashes of the last compactions. */
  readonly hashes: StoredHashes = new StoredHashes();
  readonly isAwaited: (idHigh: number, idLow48: number) => boolean;
  readonly #options: StateOptions;

  private constructor(options: StateOptions) {
    const { records } = options;
    this.#options = options;
    this.records = records;
    this.isAwaited = options.isAwaited;
    this.leases = new Leases(records, options.minLeaseTtl);
    this.mvcc = new Mvcc({
      records,
      leases: this.leases,
      index: new KeyIndex(options.hashSeed),
      onChanges: options.onChanges,
      pinnedPrefixes: options.pinnedPrefixes ?? [],
    });
    this.compaction = new Compaction(this.mvcc, this.hashes, options.compactionBatchLimit);
    this.members = new Members(records, options);
    this.alarms = new Alarms(records);
    this.quota = new Quota(options.quotaBytes, records);
  }

  /** Restores all from the records at once; `onProgress` is told how many were read so far. */
  static open(options: StateOptions, onProgress?: (recordCount: number) => void): State {
    const opening = new Opening(options, new State(options));
    while (!opening.step(RESTORE_STEP_RECORDS)) onProgress?.(opening.recordCount);
    return opening.state;
  }

  /** The same in steps, for those who have other things to do meanwhile. */
  static opening(options: StateOptions): Opening {
    return new Opening(options, new State(options));
  }

  /**
   * The records are others now: a leader has sent its database. Everything is restored from them;
   * the parts stay the same objects. Nobody may be reading over several turns (`mvcc.pins`).
   */
  reopen(): void {
    this.compaction.forget();
    this.leases.forget();
    this.mvcc.forget(new KeyIndex(this.#options.hashSeed));
    this.members.forget();
    this.alarms.forget();
    const opening = new Opening(this.#options, this);
    while (!opening.step(RESTORE_STEP_RECORDS));
  }

  /** The last entry whose effect is in the state. */
  get appliedIndex(): number {
    return this.records.appliedIndex;
  }

  /** Applies a normal entry; `data` is kept by nobody. */
  apply(index: number, term: number, data: Uint8Array): Outcome {
    return apply(this, index, term, data);
  }

  /**
   * Applies a membership change: checks it, gives it to raft (refused ones with node id 0) through
   * `applyToRaft`, stores the new configuration and the member.
   */
  applyConfChange(
    index: number,
    term: number,
    change: ConfChange,
    applyToRaft: (change: ConfChange) => ConfState,
  ): ConfChangeOutcome {
    const ids = { idHigh: Number(change.id >> 48n), idLow48: Number(change.id & LOW_48) };
    if (index <= this.appliedIndex) return { index, ...ids, error: null, isReplay: true, change };
    const error = this.members.refusal(change);
    const given = error === null ? change : { ...change, nodeId: 0n };
    this.records.setConfState(encodeConfState(applyToRaft(given)));
    if (error === null) this.members.apply(change);
    this.records.setApplied(index, term);
    return { index, ...ids, error, isReplay: false, change: given };
  }

  /** As "3.7.0": which members could use this database; undefined on one of before 3.6. */
  get storageVersion(): string | undefined {
    const version = this.records.get(Bucket.meta, MetaKey.storageVersion);
    return version === undefined ? undefined : new TextDecoder().decode(version);
  }

  setStorageVersion(version: string): void {
    this.records.put(Bucket.meta, MetaKey.storageVersion, new TextEncoder().encode(version));
  }

  /** Keys of a lease in the order of their bytes, as latin1 strings. */
  keysOf(lease: Lease): string[] {
    return Array.from(lease.slots, (slot) => this.mvcc.index.keyOf(slot)).sort();
  }

  /** HashKV at a revision, 0 for now; holds the thread for as long as it takes. */
  hashByRevision(revision: number): KeyValueHash | RpcError {
    const job = this.hashJob(revision);
    if (!(job instanceof HashJob)) return job;
    while (!job.step(Number.POSITIVE_INFINITY));
    return job.result();
  }

  /** The same in steps: a result that was stored, a job, or why not. */
  hashJob(revision: number): KeyValueHash | HashJob | RpcError {
    const stored = this.hashes.find(revision);
    if (stored !== undefined) return stored;
    return hashError(this.mvcc, revision) ?? new HashJob(this.mvcc, revision);
  }
}

const LOW_48 = (1n << 48n) - 1n;

/** `State.open` in steps. `state` may be used when `step` has returned true. */
export class Opening {
  readonly state: State;
  readonly #restore: Restore;
  readonly #log: Logger;

  constructor(options: StateOptions, state: State) {
    this.state = state;
    refuseAuthentication(options.records);
    state.leases.restore();
    this.#log = options.log;
    this.#restore = new Restore(state.mvcc, options.log);
  }

  get recordCount(): number {
    return this.#restore.recordCount;
  }

  /** Reads about `budget` records; true when the state is complete. */
  step(budget: number): boolean {
    if (!this.#restore.step(budget)) return false;
    const { state } = this;
    const unfinished = this.#restore.finish(state.leases, state.leases.exists);
    if (unfinished !== 0) {
      state.compaction.resume(unfinished);
      this.#log.info("resume scheduled compaction", { "scheduled-compact-revision": unfinished });
    }
    state.members.restore();
    state.alarms.restore();
    return true;
  }
}

/** Without it users would read and write what their roles forbid. */
function refuseAuthentication(records: RecordStore): void {
  if (records.get(Bucket.auth, AuthKey.enabled)?.[0] === 1) {
    throw new Error("authentication is enabled in this data directory; not supported yet");
  }
  // Every member has it from its first start on.
  if (records.get(Bucket.auth, AuthKey.revision) === undefined) {
    records.put(Bucket.auth, AuthKey.revision, uint64Bytes(1));
  }
}
