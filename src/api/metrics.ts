// Names, kinds and help of every metric of a member; what they read belongs to the parts. Names,
// labels and bucket bounds are etcd 3.7's, because dashboards and alert rules know them
// (etcd.io/docs/v3.6/metrics); the helps are ours.

import { Counter, exponentialBounds, Family, Gauge, Histogram } from "../base/metrics.ts";
import type { Member } from "../server/member.ts";
import { SERVER_VERSION } from "../server/options.ts";
import { idText } from "../state/members/member-json.ts";
import { alarmName } from "./alarm-name.ts";
import type { Metric, Source } from "./exposition.ts";
import type { Guard } from "./guard.ts";
import type { HealthChecks } from "./health-checks.ts";

type Row = readonly [name: string, kind: Metric["kind"], help: string, source: Source];

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
  return [...serverRows(parts), ...storeRows(member), ...diskRows(member), ...laterRows()].map(
    ([name, kind, help, source]) => ({ name, kind, help, source }),
  );
}

function serverRows({ member, health, guard, facts }: MetricParts): Row[] {
  const m = member.metrics;
  const id = idText(member.id);
  const one = (label: string, text: () => string): Source => {
    return () => [{ labels: [[label, text()]] as const, value: 1 }];
  };
  return [
    [
      "etcd_cluster_version",
      "gauge",
      "Version of the cluster: 1 for the running one.",
      one("cluster_version", () =>
        (member.members.clusterVersion ?? "3.0.0").replace(/\.\d+$/, ""),
      ),
    ],
    [
      "etcd_server_version",
      "gauge",
      "Version served.",
      one("server_version", () => SERVER_VERSION),
    ],
    [
      "etcd_server_go_version",
      "gauge",
      "Name kept for dashboards; the runtime is Node.js.",
      one("server_go_version", () => facts.runtimeVersion),
    ],
    ["etcd_server_id", "gauge", "Id of this member.", one("server_id", () => id)],
    ["etcd_server_has_leader", "gauge", "1 while a leader is known.", m.hasLeader],
    ["etcd_server_is_leader", "gauge", "1 while this member leads.", m.isLeader],
    ["etcd_server_is_learner", "gauge", "1 for a learner.", () => Number(member.isLearner)],
    ["etcd_server_leader_changes_seen_total", "counter", "Leader changes.", m.leaderChangesSeen],
    [
      "etcd_server_heartbeat_send_failures_total",
      "counter",
      "Late heartbeats.",
      m.heartbeatSendFailures,
    ],
    [
      "etcd_server_proposals_committed_total",
      "gauge",
      "Last committed index.",
      () => member.commitIndex,
    ],
    [
      "etcd_server_proposals_applied_total",
      "gauge",
      "Last applied index.",
      () => member.appliedIndex,
    ],
    [
      "etcd_server_proposals_pending",
      "gauge",
      "Proposals under way.",
      () => member.pendingProposals,
    ],
    ["etcd_server_proposals_failed_total", "counter", "Proposals that failed.", m.proposalsFailed],
    [
      "etcd_server_slow_apply_total",
      "counter",
      "Applies slower than the warning limit.",
      m.slowApply,
    ],
    [
      "etcd_server_slow_read_indexes_total",
      "counter",
      "Reads not confirmed in time.",
      m.slowReadIndexes,
    ],
    ["etcd_server_read_indexes_failed_total", "counter", "Reads that failed.", m.readIndexesFailed],
    [
      "etcd_server_quota_backend_bytes",
      "gauge",
      "Quota of the database file.",
      () => member.state.quota.quotaBytes,
    ],
    [
      "etcd_server_apply_duration_seconds",
      "histogram",
      "Time to apply a request.",
      m.applySeconds.family,
    ],
    ["etcd_server_range_duration_seconds", "histogram", "Time to answer a range.", m.rangeSeconds],
    [
      "etcd_server_request_duration_seconds",
      "histogram",
      "Time from request to answer.",
      m.requestSeconds.family,
    ],
    [
      "etcd_server_snapshot_apply_in_progress_total",
      "gauge",
      "1 while a snapshot is applied.",
      m.snapshotApplyInProgress,
    ],
    [
      "etcd_server_client_requests_total",
      "counter",
      "Requests by client API version.",
      guard.clientRequests,
    ],
    ["etcd_server_health_success", "counter", "Answers of /health: true.", health.successes],
    ["etcd_server_health_failures", "counter", "Answers of /health: false.", health.failures],
    ["etcd_server_healthchecks_total", "counter", "Results of single checks.", health.checks],
    ["etcd_server_healthcheck", "gauge", "Last result of single checks.", health.check],
    [
      "etcd_server_feature_enabled",
      "gauge",
      "Feature gates: 1 for enabled.",
      () =>
        facts.featureGates.map(({ name, stage, isEnabled }) => ({
          labels: [
            ["name", name],
            ["stage", stage],
          ] as const,
          value: Number(isEnabled),
        })),
    ],
    [
      "etcd_debugging_server_alarms",
      "gauge",
      "Alarms: 1 for raised.",
      () =>
        member.alarms.map(({ memberID, alarm }) => ({
          labels: [
            ["server_id", idText(memberID)],
            ["alarm_type", alarmName(alarm)],
          ] as const,
          value: 1,
        })),
    ],
  ];
}

