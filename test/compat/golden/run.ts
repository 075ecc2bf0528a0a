// Performs the transcripts and prints what is answered differently:
//
//     node dist/test/compat/golden/run.js [PATTERN] [--stock etcd,etcdctl,etcdutl]
//         [--etcd "PROGRAM ARGS"] [--etcdctl …] [--etcdutl …] [--known]
//
// Programs are ours unless named. Exit code 1 when there is a difference that is not known; with
// --known the known ones are printed too.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  compareTranscripts,
  type Difference,
  type KnownDifference,
  parseKnown,
  showDifference,
  staleKnown,
} from "./compare.ts";
import { choosePrograms, type ProgramName } from "./programs.ts";
import { folder, listTranscripts, performAll, readTranscript } from "./transcripts.ts";

/** Those that can appear with these programs of ours. */
export function readKnown(ours: ReadonlySet<ProgramName>): KnownDifference[] {
  const all = parseKnown(readFileSync(join(folder, "known-differences.md"), "utf8"));
  return all.filter((one) => one.programs.some((name) => ours.has(name as ProgramName)));
}

async function main(args: readonly string[]): Promise<void> {
  const { programs, ours } = choosePrograms(args);
  const known = readKnown(ours);
  const pattern = args.find((arg, at) => !arg.startsWith("-") && !isValue(args, at)) ?? "";
  const found: Difference[] = [];
  let steps = 0;
  const names = listTranscripts(new RegExp(pattern));
  await performAll(names, programs, (name, actual) => {
    const differences = compareTranscripts(name, readTranscript(name), actual, known);
    const count = actual.filter((item) => item.kind === "step").length;
    steps += count;
    found.push(...differences);
    console.log(`${name}: ${count - differences.length} of ${count} equal`);
  });
  const shown = args.includes("--known") ? found : found.filter((one) => one.known === undefined);
  for (const one of shown) console.log(`\n${showDifference(one)}`);
  for (const { transcript, first } of staleKnown(known, found, names)) {
    console.log(`\n${transcript} ${first}: a known difference that is none any more`);
  }
  const unknown = found.filter((one) => one.known === undefined).length;
  const equal = steps - found.length;
  console.log(`\n${equal} of ${steps} equal, ${found.length - unknown} known, ${unknown} not`);
  if (unknown > 0) process.exitCode = 1;
}

function isValue(args: readonly string[], at: number): boolean {
  return ["--stock", "--etcd", "--etcdctl", "--etcdutl"].includes(args[at - 1] ?? "");
}

if (process.argv[1] !== undefined && /golden[\\/]run\.[jt]s$/.test(process.argv[1])) {
  await main(process.argv.slice(2));
}
