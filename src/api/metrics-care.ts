// Metrics of the account and of self-care: ours, so under our own name. Labels are capped: the
// largest prefixes two levels deep and the busiest callers, and the sum of all others as "(other)".

import type { Backups } from "../server/care/backups.ts";
import { usageOf } from "../server/care/usage.ts";
import type { Member } from "../server/member.ts";
import { COLUMNS, Column } from "../state/accounting/prefix-tree.ts";
import type { Metric, Sample } from "./exposition.ts";
import { counters, gauges } from "./metric-rows.ts";

/** Series per metric: a dashboard can show no more, and a scrape stays small. */
const PREFIXES_MAX = 20;
const WRITERS_MAX = 20;
const DEPTH = 2;
const OTHER = "(other)";

export function careMetrics(member: Member): Metric[] {
  const { care } = member;
  const { backups } = care;
  return [
    ...(backups === undefined ? [] : backupMetrics(backups)),
    ...gauges({
      quorate_prefix_live_bytes: [
        "Bytes of the newest records below a prefix.",
        () => prefixSamples(member, Column.LiveBytes),
      ],
      quorate_prefix_history_bytes: [
        "Bytes of older records and tombstones below a prefix.",
        () => prefixSamples(member, Column.HistoryBytes),
      ],
      quorate_prefix_keys: ["Keys below a prefix.", () => prefixSamples(member, Column.Keys)],
    }),
    ...counters({
      quorate_prefix_written_bytes_total: [
        "Bytes of records written below a prefix.",
        () => prefixSamples(member, Column.WrittenBytes),
      ],
      quorate_writer_requests_total: ["Writes of a caller.", () => writerSamples(member)],
      quorate_self_care_actions_total: ["What self-care did.", care.self.actions],
      quorate_self_care_won_bytes_total: ["Bytes given back by it.", care.self.bytesWon],
    }),
  ];
}

function backupMetrics(backups: Backups): Metric[] {
  return [
    ...gauges({
      quorate_backup_age_seconds: [
        "Since the newest backup that was restored on trial; NaN for none.",
        () => backups.ageSeconds,
      ],
      quorate_backup_size_bytes: ["Its size.", () => backups.lastGoodBytes],
    }),
    ...counters({ quorate_backups_total: ["Backups by result.", backups.results] }),
  ];
}

function* prefixSamples({ mvcc }: Member, column: number): Iterable<Sample> {
  const rows = usageOf(mvcc.space, "", DEPTH, undefined)!;
  const total = rows[0]!.sums[column]!;
  // Each directory once: those at the last level, and what lies directly in one above.
  const parts = rows
    .map(({ node, prefix, depth, sums }) => ({
      prefix: prefix === "" ? "(no prefix)" : prefix,
      value: depth === DEPTH ? sums[column]! : mvcc.space.tree.counters[node * COLUMNS + column]!,
    }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value)
    .slice(0, PREFIXES_MAX);
  let shown = 0;
  for (const { prefix, value } of parts) {
    shown += value;
    yield { labels: [["prefix", printable(prefix)]], value };
  }
  yield { labels: [["prefix", OTHER]], value: total - shown };
}

function* writerSamples({ care }: Member): Iterable<Sample> {
  const { writers } = care;
  let shown = 0;
  for (const row of writers.top(WRITERS_MAX)) {
    shown += row.writes;
    const { certificateName, address, agent, writes } = row;
    yield {
      labels: [
        ["certificate", printable(certificateName)],
        ["address", address],
        ["agent", printable(agent)],
      ],
      value: writes,
    };
  }
  const labels = [
    ["certificate", ""],
    ["address", OTHER],
    ["agent", ""],
  ] as const;
  yield { labels, value: writers.writes - shown };
}

/** Keys are bytes; a label is text. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
