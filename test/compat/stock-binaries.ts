// The reference programs as paths, built when they are missing (scripts/stock.mjs).

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findRoot } from "../tidy/source-file.ts";

/** @throws Error without a Go toolchain */
export function stockBinaries(set: "3.7" | "3.6" | "benchmark"): Record<string, string> {
  const script = join(findRoot(), "scripts", "stock.mjs");
  const built = spawnSync(process.execPath, [script, "--only", set], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the reference programs: ${built.stderr}`);
  return (JSON.parse(built.stdout) as Record<string, Record<string, string>>)[set]!;
}
