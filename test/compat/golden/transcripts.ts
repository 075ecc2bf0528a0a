// The transcripts of this folder, and performing several of them at the same time.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findRoot } from "../../tidy/source-file.ts";
import { PORTS_PER_STAGE, perform } from "./perform.ts";
import type { Programs } from "./run-program.ts";
import { type Item, parseTranscript, showTranscript } from "./transcript.ts";

/** Far from the defaults of etcd, and below the ports that the system gives to clients. */
const FIRST_PORT = Number(process.env["QUORATE_GOLDEN_PORT"] ?? 24300);

/** Answers wait for time-outs more than for processors. */
const AT_ONCE = Number(process.env["QUORATE_GOLDEN_JOBS"] ?? 3);

export const folder: string = join(findRoot(), "test", "compat", "golden");

export function listTranscripts(pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .map((name) => name.slice(0, -4))
    .filter((name) => pattern.test(name))
    .sort();
}

export function readTranscript(name: string): Item[] {
  return parseTranscript(readFileSync(join(folder, `${name}.txt`), "utf8"));
}

export function writeTranscript(name: string, items: readonly Item[]): void {
  writeFileSync(join(folder, `${name}.txt`), showTranscript(items));
}

/** Calls back with each transcript when it is done. The order is not fixed, the ports are. */
export async function performAll(
  names: readonly string[],
  programs: Programs,
  done: (name: string, items: Item[]) => void,
): Promise<void> {
  const all = listTranscripts(/./);
  // Read before the first server starts: a mistake in one of them should cost nothing.
  const waiting = names.map((name) => [name, readTranscript(name)] as const);
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, items] = next;
      const port = FIRST_PORT + PORTS_PER_STAGE * all.indexOf(name);
      done(name, await perform(items, programs, port));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
