// HashKV of a revision, in steps between which requests are served.

import type { Clock } from "../io/io.ts";
import { HashJob, type KeyValueHash } from "../state/mvcc/hash.ts";
import type { State } from "../state/state.ts";
import type { RpcError } from "../wire/status.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** Keys or records per step: a few milliseconds. */
const STEP = 4000;

export function hashKv(
  parts: { readonly clock: Clock; readonly state: State; readonly metrics: ServerMetrics },
  revision: number,
  done: (result: KeyValueHash | RpcError) => void,
): void {
  const { clock, metrics } = parts;
  const job = parts.state.hashJob(revision);
  if (!(job instanceof HashJob)) {
    done(job);
    return;
  }
  const beganMs = clock.monotonicMs();
  const step = (): void => {
    if (!job.step(STEP)) {
      clock.endOfTurn(step);
      return;
    }
    metrics.hashKvSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
    done(job.result());
  };
  step();
}
