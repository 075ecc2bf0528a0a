// What the server layer counts; names and texts are in `api/metrics.ts`.

import { Counter, exponentialBounds, Family, Gauge, Histogram } from "../base/metrics.ts";

export class ServerMetrics {
  readonly proposalsFailed = new Counter();
  readonly proposalsCommitted = new Gauge();
  readonly proposalsApplied = new Gauge();
  readonly leaderChangesSeen = new Counter();
  readonly hasLeader = new Gauge();
  readonly isLeader = new Gauge();
  readonly slowApply = new Counter();
  readonly slowReadIndexes = new Counter();
  readonly readIndexesFailed = new Counter();
  readonly heartbeatSendFailures = new Counter();
  readonly snapshotApplyInProgress = new Gauge();
  readonly applyDurationSeconds: Family<Histogram> = new Family(
    ["version", "op", "success"],
    () => new Histogram(exponentialBounds(0.0001, 2, 20)),
  );
  readonly snapSaveTotalSeconds = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly snapSaveMarshallingSeconds = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly snapFsyncSeconds = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly defragInflight = new Gauge();
}
