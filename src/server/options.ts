// What a member needs to know to start: the flags of etcd after they were parsed and checked.

import type { AutoCompaction } from "./auto-compactor.ts";
import type { BackupOptions } from "./care/backups.ts";
import type { SelfCareMode } from "./care/self-care.ts";
import type { JoinedCluster } from "./join.ts";

/** What a member does for its cluster. What is left out is as in `DEFAULT_DUTIES`. */
export interface DutyOptions {
  /** Changes of the membership that would lose the quorum are refused. */
  readonly strictReconfigCheck: boolean;
  /** Between two comparisons of the members' data by the leader; 0: none. */
  readonly corruptCheckMs: number;
  /** Between two comparisons of the hashes of compactions; 0: none. */
  readonly compactHashCheckMs: number;
  /** Between two looks whether a downgrade is done; 0: none. */
  readonly downgradeCheckMs: number;
}

export const DEFAULT_DUTIES: DutyOptions = {
  strictReconfigCheck: true,
  corruptCheckMs: 0,
  compactHashCheckMs: 0,
  downgradeCheckMs: 5000,
};

export interface MemberOptions extends Partial<DutyOptions> {
  readonly name: string;
  readonly dataDir: string;
  /** undefined: `<dataDir>/member/wal`. */
  readonly walDir: string | undefined;
  readonly clientUrls: readonly string[];
  /** name → peer URLs of every member of a new cluster, this one included. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  readonly initialClusterToken: string;
  /** The first start of a member that was added to a cluster: who it is there. */
  readonly joined?: JoinedCluster | undefined;

  readonly tickMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  /** false: the first election of a start waits for the whole timeout. */
  readonly initialElectionTickAdvance?: boolean;

  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly maxSnapshots: number;
  readonly maxWals: number;

  readonly quotaBackendBytes: number;
  readonly backendBatchIntervalMs: number;
  readonly backendBatchLimit: number;
  readonly backendFreelistType: "array" | "map";
  readonly bootstrapDefragThresholdBytes: number;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  /** undefined: off. */
  readonly autoCompaction?: AutoCompaction | undefined;
  /** What the member does by itself against a full disk. Left out: off. */
  readonly selfCare?: SelfCareMode;
  /** Backups that the member makes by itself. Left out: none. */
  readonly backup?: BackupOptions | undefined;
  readonly unsafeNoFsync: boolean;

  readonly maxRequestBytes: number;
  readonly maxTxnOps: number;
  readonly maxLearners: number;
  readonly warningApplyMs: number;

  /** Between two progress notifications of an idle watcher. */
  readonly watchProgressNotifyMs: number;
  /** Feature gate LeaseCheckpoint. */
  readonly leaseCheckpoint: boolean;
  readonly warningUnaryRequestMs: number;
}

/** What a message may have besides the request in it (etcd: grpcOverheadBytes). */
export const GRPC_OVERHEAD_BYTES: number = 512 * 1024;

/** Version of etcd whose behaviour this is; clients and peers compare it. */
export const SERVER_VERSION = "3.7.3";
export const CLUSTER_VERSION = "3.7.0";
export const STORAGE_VERSION = "3.7.0";

/** Commands wait this long for agreement: 5 s and two elections, as etcd's ReqTimeout. */
export function requestTimeoutMs(options: { readonly electionMs: number }): number {
  return 5000 + 2 * options.electionMs;
}

/** No lease is shorter: an election and a half, so that a new leader can renew it. */
export function minLeaseTtlSeconds(options: {
  readonly electionMs: number;
  readonly tickMs: number;
}): number {
  const electionTicks = Math.floor(options.electionMs / options.tickMs);
  return Math.ceil((Math.floor((3 * electionTicks) / 2) * options.tickMs) / 1000);
}
