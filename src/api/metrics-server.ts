// Metrics of the member itself: who it is, the agreement, requests, health.

import type { Member } from "../server/member.ts";
import { SERVER_VERSION } from "../server/options.ts";
import { idText } from "../state/members/member-json.ts";
import { alarmName } from "./alarm-name.ts";
import type { Metric, Source } from "./exposition.ts";
import { counters, gauges, histograms } from "./metric-rows.ts";
import type { MetricParts } from "./metrics.ts";

export function serverMetrics({ member, health, guard, facts }: MetricParts): Metric[] {
  return [
    ...identityMetrics(member, facts),
    ...agreementMetrics(member),
    ...healthMetrics(health, guard),
  ];
}

function identityMetrics(member: Member, facts: MetricParts["facts"]): Metric[] {
  const id = idText(member.id);
  const one = (label: string, text: () => string): Source => {
    return () => [{ labels: [[label, text()]] as const, value: 1 }];
  };
  return [
    ...gauges({
      etcd_cluster_version: [
        "Version of the cluster: 1 for the running one.",
        one("cluster_version", () =>
          (member.members.clusterVersion ?? "3.0.0").replace(/\.\d+$/, ""),
        ),
      ],
      etcd_server_version: ["Version served.", one("server_version", () => SERVER_VERSION)],
      etcd_server_go_version: [
        "Name kept for dashboards; the runtime is Node.js.",
        one("server_go_version", () => facts.runtimeVersion),
      ],
      etcd_server_id: ["Id of this member.", one("server_id", () => id)],
      etcd_server_feature_enabled: [
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
      etcd_debugging_server_alarms: [
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
    }),
  ];
}

function agreementMetrics(member: Member): Metric[] {
  const m = member.metrics;
  return [
    ...gauges({
      etcd_server_has_leader: ["1 while a leader is known.", m.hasLeader],
      etcd_server_is_leader: ["1 while this member leads.", m.isLeader],
      etcd_server_is_learner: ["1 for a learner.", () => Number(member.isLearner)],
      etcd_server_proposals_committed_total: ["Last committed index.", () => member.commitIndex],
      etcd_server_proposals_applied_total: ["Last applied index.", () => member.appliedIndex],
      etcd_server_proposals_pending: ["Proposals under way.", () => member.pendingProposals],
      etcd_server_quota_backend_bytes: [
        "Quota of the database file.",
        () => member.state.quota.quotaBytes,
      ],
      etcd_server_snapshot_apply_in_progress_total: [
        "1 while a snapshot is applied.",
        m.snapshotApplyInProgress,
      ],
    }),
    ...counters({
      etcd_server_leader_changes_seen_total: ["Leader changes.", m.leaderChangesSeen],
      etcd_server_learner_promote_successes: [
        "Learners that became voters.",
        member.duties.promotion.successes,
      ],
      etcd_server_learner_promote_failures: [
        "Learners that did not, by reason.",
        member.duties.promotion.failures,
      ],
      etcd_server_heartbeat_send_failures_total: ["Late heartbeats.", m.heartbeatSendFailures],
      etcd_server_proposals_failed_total: ["Proposals that failed.", m.proposalsFailed],
      etcd_server_slow_apply_total: ["Applies slower than the warning limit.", m.slowApply],
      etcd_server_slow_read_indexes_total: ["Reads not confirmed in time.", m.slowReadIndexes],
      etcd_server_read_indexes_failed_total: ["Reads that failed.", m.readIndexesFailed],
    }),
    ...histograms({
      etcd_server_apply_duration_seconds: ["Time to apply a request.", m.applySeconds.family],
      etcd_server_range_duration_seconds: ["Time to answer a range.", m.rangeFamily],
      etcd_server_request_duration_seconds: [
        "Time from request to answer.",
        m.requestSeconds.family,
      ],
    }),
  ];
}

function healthMetrics(health: MetricParts["health"], guard: MetricParts["guard"]): Metric[] {
  return [
    ...counters({
      etcd_server_client_requests_total: ["Requests by client API version.", guard.clientRequests],
      etcd_server_health_success: ["Answers of /health: true.", health.successes],
      etcd_server_health_failures: ["Answers of /health: false.", health.failures],
      etcd_server_healthchecks_total: ["Results of single checks.", health.checks],
    }),
    ...gauges({
      etcd_server_healthcheck: ["Last result of single checks.", health.check],
    }),
  ];
}
