// What a command left on the disk: names and permissions.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** `$ files .db .part`: those of the folder with one of the endings. */
export function listFiles(directory: string, endings: readonly string[]): string[] {
  const names = readdirSync(directory).filter((name) => endings.some((end) => name.endsWith(end)));
  return ["files:", ...names.sort().map((name) => `| ${name}  ${mode(join(directory, name))}`)];
}

/** `$ tree r1`: everything below. */
export function listTree(directory: string): string[] {
  const lines: string[] = [];
  const visit = (path: string, shown: string): void => {
    lines.push(`| ${shown}/  ${mode(path)}`);
    const entries = readdirSync(path, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const prefix = shown === "" ? "" : `${shown}/`;
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      lines.push(`| ${prefix}${entry.name}  ${mode(join(path, entry.name))}`);
    }
    for (const entry of entries) {
      if (entry.isDirectory()) visit(join(path, entry.name), prefix + entry.name);
    }
  };
  try {
    visit(directory, "");
  } catch {
    return ["tree: none"];
  }
  return ["tree:", ...lines];
}

function mode(path: string): string {
  return `mode ${(statSync(path).mode & 0o777).toString(8)}`;
}
