// Lines of level "error" that a member may write when the world is as bad as the simulator makes
// it. Any other is a violation: an operator would be called for it. So are a few warnings that only
// a failing disk explains.

import type { SimNode } from "./sim-node.ts";
import { Violation } from "./violation.ts";

const ALLOWED: readonly RegExp[] = [
  // An operator asked for a change that the members refuse; etcd logs it so.
  /^Validation on configuration change failed$/,
  /^rejecting promote learner: learner is not ready$/,
];

/** What a failing disk leads to; only where a fault of the disk was planned. */
const ALLOWED_OF_SICK: readonly RegExp[] = [/^cannot defragment$/];

/** A warning, because disks fail; on a disk that works the database is not what was sent. */
const WARNING_OF_SICK = "failed to save incoming database snapshot";

export class ErrorLines {
  judge(
    level: string,
    node: SimNode,
    isSick: boolean,
    message: string,
    fields: object | undefined,
  ): Violation | undefined {
    if (level !== "error" && (message !== WARNING_OF_SICK || isSick)) return undefined;
    const allowed = isSick ? [...ALLOWED, ...ALLOWED_OF_SICK] : ALLOWED;
    if (allowed.some((pattern) => pattern.test(message))) return undefined;
    const text = JSON.stringify(fields, (_key, value) => {
      if (typeof value === "bigint") return value.toString(16);
      return value instanceof Error ? value.message : value;
    });
    return new Violation("no unexpected error in the log", `m${node.number}: ${message} ${text}`);
  }
}
