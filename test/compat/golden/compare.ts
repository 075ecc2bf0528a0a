// Two answers to one step, line by line, and the differences that are known and why.

import type { Item, Step } from "./transcript.ts";

export interface Difference {
  readonly transcript: string;
  readonly number: string;
  readonly command: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
  /** The reason when it is known. */
  readonly known: string | undefined;
}

export interface KnownDifference {
  readonly transcript: string;
  readonly first: number;
  readonly last: number;
  /** The programs of ours with which it appears; with the reference program it would be a fault. */
  readonly programs: readonly string[];
  readonly reason: string;
}

export function compareTranscripts(
  transcript: string,
  expected: readonly Item[],
  actual: readonly Item[],
  known: readonly KnownDifference[],
): Difference[] {
  const answers = new Map(
    actual.flatMap((item) => (item.kind === "step" ? [[item.number, item] as const] : [])),
  );
  return expected.flatMap((item) => {
    if (item.kind !== "step") return [];
    const other = answers.get(item.number);
    if (other !== undefined && sameAnswer(item, other)) return [];
    const number = Number(item.number);
    const entry = known.find(
      (one) => one.transcript === transcript && number >= one.first && number <= one.last,
    );
    const { command, answer } = item;
    return [
      {
        ...{ transcript, number: item.number, command },
        expected: answer,
        actual: other?.answer ?? ["not performed"],
        known: entry?.reason,
      },
    ];
  });
}

function sameAnswer(a: Step, b: Step): boolean {
  return comparable(a.answer).join("\n") === comparable(b.answer).join("\n");
}

/** Log lines of client and tools: their words, callers and number are each program's own. */
const LOG_LINE = /^\| (?:\{"level":"|<TS><0x09>(?:debug|info|warn|error)<0x09>)/;

function comparable(answer: readonly string[]): string[] {
  let part = "";
  return answer.flatMap((line) => {
    if (!line.startsWith("|")) part = line;
    else if (LOG_LINE.test(line)) return [];
    return [part.startsWith("body") ? withoutChance(line) : line];
  });
}

/**
 * The reference builds put one space, or none, behind the commas of its JSON, and behind the colon
 * of `proto:` a space or U+00A0, by a hash of the very build.
 */
function withoutChance(line: string): string {
  const text = line.replace(/(proto:)(?:<U\+00A0>| )/g, "$1 ");
  if (!/^\| [[{]/.test(text)) return text.replace(/ {2,}/g, " ");
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, quoted?: string) => quoted ?? "");
}

/** ``- `ctl-put 041` or `ctl-put 041-043` (etcdctl, etcd): reason`` */
export function parseKnown(markdown: string): KnownDifference[] {
  const entry = /^- `([\w-]+) (\d+)(?:-(\d+))?` \(([^)]*)\): (.*(?:\n {2}.*)*)/gm;
  return [...markdown.matchAll(entry)].map((match) => ({
    transcript: match[1]!,
    first: Number(match[2]),
    last: Number(match[3] ?? match[2]),
    programs: match[4]!.split(/,\s*/),
    reason: match[5]!.replace(/\s+/g, " "),
  }));
}

/** Entries that excuse nothing any more, of the transcripts that were performed. */
export function staleKnown(
  known: readonly KnownDifference[],
  found: readonly Difference[],
  performed: readonly string[],
): KnownDifference[] {
  const excuses = (entry: KnownDifference, { transcript, number }: Difference) =>
    transcript === entry.transcript &&
    Number(number) >= entry.first &&
    Number(number) <= entry.last;
  return known.filter(
    (entry) => performed.includes(entry.transcript) && !found.some((one) => excuses(entry, one)),
  );
}

/** As a patch shows it. */
export function showDifference(one: Difference): string {
  const head = `${one.transcript} ${one.number}: $ ${one.command}`;
  const expected = new Set(one.expected);
  const actual = new Set(one.actual);
  const lines = [
    ...one.expected.filter((line) => !actual.has(line)).map((line) => `  - ${line}`),
    ...one.actual.filter((line) => !expected.has(line)).map((line) => `  + ${line}`),
  ];
  const order = lines.length === 0 ? ["  (the same lines in another order)"] : lines;
  return [head, ...(one.known === undefined ? [] : [`  known: ${one.known}`]), ...order].join("\n");
}
