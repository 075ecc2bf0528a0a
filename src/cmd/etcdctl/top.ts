// A live view: what changes most, drawn anew every interval until it is interrupted. Rates are
// differences of two answers; the server only counts.

import { humanSize } from "../../base/human-size.ts";
import type { Care } from "../../client/care.ts";
import type { PrefixUsage, UsageResponse, WritersResponse } from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf, keyText, perSecond } from "./care-calls.ts";
import { findingText } from "./du.ts";
import { badArguments } from "./exit.ts";
import { drawTable } from "./printers/table.ts";
import type { Session } from "./session.ts";
import { whoText, writesOf } from "./writers.ts";

const ROWS_MAX = 12;
const HEADS = ["revisions/s", "written/s", "live", "history", "keys", "prefix"];
const WRITER_HEADS = ["writes/s", "bytes/s", "refused", "who"];
const SCREEN_CLEAR = "\x1b[H\x1b[2J";

interface Sample {
  readonly usage: UsageResponse;
  readonly writers: WritersResponse;
}

async function sample(session: Session, care: Care, prefix: string): Promise<Sample> {
  const request = { prefix: Buffer.from(prefix), depth: 0 };
  const usage = await asked(session, care.usage(request, session.callOptions));
  const writers = await asked(session, care.writers({ limit: 100 }, session.callOptions));
  return { usage, writers };
}

function changesOf(row: PrefixUsage): number {
  return row.creates + row.updates + row.deletes;
}

/** What lies in a directory itself, so that a busy leaf is not hidden by its parents. */
function ownRows(rows: readonly PrefixUsage[]): Map<string, PrefixUsage> {
  const own = new Map<string, PrefixUsage>();
  const path: PrefixUsage[] = [];
  for (const row of rows) {
    const copy = { ...row };
    own.set(Buffer.from(row.prefix).toString("latin1"), copy);
    path[row.depth] = copy;
    const parent = path[row.depth - 1];
    if (row.depth === 0 || parent === undefined) continue;
    for (const name of COUNTS) parent[name] -= row[name];
  }
  return own;
}

const COUNTS = [
  ...(["keys", "liveBytes", "historyBytes", "creates", "updates", "deletes"] as const),
  "writtenBytes" as const,
];

function prefixRows(before: UsageResponse, after: UsageResponse): string[][] {
  const passedMs = after.uptimeMs - before.uptimeMs;
  const earlier = ownRows(before.prefixes);
  const rows = [...ownRows(after.prefixes)].map(([prefix, row]) => {
    const last = earlier.get(prefix);
    const changes = changesOf(row) - (last === undefined ? 0 : changesOf(last));
    const written = row.writtenBytes - (last?.writtenBytes ?? 0);
    return { row, changes, written };
  });
  rows.sort((a, b) => b.changes - a.changes || b.row.historyBytes - a.row.historyBytes);
  return rows
    .slice(0, ROWS_MAX)
    .map(({ row, changes, written }) => [
      perSecond(changes, passedMs),
      humanSize(Math.round((written * 1000) / Math.max(1, passedMs))),
      humanSize(row.liveBytes),
      humanSize(row.historyBytes),
      String(row.keys),
      row.prefix.length === 0 ? "(no prefix)" : keyText(row.prefix),
    ]);
}

function writerRows(before: WritersResponse, after: WritersResponse): string[][] {
  const passedMs = after.uptimeMs - before.uptimeMs;
  const earlier = new Map(before.writers.map((writer) => [whoText(writer), writer]));
  const rows = after.writers.map((writer) => {
    const last = earlier.get(whoText(writer));
    const writes = writesOf(writer) - (last === undefined ? 0 : writesOf(last));
    return { writer, writes, bytes: writer.bytes - (last?.bytes ?? 0) };
  });
  rows.sort((a, b) => b.writes - a.writes);
  return rows
    .slice(0, ROWS_MAX)
    .map(({ writer, writes, bytes }) => [
      perSecond(writes, passedMs),
      humanSize(Math.round((bytes * 1000) / Math.max(1, passedMs))),
      String(writer.refused),
      whoText(writer),
    ]);
}

export function frame(before: Sample, after: Sample): string {
  const { usage } = after;
  const passedMs = usage.uptimeMs - before.usage.uptimeMs;
  const revisions = (usage.header?.revision ?? 0) - (before.usage.header?.revision ?? 0);
  const quota = usage.dbSizeQuota === 0 ? "none" : humanSize(usage.dbSizeQuota);
  const head =
    `${perSecond(revisions, passedMs)} revisions/s   file ${humanSize(usage.dbSize)}, ` +
    `in use ${humanSize(usage.dbSizeInUse)}, quota ${quota}\n`;
  return [
    head,
    drawTable(HEADS, prefixRows(before.usage, usage)),
    drawTable(WRITER_HEADS, writerRows(before.writers, after.writers)),
    ...usage.findings.map(findingText),
  ].join("");
}

export const body: Body<Session> = {
  long: `Shows which prefixes and which callers change the store most, anew every interval, until it
is interrupted. If the output is no terminal, it is shown once.`,
  prepare(flags) {
    const interval = flags.durationNs("interval", 2e9, "between two looks");
    const count = flags.unsigned(
      "count",
      0n,
      "looks before it ends; 0: for ever on a terminal, else 1",
    );
    return async (session, args) => {
      if (args.length > 1) throw badArguments("top command accepts at most one argument, a prefix");
      const { console, sleep, interrupted } = session.world;
      const isScreen = console.isOutputTerminal;
      let left = count.value > 0n ? Number(count.value) : isScreen ? Number.POSITIVE_INFINITY : 1;
      const care = await careOf(session);
      let isOver = false;
      const end = interrupted().then(() => {
        isOver = true;
      });
      let before = await sample(session, care, args[0] ?? "");
      while (left-- > 0 && !isOver) {
        await Promise.race([sleep(interval.value / 1e6), end]);
        if (isOver) return;
        const after = await sample(session, care, args[0] ?? "");
        session.print(`${isScreen ? SCREEN_CLEAR : ""}${frame(before, after)}`);
        before = after;
      }
    };
  },
};
