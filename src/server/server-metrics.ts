// What the server layer counts; names and texts are in `api/metrics.ts`.

import { Counter, exponentialBounds, Family, Gauge, Histogram } from "../base/metrics.ts";
import { applyTimes, requestTimes, type TimesByKind } from "./apply-metrics.ts";

export class ServerMetrics {
  readonly proposalsFailed: Counter = new Counter();
  readonly leaderChangesSeen: Counter = new Counter();
  readonly hasLeader: Gauge = new Gauge();
  readonly isLeader: Gauge = new Gauge();
  readonly slowApply: Counter = new Counter();
  readonly slowReadIndexes: Counter = new Counter();
  readonly readIndexesFailed: Counter = new Counter();
  readonly heartbeatSendFailures: Counter = new Counter();
  readonly snapshotApplyInProgress: Gauge = new Gauge();
  readonly applySeconds: TimesByKind = applyTimes();
  readonly requestSeconds: TimesByKind = requestTimes();
  readonly rangeFamily: Family<Histogram> = new Family(
    ["success"],
    () => new Histogram(exponentialBounds(0.0001, 2, 20)),
  );
  readonly rangeSeconds: Histogram = this.rangeFamily.with("true");
  readonly hashSeconds: Histogram = new Histogram(exponentialBounds(0.01, 2, 15));
  readonly hashKvSeconds: Histogram = new Histogram(exponentialBounds(0.01, 2, 15));
  readonly snapSaveTotalSeconds: Histogram = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly snapSaveMarshallingSeconds: Histogram = new Histogram(exponentialBounds(0.001, 2, 14));
  /** Of databases from leaders. */
  readonly snapDbFsyncSeconds: Histogram = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly snapDbSaveSeconds: Histogram = new Histogram(exponentialBounds(0.1, 2, 10));
  readonly snapFsyncSeconds: Histogram = new Histogram(exponentialBounds(0.001, 2, 14));
}