function storeRows(member: Member): Row[] {
  const { mvcc } = member;
  const m = mvcc.metrics;
  return [
    ["etcd_mvcc_range_total", "counter", "Ranges read.", m.ranges],
    ["etcd_mvcc_put_total", "counter", "Puts applied.", m.puts],
    ["etcd_mvcc_delete_total", "counter", "Deletes applied.", m.deletes],
    ["etcd_mvcc_txn_total", "counter", "Transactions of several operations.", m.txns],
    ["etcd_mvcc_hash_duration_seconds", "histogram", "Time of Hash.", member.metrics.hashSeconds],
    [
      "etcd_mvcc_hash_rev_duration_seconds",
      "histogram",
      "Time of HashKV.",
      member.metrics.hashKvSeconds,
    ],
    ["etcd_debugging_mvcc_keys_total", "gauge", "Keys alive.", () => mvcc.index.liveCount],
    [
      "etcd_debugging_mvcc_current_revision",
      "gauge",
      "Current revision.",
      () => mvcc.currentRevision,
    ],
    [
      "etcd_debugging_mvcc_compact_revision",
      "gauge",
      "Revision of the last compaction.",
      () => mvcc.compactRevision,
    ],
    [
      "etcd_debugging_mvcc_total_put_size_in_bytes",
      "gauge",
      "Key and value bytes put.",
      m.putBytes,
    ],
    ...compactionRows(member),
  ];
}

function compactionRows({ compactor: { metrics: m } }: Member): Row[] {
  const name = (rest: string): string => `etcd_debugging_mvcc_${rest}`;
  return [
    [name("db_compaction_keys_total"), "counter", "Records deleted by compaction.", m.keys],
    [name("db_compaction_last"), "gauge", "End of the last one, Unix time.", m.lastUnixSeconds],
    [
      name("db_compaction_pause_duration_milliseconds"),
      "histogram",
      "Time of one batch.",
      m.pauseMs,
    ],
    [
      name("db_compaction_total_duration_milliseconds"),
      "histogram",
      "Time of a compaction.",
      m.totalMs,
    ],
    [
      name("index_compaction_pause_duration_milliseconds"),
      "histogram",
      "Time of one slice of the index.",
      m.indexPauseMs,
    ],
  ];
}

