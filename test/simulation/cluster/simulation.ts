// One run: a plan from a seed, a cluster, clients, faults, recovery, checks.

import { SimCluster } from "./cluster.ts";
import { checkEnd, recover } from "./final-checks.ts";
import { Nemesis } from "./nemesis.ts";
import { tableOf } from "./report.ts";
import { type Changes, drawPlan, type Plan } from "./swarm.ts";
import { Violation } from "./violation.ts";
import { Workload } from "./workload.ts";

export interface Run {
  readonly plan: Plan;
  readonly hash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly counts: ReadonlyMap<string, number>;
  /** The rule that was broken, or the error that nobody expected. */
  readonly failure: { readonly rule: string; readonly error: Error } | undefined;
  readonly table: string;
  readonly trace: readonly string[];
}

export interface RunOptions {
  readonly changes?: Changes;
  /** Every message and line of the log in the trace. */
  readonly isFull?: boolean;
  /** Ends before this event. */
  readonly untilEvent?: number;
  readonly prepare?: (cluster: SimCluster) => void;
}

/** Thrown to end a run that was to be looked at in the middle. */
class Enough extends Error {}

export function simulate(seed: number, options: RunOptions = {}): Run {
  const plan = drawPlan(seed, options.changes);
  const cluster = new SimCluster(plan, options.isFull);
  const { schedule } = cluster.world;
  let workload: Workload | undefined;
  let failure: Run["failure"];
  try {
    limit(cluster, options.untilEvent);
    options.prepare?.(cluster);
    workload = new Workload(cluster);
    for (const node of cluster.nodes) cluster.start(node);
    const nemesis = new Nemesis(cluster);
    cluster.runFor(plan.durationMs);
    nemesis.end();
    workload.end();
    recover(cluster);
    checkEnd(cluster, workload);
  } catch (error) {
    if (!(error instanceof Enough)) failure = describe(error as Error);
  }
  return {
    plan,
    hash: cluster.world.hash,
    events: schedule.eventCount,
    virtualMs: schedule.nowMs,
    counts: cluster.counts,
    failure,
    table: tableOf(cluster, workload),
    trace: cluster.trace.last(),
  };
}

function limit(cluster: SimCluster, untilEvent: number | undefined): void {
  if (untilEvent === undefined) return;
  const step = cluster.step.bind(cluster);
  cluster.step = () => {
    if (cluster.world.schedule.eventCount >= untilEvent) throw new Enough();
    return step();
  };
}

function describe(error: Error): NonNullable<Run["failure"]> {
  const rule = error instanceof Violation ? error.rule : firstLineOf(error);
  return { rule, error };
}

/** Failures with the same first line are taken for the same bug. */
function firstLineOf({ message }: Error): string {
  return message.split("\n")[0]!.replace(/\d+/g, "#").slice(0, 60);
}
