// Metrics of watchers and leases; see metrics.ts. Those that begin with quorate are ours.

import type { Member } from "../server/member.ts";
import type { Metric } from "./exposition.ts";
import { counters, gauges, histograms } from "./metric-rows.ts";

export function watchMetrics({ watch, watchFeed }: Member): Metric[] {
  const m = watchFeed.metrics;
  const sent = "Time of sending";
  return [
    ...counters({
      etcd_debugging_mvcc_events_total: ["Events sent to watchers.", () => watch.eventsSent],
    }),
    ...gauges({
      etcd_debugging_mvcc_watch_stream_total: ["Watch streams.", () => watch.streams.size],
      etcd_debugging_mvcc_watcher_total: ["Watchers.", () => watch.watcherCount],
      etcd_debugging_mvcc_slow_watcher_total: ["Watchers behind.", () => watch.lag().watchers],
      etcd_debugging_mvcc_pending_events_total: [
        "Revisions that watchers are behind, of all together.",
        () => watch.lag().revisions,
      ],
      quorate_watch_lag_revisions: [
        "How many revisions the last watcher is behind.",
        () => watch.lag().revisionsMax,
      ],
      quorate_watch_lag_bytes: [
        "Bytes that watch streams hold until their clients take them.",
        () => watch.lag().queuedBytes,
      ],
    }),
    ...histograms({
      etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds: [
        `${sent} events in a response.`,
        m.streamSeconds,
      ],
      etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds: [
        `${sent} one of them.`,
        m.perEventSeconds,
      ],
      etcd_debugging_server_watch_send_loop_control_stream_duration_seconds: [
        `${sent} answers to requests.`,
        m.controlSeconds,
      ],
      etcd_debugging_server_watch_send_loop_progress_duration_seconds: [
        `${sent} progress notifications.`,
        m.progressSeconds,
      ],
    }),
  ];
}

export function leaseMetrics({ leaseClock: { metrics: m } }: Member): Metric[] {
  return [
    ...counters({
      etcd_debugging_lease_granted_total: ["Leases granted.", m.granted],
      etcd_debugging_lease_revoked_total: ["Leases revoked.", m.revoked],
      etcd_debugging_lease_renewed_total: ["Leases renewed by this leader.", m.renewed],
      etcd_debugging_server_lease_expired_total: ["Leases that expired here.", m.expired],
    }),
    ...histograms({
      etcd_debugging_lease_ttl_total: ["Times to live of leases, in seconds.", m.ttlSeconds],
    }),
  ];
}
