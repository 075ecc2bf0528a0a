// Metrics of parts that are not built yet.

import { Counter, Gauge } from "../base/metrics.ts";
import type { Metric } from "./exposition.ts";
import { counters, gauges } from "./metric-rows.ts";

const NOT_YET = "Not counted yet.";

/** Of parts that are not built yet: there, so that dashboards find them, and zero. */
export function laterMetrics(): Metric[] {
  const counter = (name: string): Metric => counters({ [name]: [NOT_YET, new Counter()] })[0]!;
  const gauge = (name: string): Metric => gauges({ [name]: [NOT_YET, new Gauge()] })[0]!;
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
  ];
}
