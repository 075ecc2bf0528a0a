// What --auto-compaction-retention means: hours or a number of revisions where it is a plain
// number, else a time. 0 is off.

import type { AutoCompaction } from "../../server/auto-compactor.ts";
import { ParseError, parseDuration, quote } from "../flags/go-text.ts";

const HOUR_NS = 3600e9;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * The number that etcd keeps: nanoseconds, or revisions.
 * @throws ParseError
 */
export function retentionNumber(mode: string, retention: string): number {
  if (/^(\+?\d+|-0+)$/.test(retention) && BigInt(retention.replace(/^[+-]/, "")) <= INT64_MAX) {
    return Math.abs(Number(retention)) * (mode === "periodic" ? HOUR_NS : 1);
  }
  if (retention === "") return 0;
  try {
    const ns = parseDuration(retention);
    // etcd accepts it, and compacts without a pause from then on.
    if (ns < 0) throw new ParseError(`time: negative duration ${quote(retention)}`);
    return ns;
  } catch (error) {
    throw new ParseError(`error parsing CompactionRetention: ${(error as Error).message}`);
  }
}

/** @throws ParseError */
export function autoCompaction(mode: string, retention: string): AutoCompaction | undefined {
  const number = retentionNumber(mode, retention);
  if (number === 0) return undefined;
  if (mode === "revision") return { mode, retention: number };
  return { mode: "periodic", periodMs: number / 1e6 };
}
