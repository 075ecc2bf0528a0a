// Names, kinds and help of every metric of a member; what they read belongs to the parts. Names,
// labels and bucket bounds are etcd 3.7's, because dashboards and alert rules know them
// (etcd.io/docs/v3.6/metrics); the helps are ours.

import type { Member } from "../server/member.ts";
import type { Metric } from "./exposition.ts";
import type { Guard } from "./guard.ts";
import type { HealthChecks } from "./health-checks.ts";
import { counters, gauges, histograms } from "./metric-rows.ts";
import { careMetrics } from "./metrics-care.ts";
import { laterMetrics } from "./metrics-later.ts";
import { serverMetrics } from "./metrics-server.ts";
import { leaseMetrics, watchMetrics } from "./metrics-watch.ts";

export interface MetricFacts {
  /** As "node v20.20.2". */
  readonly runtimeVersion: string;
  readonly featureGates: readonly {
    readonly name: string;
    readonly stage: string;
    readonly isEnabled: boolean;
  }[];
}

export interface MetricParts {
  readonly member: Member;
  readonly health: HealthChecks;
  readonly guard: Guard;
  readonly facts: MetricFacts;
}

export function memberMetrics(parts: MetricParts): Metric[] {
  const { member } = parts;
  return [
    ...serverMetrics(parts),
    ...storeMetrics(member),
    ...compactionMetrics(member),
    ...diskMetrics(member),
    ...watchMetrics(member),
    ...leaseMetrics(member),
    ...careMetrics(member),
    ...laterMetrics(),
  ];
}

function storeMetrics(member: Member): Metric[] {
  const { mvcc } = member;
  const m = mvcc.metrics;
  return [
    ...counters({
      etcd_mvcc_range_total: ["Ranges read.", m.ranges],
      etcd_mvcc_put_total: ["Puts applied.", m.puts],
      etcd_mvcc_delete_total: ["Deletes applied.", m.deletes],
      etcd_mvcc_txn_total: ["Transactions of several operations.", m.txns],
    }),
    ...histograms({
      etcd_mvcc_hash_duration_seconds: ["Time of Hash.", member.metrics.hashSeconds],
      etcd_mvcc_hash_rev_duration_seconds: ["Time of HashKV.", member.metrics.hashKvSeconds],
    }),
    ...gauges({
      etcd_debugging_mvcc_keys_total: ["Keys alive.", () => mvcc.index.liveCount],
      etcd_debugging_mvcc_current_revision: ["Current revision.", () => mvcc.currentRevision],
      etcd_debugging_mvcc_compact_revision: [
        "Revision of the last compaction.",
        () => mvcc.compactRevision,
      ],
      etcd_debugging_mvcc_total_put_size_in_bytes: ["Key and value bytes put.", m.putBytes],
    }),
  ];
}

function compactionMetrics({ compactor: { metrics: m } }: Member): Metric[] {
  return [
    ...counters({ etcd_debugging_mvcc_db_compaction_keys_total: ["Records deleted.", m.keys] }),
    ...gauges({
      etcd_debugging_mvcc_db_compaction_last: ["End of the last, Unix time.", m.lastUnixSeconds],
    }),
    ...histograms({
      etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds: ["One batch.", m.pauseMs],
      etcd_debugging_mvcc_db_compaction_total_duration_milliseconds: ["A compaction.", m.totalMs],
      etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds: [
        "One slice of the index.",
        m.indexPauseMs,
      ],
    }),
  ];
}

function diskMetrics(member: Member): Metric[] {
  const { backend, metrics: m } = member;
  const b = backend.metrics;
  const w = member.walMetrics;
  return [
    ...gauges({
      etcd_mvcc_db_total_size_in_bytes: [
        "Size of the database file in use by pages.",
        () => backend.sizeBytes,
      ],
      etcd_mvcc_db_total_size_in_use_in_bytes: [
        "The same without free pages.",
        () => backend.sizeInUseBytes,
      ],
      etcd_mvcc_db_open_read_transactions: [
        "Pinned readers of the database.",
        () => backend.readTxCount,
      ],
      etcd_disk_defrag_inflight: ["1 while defragmenting.", b.defragInflight],
      etcd_disk_wal_write_bytes_total: ["Bytes written to the log.", w.writtenBytes],
    }),
    ...histograms({
      etcd_disk_backend_commit_duration_seconds: ["Time of a commit.", b.commitSeconds],
      etcd_disk_backend_defrag_duration_seconds: ["Time of a defragmentation.", b.defragSeconds],
      etcd_disk_backend_snapshot_duration_seconds: ["Time a snapshot is open.", b.snapshotSeconds],
      etcd_debugging_disk_backend_commit_rebalance_duration_seconds: [
        "Part of a commit: merging.",
        b.rebalanceSeconds,
      ],
      etcd_debugging_disk_backend_commit_spill_duration_seconds: [
        "Part of a commit: building pages.",
        b.spillSeconds,
      ],
      etcd_debugging_disk_backend_commit_write_duration_seconds: [
        "Part of a commit: writing.",
        b.writeSeconds,
      ],
      etcd_disk_wal_fsync_duration_seconds: ["Time until a log write is durable.", w.syncSeconds],
      etcd_disk_wal_write_duration_seconds: ["Time of a log write.", w.writeSeconds],
      etcd_snap_db_fsync_duration_seconds: [
        "Time of syncing a received database.",
        m.snapDbFsyncSeconds,
      ],
      etcd_snap_db_save_total_duration_seconds: [
        "Time of receiving and saving a database.",
        m.snapDbSaveSeconds,
      ],
      etcd_snap_fsync_duration_seconds: ["Time of syncing a .snap file.", m.snapFsyncSeconds],
      etcd_debugging_snap_save_total_duration_seconds: [
        "Time of saving a .snap file.",
        m.snapSaveTotalSeconds,
      ],
      etcd_debugging_snap_save_marshalling_duration_seconds: [
        "Part of it: encoding.",
        m.snapSaveMarshallingSeconds,
      ],
    }),
  ];
}
