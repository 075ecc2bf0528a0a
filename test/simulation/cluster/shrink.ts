// Makes a failing run smaller: takes out one kind of fault or operation after the other, and
// halves the time, as long as the same rule is still broken.

import { type Run, simulate } from "./simulation.ts";
import { type Changes, FAULTS, OPERATIONS } from "./swarm.ts";

/** What is left, as the command that shows it. */
export function shrink(
  seed: number,
  given: Changes,
  failed: Run,
  print: (text: string) => void,
): string {
  const rule = failed.failure!.rule;
  let changes: Changes = given;
  let events = failed.events;
  const attempt = (candidate: Changes, what: string): boolean => {
    const run = simulate(seed, { changes: candidate });
    if (run.failure?.rule !== rule) return false;
    print(`still fails ${what}, after ${run.events} events`);
    changes = candidate;
    events = run.events;
    return true;
  };
  for (let durationMs = failed.plan.durationMs / 2; durationMs >= 500; durationMs /= 2) {
    if (!attempt({ ...changes, durationMs }, `in ${durationMs} ms`)) break;
  }
  for (const kind of [...FAULTS, ...OPERATIONS]) {
    const { faults, operations } = failed.plan;
    const isThere = [...faults, ...operations].some((one) => one === kind);
    if (!isThere || changes.without?.includes(kind) === true) continue;
    const without = [...(changes.without ?? []), kind];
    attempt({ ...changes, without }, `without ${kind}`);
  }
  const parts = [`npm run sim -- ${seed}`];
  if (changes.without !== undefined) parts.push(`--without ${changes.without.join(",")}`);
  if (changes.durationMs !== undefined) parts.push(`--duration ${changes.durationMs}`);
  if (changes.members !== undefined) parts.push(`--members ${changes.members}`);
  return `${events} events: ${parts.join(" ")}`;
}
