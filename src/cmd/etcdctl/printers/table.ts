// Tables in box-drawing characters: centred heads, cells to the right.
//
//   ┌──────────┬───────┐
//   │   NAME   │ VALUE │
//   ├──────────┼───────┤
//   │ endpoint │     1 │
//   └──────────┴───────┘

/** East Asian wide and fullwidth characters and emoji take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const invisible = /[\p{Mn}\p{Me}\p{Cf}]/u;

export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!invisible.test(character)) width += wide.test(character) ? 2 : 1;
  }
  return width;
}

function alignRight(text: string, width: number): string {
  return " ".repeat(width - displayWidth(text)) + text;
}

function centre(text: string, width: number): string {
  const space = width - displayWidth(text);
  const left = Math.floor(space / 2);
  return " ".repeat(left) + text + " ".repeat(space - left);
}

export function drawTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = heads.map((head) => head.toUpperCase());
  const cells = rows.map((row) => row.map((cell) => cell.trim()));
  const widths = titles.map((title, i) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[i]!))),
  );
  const rule = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => "─".repeat(width + 2)).join(middle)}${right}\n`;
  const line = (row: readonly string[], place: (text: string, width: number) => string): string =>
    `│${row.map((cell, i) => ` ${place(cell, widths[i]!)} `).join("│")}│\n`;
  let text = rule("┌", "┬", "┐") + line(titles, centre);
  if (cells.length > 0) text += rule("├", "┼", "┤");
  for (const row of cells) text += line(row, alignRight);
  return text + rule("└", "┴", "┘");
}
