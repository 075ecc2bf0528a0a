import { humanSize } from "../../base/human-size.ts";
import {
  encodeUsageResponse,
  type Finding,
  type PrefixUsage,
  type UsageResponse,
  UsageResponse_DESCRIPTOR,
} from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf, keyText } from "./care-calls.ts";
import { badArguments } from "./exit.ts";
import { drawTable } from "./printers/table.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const HEADS = ["total", "live", "history", "keys", "revisions", "tombstones", "largest", "prefix"];
/** Where the tree branches; a prefix with only one other below it is none. */
const LEVELS_DEFAULT = 2n;

export function held(row: PrefixUsage): number {
  return row.liveBytes + row.historyBytes;
}

/** Parents before children, larger ones first. */
export function sortTree(rows: readonly PrefixUsage[]): PrefixUsage[] {
  const [root] = rows;
  if (root === undefined) return [];
  const children = new Map<PrefixUsage, PrefixUsage[]>();
  const path: PrefixUsage[] = [];
  for (const row of rows) {
    path[row.depth] = row;
    const parent = path[row.depth - 1];
    if (row.depth === 0 || parent === undefined) continue;
    const siblings = children.get(parent) ?? [];
    siblings.push(row);
    children.set(parent, siblings);
  }
  const sorted: PrefixUsage[] = [];
  const visit = (row: PrefixUsage): void => {
    sorted.push(row);
    for (const child of (children.get(row) ?? []).sort((a, b) => held(b) - held(a))) visit(child);
  };
  visit(root);
  return sorted;
}

/**
 * Of a sorted tree, `levels` levels below the root; prefixes that hold nothing but one other are
 * left out: `/` and `/registry/` say nothing that `/registry/pods/` does not.
 */
export function foldTree(rows: readonly PrefixUsage[], levels: number): PrefixUsage[] {
  const folded: PrefixUsage[] = [];
  /** By depth in `rows`: the depth in `folded`. */
  const depths: number[] = [];
  for (const [at, row] of rows.entries()) {
    const next = rows[at + 1];
    const isChain =
      row.depth > 0 &&
      next?.depth === row.depth + 1 &&
      next.keys === row.keys &&
      next.historyRecords === row.historyRecords &&
      held(next) === held(row);
    const depth = row.depth === 0 ? 0 : depths[row.depth - 1]! + (isChain ? 0 : 1);
    depths[row.depth] = depth;
    if (!isChain && depth <= levels) folded.push({ ...row, depth });
  }
  return folded;
}

function cells(row: PrefixUsage): string[] {
  const name = row.prefix.length === 0 ? "(all)" : keyText(row.prefix);
  return [
    humanSize(held(row)),
    humanSize(row.liveBytes),
    humanSize(row.historyBytes),
    String(row.keys),
    String(row.keys + row.historyRecords),
    String(row.tombstones),
    humanSize(row.largestBytes),
    // The tree is drawn by indentation; cells are trimmed, so it needs a mark.
    `${"· ".repeat(row.depth)}${name}${row.coarse ? " …" : ""}`,
  ];
}

export function findingText({ pattern, subject, text, advice }: Finding): string {
  const what = subject.length === 0 ? "" : ` ${keyText(subject)}`;
  return `${pattern}${what}: ${text}\n  → ${advice}\n`;
}

/** `levels` undefined: all that came. */
export function usageView(response: UsageResponse, levels?: number): View {
  const sorted = sortTree(response.prefixes);
  const rows = levels === undefined ? sorted : foldTree(sorted, levels);
  const { dbSize, dbSizeInUse, dbSizeQuota } = response;
  const quota = dbSizeQuota === 0 ? "none" : humanSize(dbSizeQuota);
  const file =
    `file ${humanSize(dbSize)}, in use ${humanSize(dbSizeInUse)}, quota ${quota}, ` +
    `compacted at revision ${response.compactRevision}\n`;
  const notes = response.findings.map(findingText);
  return {
    ...messageView(response, UsageResponse_DESCRIPTOR, encodeUsageResponse),
    simple: () => [
      ...rows.map((row) => {
        const [total = "", live = "", history = "", keys = "", , , , prefix = ""] = cells(row);
        const counts = `${total.padStart(9)} ${live.padStart(9)} live ${history.padStart(9)} history`;
        return `${counts} ${keys.padStart(8)} keys  ${prefix}\n`;
      }),
      file,
      ...notes,
    ],
    table: () => [drawTable(HEADS, rows.map(cells)), file, ...notes],
  };
}

export const body: Body<Session> = {
  long: `Shows what lies below a prefix, like du: live keys, history, revisions, tombstones, and the
largest value, with sums over everything below. A prefix ends with a slash; without one it is all.
Without --depth the first two levels at which the tree branches are shown; json and protobuf have all.

Bytes are those of the records; pages add some. Below the tree stand patterns that explain why a
store grows, as far as the server has recognised them.`,
  prepare(flags) {
    const depth = flags.unsigned("depth", LEVELS_DEFAULT, "levels below the prefix; 0 for all");
    return async (session, args) => {
      if (args.length > 1) throw badArguments("du command accepts at most one argument, a prefix");
      const care = await careOf(session);
      const request = {
        prefix: Buffer.from(args[0] ?? ""),
        depth: depth.changed ? Number(depth.value) : 0,
      };
      const response = await asked(session, care.usage(request, session.callOptions));
      session.show(usageView(response, depth.changed ? undefined : Number(LEVELS_DEFAULT)));
    };
  },
};
