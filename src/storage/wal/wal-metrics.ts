import { Counter, exponentialBounds, Histogram } from "../../base/metrics.ts";

/** 1 ms to 8 s, as etcd's. */
const SECONDS_BOUNDS = exponentialBounds(0.001, 2, 14);

export class WalMetrics {
  /** `etcd_disk_wal_fsync_duration_seconds`: write and sync are one call here. */
  readonly syncSeconds: Histogram = new Histogram(SECONDS_BOUNDS);
  /** `etcd_disk_wal_write_duration_seconds`. */
  readonly writeSeconds: Histogram = new Histogram(SECONDS_BOUNDS);
  /** `etcd_disk_wal_write_bytes_total`. */
  readonly writtenBytes: Counter = new Counter();

  observeWrite(tookMs: number, bytes: number): void {
    this.syncSeconds.observe(tookMs / 1000);
    this.writeSeconds.observe(tookMs / 1000);
    this.writtenBytes.add(bytes);
  }
}
