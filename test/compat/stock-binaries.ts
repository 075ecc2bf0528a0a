// The reference programs as paths, built when they are missing (scripts/stock.mjs).

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findRoot } from "../tidy/source-file.ts";

export type StockSet = "3.7" | "3.6" | "h2spec" | "clients" | "benchmark";

const found = new Map<StockSet, Record<string, string>>();

/** @throws Error without a Go toolchain */
export function stockBinaries(set: StockSet): Record<string, string> {
  const known = found.get(set);
  if (known !== undefined) return known;
  const script = join(findRoot(), "scripts", "stock.mjs");
  const built = spawnSync(process.execPath, [script, "--only", set], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the reference programs: ${built.stderr}`);
  const paths = (JSON.parse(built.stdout) as Record<string, Record<string, string>>)[set]!;
  found.set(set, paths);
  return paths;
}
