import { exponentialBounds, Gauge, Histogram } from "../base/metrics.ts";

/** 1 ms to 8 s, as etcd's. */
const COMMIT_BOUNDS = exponentialBounds(0.001, 2, 14);

export class BackendMetrics {
  /** `etcd_disk_backend_commit_duration_seconds`. */
  readonly commitSeconds: Histogram = new Histogram(COMMIT_BOUNDS);
  /** `etcd_debugging_disk_backend_commit_rebalance_duration_seconds`. */
  readonly rebalanceSeconds: Histogram = new Histogram(COMMIT_BOUNDS);
  /** `etcd_debugging_disk_backend_commit_spill_duration_seconds`. */
  readonly spillSeconds: Histogram = new Histogram(COMMIT_BOUNDS);
  /** `etcd_debugging_disk_backend_commit_write_duration_seconds`. */
  readonly writeSeconds: Histogram = new Histogram(COMMIT_BOUNDS);
  /** `etcd_disk_backend_snapshot_duration_seconds`: how long a snapshot was open. */
  readonly snapshotSeconds: Histogram = new Histogram(exponentialBounds(0.01, 2, 17));
  /** `etcd_disk_backend_defrag_duration_seconds`. */
  readonly defragSeconds: Histogram = new Histogram(exponentialBounds(0.1, 2, 13));
  /** `etcd_disk_defrag_inflight`. */
  readonly defragInflight: Gauge = new Gauge();
}