function diskRows(member: Member): Row[] {
  const { backend, metrics: m } = member;
  const b = backend.metrics;
  const w = member.walMetrics;
  return [
    [
      "etcd_mvcc_db_total_size_in_bytes",
      "gauge",
      "Size of the database file in use by pages.",
      () => backend.sizeBytes,
    ],
    [
      "etcd_mvcc_db_total_size_in_use_in_bytes",
      "gauge",
      "The same without free pages.",
      () => backend.sizeInUseBytes,
    ],
    [
      "etcd_mvcc_db_open_read_transactions",
      "gauge",
      "Pinned readers of the database.",
      () => backend.readTxCount,
    ],
    [
      "etcd_disk_backend_commit_duration_seconds",
      "histogram",
      "Time of a commit.",
      b.commitSeconds,
    ],
    [
      "etcd_disk_backend_defrag_duration_seconds",
      "histogram",
      "Time of a defragmentation.",
      b.defragSeconds,
    ],
    [
      "etcd_disk_backend_snapshot_duration_seconds",
      "histogram",
      "Time a snapshot is open.",
      b.snapshotSeconds,
    ],
    [
      "etcd_debugging_disk_backend_commit_rebalance_duration_seconds",
      "histogram",
      "Part of a commit: merging.",
      b.rebalanceSeconds,
    ],
    [
      "etcd_debugging_disk_backend_commit_spill_duration_seconds",
      "histogram",
      "Part of a commit: building pages.",
      b.spillSeconds,
    ],
    [
      "etcd_debugging_disk_backend_commit_write_duration_seconds",
      "histogram",
      "Part of a commit: writing.",
      b.writeSeconds,
    ],
    ["etcd_disk_defrag_inflight", "gauge", "1 while defragmenting.", b.defragInflight],
    [
      "etcd_disk_wal_fsync_duration_seconds",
      "histogram",
      "Time until a log write is durable.",
      w.syncSeconds,
    ],
    ["etcd_disk_wal_write_duration_seconds", "histogram", "Time of a log write.", w.writeSeconds],
    ["etcd_disk_wal_write_bytes_total", "gauge", "Bytes written to the log.", w.writtenBytes],
    [
      "etcd_snap_fsync_duration_seconds",
      "histogram",
      "Time of syncing a .snap file.",
      m.snapFsyncSeconds,
    ],
    [
      "etcd_debugging_snap_save_total_duration_seconds",
      "histogram",
      "Time of saving a .snap file.",
      m.snapSaveTotalSeconds,
    ],
    [
      "etcd_debugging_snap_save_marshalling_duration_seconds",
      "histogram",
      "Part of it: encoding.",
      m.snapSaveMarshallingSeconds,
    ],
  ];
}

/** Of parts that are not built yet: there, so that dashboards find them, and zero. */
function laterRows(): Row[] {
  const counter = (name: string): Row => [name, "counter", "Not counted yet.", new Counter()];
  const gauge = (name: string): Row => [name, "gauge", "Not counted yet.", new Gauge()];
  const histogram = (name: string, bounds: number[]): Row => {
    return [name, "histogram", "Not measured yet.", new Histogram(bounds)];
  };
  const milliseconds = exponentialBounds(0.001, 2, 14);
  const labelled = (name: string, labels: string[]): Row => {
    return [name, "gauge", "Not counted yet.", new Family(labels, () => new Gauge())];
  };
  return [
    gauge("etcd_debugging_auth_revision"),
    ...["granted", "renewed", "revoked"].map((what) =>
      counter(`etcd_debugging_lease_${what}_total`),
    ),
    histogram("etcd_debugging_lease_ttl_total", exponentialBounds(1, 2, 24)),
    counter("etcd_debugging_mvcc_events_total"),
    gauge("etcd_debugging_mvcc_pending_events_total"),
    gauge("etcd_debugging_mvcc_slow_watcher_total"),
    gauge("etcd_debugging_mvcc_watch_stream_total"),
    gauge("etcd_debugging_mvcc_watcher_total"),
    counter("etcd_debugging_server_lease_expired_total"),
    ...["control_stream", "progress", "watch_stream_duration_per_event", "watch_stream"].map(
      (part) =>
        histogram(
          `etcd_debugging_server_watch_send_loop_${part.replace("_duration_per_event", "")}_duration${
            part.endsWith("per_event") ? "_per_event" : ""
          }_seconds`,
          milliseconds,
        ),
    ),
    counter("etcd_debugging_store_expires_total"),
    counter("etcd_debugging_store_watch_requests_total"),
    gauge("etcd_debugging_store_watchers"),
    gauge("etcd_grpc_proxy_cache_hits_total"),
    gauge("etcd_grpc_proxy_cache_keys_total"),
    gauge("etcd_grpc_proxy_cache_misses_total"),
    counter("etcd_grpc_proxy_events_coalescing_total"),
    counter("etcd_grpc_proxy_watchers_coalescing_total"),
    labelled("etcd_network_known_peers", ["Local", "Remote"]),
    counter("etcd_server_learner_promote_successes"),
    histogram("etcd_snap_db_fsync_duration_seconds", milliseconds),
    histogram("etcd_snap_db_save_total_duration_seconds", exponentialBounds(0.1, 2, 10)),
  ];
}
