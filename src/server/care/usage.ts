// The tree of prefixes with sums over everything below each: what `etcdctl du` shows.

import { humanSize } from "../../base/human-size.ts";
import { COLUMNS, Column, ROOT } from "../../state/accounting/prefix-tree.ts";
import type { SpaceAccount } from "../../state/accounting/space-account.ts";
import type { KeySurvey } from "./key-survey.ts";

/** Prefixes that a warning names. */
const FULLEST_COUNT = 3;

export interface PrefixRow {
  readonly node: number;
  readonly prefix: string;
  /** Below the prefix asked for. */
  readonly depth: number;
  /** By Column. */
  readonly sums: Float64Array;
  largestBytes: number;
  largestKey: string;
  isCoarse: boolean;
}

/**
 * Rows of the prefix and of what lies up to `depthMax` levels below it, parents first; undefined
 * when nothing is known by that prefix. Bytes of subtrees that are deeper are in their parents.
 */
export function usageOf(
  space: SpaceAccount,
  prefix: string,
  depthMax: number,
  survey: KeySurvey | undefined,
): PrefixRow[] | undefined {
  const node = prefix === "" ? ROOT : space.tree.at(prefix);
  if (node === undefined) return undefined;
  const rows: PrefixRow[] = [];
  collect(space, node, prefix, 0, depthMax, survey, rows);
  // Directories that are always kept an eye on, and nothing ever was in.
  return rows.filter(({ depth, sums }) => depth === 0 || sums.some((sum) => sum > 0));
}

function collect(
  space: SpaceAccount,
  node: number,
  prefix: string,
  depth: number,
  depthMax: number,
  survey: KeySurvey | undefined,
  rows: PrefixRow[],
): PrefixRow {
  const { tree } = space;
  const row: PrefixRow = {
    node,
    prefix,
    depth,
    sums: tree.counters.slice(node * COLUMNS, (node + 1) * COLUMNS),
    largestBytes: survey?.largestBytes[node] ?? 0,
    largestKey: survey?.largestKeyOf(node) ?? "",
    isCoarse: tree.isClosed(node),
  };
  if (depth <= depthMax) rows.push(row);
  for (const child of tree.childrenOf(node)) {
    const path = prefix + tree.nameOf(child);
    const below = collect(space, child, path, depth + 1, depthMax, survey, rows);
    for (let i = 0; i < COLUMNS; i++) row.sums[i]! += below.sums[i]!;
    row.isCoarse ||= below.isCoarse;
    if (below.largestBytes > row.largestBytes) {
      row.largestBytes = below.largestBytes;
      row.largestKey = below.largestKey;
    }
  }
  return row;
}

/** Where most of the live data lies, largest first: "/registry/pods/ (120 MB), /jobs/ (3.0 MB)". */
export function fullestText(space: SpaceAccount): string {
  const { tree } = space;
  const liveOf = ({ node }: PrefixRow): number => tree.counters[node * COLUMNS + Column.LiveBytes]!;
  const rows = usageOf(space, "", Number.POSITIVE_INFINITY, undefined)!;
  return rows
    .sort((a, b) => liveOf(b) - liveOf(a))
    .slice(0, FULLEST_COUNT)
    .filter((row) => liveOf(row) > 0)
    .map((row) => `${row.prefix || "(no prefix)"} (${humanSize(liveOf(row))})`)
    .join(", ");
}

export function heldBytes(sums: Float64Array): number {
  return sums[Column.LiveBytes]! + sums[Column.HistoryBytes]!;
}
