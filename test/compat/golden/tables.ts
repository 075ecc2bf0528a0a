// Tables of `-w table`. A cell with a size or an id is replaced, which changes the widths: so the
// table is taken apart, checked to be drawn by its rules, and drawn again with the new cells. One
// that is not drawn by the rules says so, and is left as it is.

export type ReplaceCell = (heading: string, text: string) => string;

const RULE =
  /^[+\u251c\u250c\u2514][-+\u2500\u252c\u253c\u2534\u2524\u2510\u2518\u251c\u250c\u2514]+$/;

export function isRule(line: string): boolean {
  return RULE.test(line);
}

export function isRow(line: string): boolean {
  return line.startsWith("|") || line.startsWith("\u2502");
}

/** Lines that are a table from the first: how many they are; 0 for none. */
export function tableLength(lines: readonly string[], from: number): number {
  if (!isRule(lines[from] ?? "") || !isRow(lines[from + 1] ?? "")) return 0;
  let end = from;
  while (end < lines.length && (isRule(lines[end]!) || isRow(lines[end]!))) end++;
  return end - from;
}

export function replaceInTable(lines: readonly string[], replace: ReplaceCell): string[] {
  const bar = lines[1]![0]!;
  const rows = lines.filter(isRow).map((line) => line.split(bar).slice(1, -1));
  const columns = rows[0]!.length;
  const irregular = ["<TABLE-IRREGULAR>", ...lines];
  if (rows.some((row) => row.length !== columns)) return irregular;
  const plain = rows.map((row) => row.map((cell) => cell.trim()));
  const widths = widthsOf(plain);
  const alignments = rows.map((row, at) =>
    row.map((cell, column) => alignmentOf(cell, widths[column]!, at === 0 ? CENTERED : ALIGNED)),
  );
  if (alignments.flat().includes(undefined)) return irregular;
  const rules = lines
    .filter(isRule)
    .map((line) => line.slice(1, -1).split(/[+\u252c\u253c\u2534]/));
  if (rules.some((rule) => rule.some((part, at) => part.length !== widths[at]! + 2))) {
    return irregular;
  }
  const replaced = plain.map((row, at) =>
    at === 0 ? row : row.map((text, column) => replace(plain[0]![column]!, text)),
  );
  const newWidths = widthsOf(replaced);
  let row = 0;
  return lines.map((line) => {
    if (isRule(line)) return drawRule(line, newWidths);
    const cells = replaced[row]!.map(
      (text, at) => ` ${align(text, newWidths[at]!, columnAlignment(alignments, row, at))} `,
    );
    row++;
    return bar + cells.join(bar) + bar;
  });
}

type Alignment = "left" | "right" | "center" | "center-right";

/** In the order of trying: a text that fills its cell is aligned in all ways. */
const ALIGNED: readonly Alignment[] = ["left", "right", "center", "center-right"];
const CENTERED: readonly Alignment[] = ["center", "center-right", "left", "right"];

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return rows[0]!.map((_, at) => Math.max(...rows.map((row) => [...row[at]!].length)));
}

/** The first way of aligning that draws the cell as it is. */
function alignmentOf(
  cell: string,
  width: number,
  ways: readonly Alignment[],
): Alignment | undefined {
  return ways.find((way) => cell === ` ${align(cell.trim(), width, way)} `);
}

/** A column of numbers is to the right, even where a number fills it. */
function columnAlignment(
  alignments: readonly (readonly (Alignment | undefined)[])[],
  row: number,
  at: number,
): Alignment {
  if (row === 0) return alignments[0]![at]!;
  const body = alignments.slice(1).map((cells) => cells[at]!);
  return body.includes("right") ? "right" : alignments[row]![at]!;
}

function align(text: string, width: number, way: Alignment): string {
  const missing = width - [...text].length;
  const before = {
    left: 0,
    right: missing,
    center: missing >> 1,
    "center-right": (missing + 1) >> 1,
  };
  return " ".repeat(before[way]) + text + " ".repeat(missing - before[way]);
}

function drawRule(line: string, widths: readonly number[]): string {
  const joints = [...line.slice(1, -1).matchAll(/[+\u252c\u253c\u2534]/g)].map(([joint]) => joint);
  const stroke = line[1]!;
  const parts = widths.map((width, at) => stroke.repeat(width + 2) + (joints[at] ?? ""));
  return line[0]! + parts.join("") + line.at(-1)!;
}
