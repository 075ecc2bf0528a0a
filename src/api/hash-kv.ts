// HashKV of a revision, in steps between which requests are served.

import type { Member } from "../server/member.ts";
import { HashJob, type KeyValueHash } from "../state/mvcc/hash.ts";
import type { RpcError } from "../wire/status.ts";

/** Keys or records per step: a few milliseconds. */
const STEP = 4000;

export function hashKv(
  member: Member,
  revision: number,
  done: (result: KeyValueHash | RpcError) => void,
): void {
  const job = member.state.hashJob(revision);
  if (!(job instanceof HashJob)) {
    done(job);
    return;
  }
  const beganMs = member.clock.monotonicMs();
  const step = (): void => {
    if (!job.step(STEP)) {
      member.clock.endOfTurn(step);
      return;
    }
    member.metrics.hashKvSeconds.observe((member.clock.monotonicMs() - beganMs) / 1000);
    done(job.result());
  };
  step();
}
