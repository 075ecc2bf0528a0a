// The part of the configuration that the member itself needs.

import type { MemberOptions } from "../../server/options.ts";
import { autoCompaction } from "./auto-compaction.ts";
import { gateEnabled } from "./feature-gates.ts";
import type { Loaded } from "./load-config.ts";
import type { Prepared } from "./prepare-start.ts";

export function memberOptions(
  { config }: Loaded,
  { initialCluster, joined }: Prepared,
): MemberOptions {
  return {
    name: config.name,
    dataDir: config.dataDir,
    walDir: config.walDir === "" ? undefined : config.walDir,
    clientUrls: config.advertiseClientUrls.map((url) => url.text),
    initialCluster: new Map(
      [...initialCluster].map(([name, urls]) => [name, urls.map((url) => url.text)]),
    ),
    initialClusterToken: config.initialClusterToken,
    joined,
    tickMs: config.heartbeatMs,
    electionMs: config.electionMs,
    preVote: config.preVote,
    initialElectionTickAdvance: config.initialElectionTickAdvance,
    snapshotCount: config.snapshotCount,
    snapshotCatchupEntries: config.snapshotCatchupEntries,
    maxSnapshots: config.maxSnapshots,
    maxWals: config.maxWals,
    quotaBackendBytes: config.quotaBackendBytes,
    backendBatchIntervalMs: config.backendBatchIntervalMs,
    backendBatchLimit: config.backendBatchLimit,
    backendFreelistType: config.backendFreelistType,
    bootstrapDefragThresholdBytes: config.bootstrapDefragThresholdBytes,
    compactionBatchLimit: config.compactionBatchLimit,
    compactionSleepMs: config.compactionSleepMs,
    autoCompaction: autoCompaction(config.autoCompactionMode, config.autoCompactionRetention),
    selfCare: config.selfCare,
    backup: config.backup,
    unsafeNoFsync: config.unsafeNoFsync,
    maxRequestBytes: config.maxRequestBytes,
    maxTxnOps: config.maxTxnOps,
    maxLearners: config.maxLearners,
    warningApplyMs: config.warningApplyMs,
    watchProgressNotifyMs: config.watchProgressNotifyMs,
    leaseCheckpoint: gateEnabled(config.featureGates, "LeaseCheckpoint"),
    warningUnaryRequestMs: config.warningUnaryRequestMs,
    strictReconfigCheck: config.strictReconfigCheck,
    corruptCheckMs: config.corruptCheckMs,
    compactHashCheckMs: gateEnabled(config.featureGates, "CompactHashCheck")
      ? config.compactHashCheckMs
      : 0,
    downgradeCheckMs: config.downgradeCheckMs,
  };
}
