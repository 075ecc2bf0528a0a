// How much of the log is kept. In memory: every so many entries the log is cut to the catch-up
// entries that a slow follower may still need. On disk: every `--snapshot-count` entries the
// database is committed, a `.snap` file and a record in the WAL say that the state up to there is
// in it, and segments before that may go.
//
//   database committed ─► .snap (etcd 3.6 starts from it) ─► WAL record ─► release ─► purge

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import type { DataDir } from "../storage/data-dir.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** Applied entries between two cuts of the log in memory (etcd: memorySnapshotCount). */
const MEMORY_SNAPSHOT_ENTRIES = 100;
const PURGE_INTERVAL_MS = 30_000;

export interface LogSnapshotOptions {
  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly maxSnapshots: number;
  readonly maxWals: number;
}

export class LogSnapshots {
  readonly #parts: LogSnapshotParts;
  #lastInMemory: number;
  #lastOnDisk: number;
  #isSaving = false;
  /** Snapshots under way to followers, who will need the entries after them. */
  #holds = 0;
  #purgeTimer: Timer | undefined;

  constructor(parts: LogSnapshotParts) {
    this.#parts = parts;
    this.#lastInMemory = parts.snapshotIndex;
    this.#lastOnDisk = parts.snapshotIndex;
    this.#schedulePurge();
  }

  /** A database from the leader is in place, with all up to `index`. */
  replaced(index: number): void {
    this.#lastInMemory = this.#lastOnDisk = index;
    this.#parts.wal.release(index);
    this.#parts.dataDir.removeDatabasesBefore(index + 1);
  }

  /** The log in memory is not cut until `release`. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
  }

  /** Entries up to `index` are applied, and the log was told that they are committed. */
  applied(index: number): void {
    if (index - this.#lastOnDisk > this.#parts.options.snapshotCount) {
      this.saveNow(index, this.#parts.raft.termAt(index));
    }
    if (index - this.#lastInMemory > MEMORY_SNAPSHOT_ENTRIES) this.#cutMemory(index);
  }

  stop(): void {
    this.#purgeTimer?.cancel();
  }

  #cutMemory(index: number): void {
    const { raft, options } = this.#parts;
    if (this.#holds > 0) return;
    this.#lastInMemory = index;
    const { confState } = raft.status();
    raft.createSnapshot(index, confState);
    // Alone, a member has nobody to catch up; who joins later begins with a snapshot anyway.
    const hasFollowers = confState.voters.length + confState.learners.length > 1;
    const compactIndex = index - (hasFollowers ? options.snapshotCatchupEntries : 0);
    if (compactIndex > 1) raft.compact(compactIndex);
  }

  /** Also called when the version of the cluster falls, so that older members can start from it. */
  saveNow(index: number, term: number): void {
    if (this.#isSaving) return;
    this.#isSaving = true;
    const { backend, raft, log } = this.#parts;
    const { confState } = raft.status();
    log.info("triggering snapshot", {
      "local-member-applied-index": index,
      "local-member-snapshot-index": this.#lastOnDisk,
      "local-member-snapshot-count": this.#parts.options.snapshotCount,
    });
    this.#lastOnDisk = index;
    const snapshot = { index, term, confState };
    const members = this.#parts.state.members;
    const membership = {
      members: members.all(),
      removed: members.removed(),
      version: members.clusterVersion,
    };
    backend.commit(() => this.#save(snapshot, membership));
  }

  #save(snapshot: WalSnapshotWithConfState, membership: Membership): void {
    const { dataDir, wal, log, metrics, clock, fatal } = this.#parts;
    // A record of an older snapshot behind that of a newer one would be taken for the newest.
    const isOutdated = (): boolean => {
      if (snapshot.index >= this.#lastOnDisk) return false;
      this.#isSaving = false;
      return true;
    };
    if (isOutdated()) return;
    const beganMs = clock.monotonicMs();
    dataDir.saveSnapshot(snapshot, membership, (error) => {
      if (error !== null) {
        fatal(error);
        return;
      }
      const tookSeconds = (clock.monotonicMs() - beganMs) / 1000;
      metrics.snapSaveTotalSeconds.observe(tookSeconds);
      metrics.snapFsyncSeconds.observe(tookSeconds);
      if (isOutdated()) return;
      wal.saveSnapshot(snapshot, (walError) => {
        this.#isSaving = false;
        if (walError !== null) {
          fatal(walError);
          return;
        }
        log.info("saved snapshot to disk", { "snapshot-index": snapshot.index });
        wal.release(snapshot.index);
      });
    });
  }

  #schedulePurge(): void {
    const { clock, wal, dataDir, options } = this.#parts;
    this.#purgeTimer = clock.after(PURGE_INTERVAL_MS, () => {
      if (options.maxWals > 0) wal.purge(options.maxWals);
      if (options.maxSnapshots > 0) dataDir.purgeSnapshots(options.maxSnapshots);
      this.#schedulePurge();
    });
  }
}

export interface LogSnapshotParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly raft: Raft;
  readonly wal: Wal;
  readonly backend: Backend;
  readonly state: State;
  readonly dataDir: DataDir;
  readonly metrics: ServerMetrics;
  readonly options: LogSnapshotOptions;
  readonly snapshotIndex: number;
  readonly fatal: (error: Error) => void;
}

type WalSnapshotWithConfState = Parameters<DataDir["saveSnapshot"]>[0];
type Membership = Parameters<DataDir["saveSnapshot"]>[1];
