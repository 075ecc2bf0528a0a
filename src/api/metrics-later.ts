// Metrics of parts that are not built yet.

import { Counter, exponentialBounds, Gauge, Histogram } from "../base/metrics.ts";
import type { Metric } from "./exposition.ts";
import { counters, gauges, histograms } from "./metric-rows.ts";

const NOT_YET = "Not counted yet.";

/** Of parts that are not built yet: there, so that dashboards find them, and zero. */
export function laterMetrics(): Metric[] {
  const counter = (name: string): Metric => counters({ [name]: [NOT_YET, new Counter()] })[0]!;
  const gauge = (name: string): Metric => gauges({ [name]: [NOT_YET, new Gauge()] })[0]!;
  const histogram = (name: string, bounds: number[]): Metric =>
    histograms({ [name]: [NOT_YET, new Histogram(bounds)] })[0]!;
  const milliseconds = exponentialBounds(0.001, 2, 14);
  return [
    gauge("etcd_debugging_auth_revision"),
    counter("etcd_debugging_store_expires_total"),
    counter("etcd_debugging_store_watch_requests_total"),
    gauge("etcd_debugging_store_watchers"),
    gauge("etcd_grpc_proxy_cache_hits_total"),
    gauge("etcd_grpc_proxy_cache_keys_total"),
    gauge("etcd_grpc_proxy_cache_misses_total"),
    counter("etcd_grpc_proxy_events_coalescing_total"),
    gauge("etcd_grpc_proxy_watchers_coalescing_total"),
    counter("etcd_server_learner_promote_successes"),
    histogram("etcd_snap_db_fsync_duration_seconds", milliseconds),
    histogram("etcd_snap_db_save_total_duration_seconds", exponentialBounds(0.1, 2, 10)),
  ];
}
