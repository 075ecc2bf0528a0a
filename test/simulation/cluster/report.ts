// What is printed of a cluster: one line per member, in columns.

import type { SimCluster } from "./cluster.ts";
import type { SimNode } from "./sim-node.ts";
import type { Plan } from "./swarm.ts";
import type { Workload } from "./workload.ts";

const COLUMNS = ["member", "role", "term", "commit/applied/durable", "wal", "revision", "watchers"];

export function tableOf(cluster: SimCluster, workload: Workload | undefined): string {
  const rows = cluster.nodes.map((node) => rowOf(node, workload));
  const widths = COLUMNS.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]!.length)),
  );
  return [COLUMNS, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function rowOf(node: SimNode, workload: Workload | undefined): string[] {
  const { member } = node;
  const name = `m${node.number}`;
  if (member === undefined) {
    const state = node.isLost ? "lost" : "down";
    return [name, state, "-", "-", walOf(node), "-", "-"];
  }
  const { role, term, commit } = member.raftStatus();
  const paused = node.machine.clock.isPaused ? " (paused)" : "";
  const isLearner = member.isLearner ? "learner" : role;
  const indexes = `${commit}/${member.appliedIndex}/${member.backend.durableAppliedIndex}`;
  const watchers = workload?.watchers.countAt(node) ?? 0;
  return [
    ...[name, isLearner + paused, `${term}`, indexes, walOf(node)],
    ...[`${member.revision}`, `${watchers}`],
  ];
}

/** The newest segment and how many there are. */
function walOf({ machine }: SimNode): string {
  const directory = "/data/member/wal";
  if (!machine.disk.exists(directory)) return "none";
  const segments = machine.disk.list(directory).filter((name) => name.endsWith(".wal"));
  const [sequence, index] = (segments.at(-1) ?? "0-0.wal").replace(".wal", "").split("-");
  return `${Number.parseInt(sequence!, 16)}@${Number.parseInt(index!, 16)} of ${segments.length}`;
}

export function planText(plan: Plan): string {
  const { memberCount, durationMs, clientCount, keyCount, thinkMs, faults, operations } = plan;
  const shape = { memberCount, durationMs, clientCount, keyCount, thinkMs };
  const { options, network, walSegmentBytes, fates, syncMs } = plan;
  return [
    `shape=${JSON.stringify(shape)}`,
    `faults=${[...faults].join(",") || "none"} every ${plan.faultEveryMs} ms`,
    `operations=${operations.join(",")}`,
    `options=${JSON.stringify(options)}`,
    `network=${JSON.stringify(network, (_key, value) => (value === Infinity ? "never" : value))}`,
    `disk=${JSON.stringify({ walSegmentBytes, fates, syncMs })}`,
  ].join("\n");
}
