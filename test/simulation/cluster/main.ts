// `npm run sim`: runs seeds, prints what a failure needs to be understood and replayed.
//
//   npm run sim                        20 fresh seeds
//   npm run sim -- 42 [--log full] [--until EVENT] [--without crash,txn] [--shrink]
//   npm run sim -- --seeds 1000 --from 1 [--quiet]
//   npm run sim -- --mutants [--from 1] [--seeds 1000] [--only NAME]
//
// A long run says every hundred seeds how far it is, and goes on after a failure.

import { parseArgs } from "node:util";
import { hunt } from "../mutants/hunt.ts";
import { mutants } from "../mutants/mutants.ts";
import { planText } from "./report.ts";
import { shrink } from "./shrink.ts";
import { type Run, type RunOptions, simulate } from "./simulation.ts";
import type { Changes } from "./swarm.ts";
import { Tally } from "./tally.ts";

const FRESH_SEEDS = 20;
/** Below this seeds are easy to type. */
const SEED_BOUND = 1_000_000_000;
/** How often a long run says how far it is. */
const SEEDS_PER_LINE = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string" },
    from: { type: "string" },
    until: { type: "string" },
    log: { type: "string" },
    without: { type: "string" },
    members: { type: "string" },
    duration: { type: "string" },
    shrink: { type: "boolean" },
    quiet: { type: "boolean" },
    mutants: { type: "boolean" },
    only: { type: "string" },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const firstLine = ({ message }: Error): string => message.split("\n")[0]!.slice(0, 150);

function changesGiven(): Changes {
  const { without, members, duration } = values;
  return {
    ...(without === undefined ? {} : { without: without.split(",") }),
    ...(members === undefined ? {} : { members: Number(members) }),
    ...(duration === undefined ? {} : { durationMs: Number(duration) }),
  };
}

function show(run: Run, isFull: boolean): void {
  const { plan, failure, table, trace, events, virtualMs, hash } = run;
  for (const line of trace) print(line);
  print(`\nseed=${plan.seed} event=${events} at=${(virtualMs / 1000).toFixed(3)}s hash=${hash}`);
  print(planText(plan));
  print(`\n${table}\n`);
  if (failure === undefined) return;
  print(isFull ? (failure.error.stack ?? "") : failure.error.message);
  print(`\nreplay: npm run sim -- ${plan.seed} --log full   (or --shrink, --until ${events})`);
}

function one(seed: number): void {
  const isFull = values.log === "full";
  const changes = changesGiven();
  const options: RunOptions = { changes, isFull };
  const until = values.until;
  const run = simulate(seed, until === undefined ? options : { ...options, untilEvent: +until });
  show(run, isFull || run.failure !== undefined);
  if (run.failure === undefined) {
    const counts = [...run.counts].map(([what, count]) => `${what} ${count}`).join(", ");
    print(`${until === undefined ? "clean" : "stopped"}: ${counts}`);
    return;
  }
  process.exitCode = 1;
  if (values.shrink === true) print(shrink(seed, changes, run, print));
}

function many(from: number, count: number): void {
  const changes = changesGiven();
  const tally = new Tally();
  for (let seed = from; seed < from + count; seed++) {
    const run = simulate(seed, { changes });
    const isNew = tally.add(run);
    if (run.failure !== undefined) {
      if (values.quiet === true) print(`seed ${seed}: ${firstLine(run.failure.error)}`);
      else if (isNew) show(run, true);
    }
    const done = seed - from + 1;
    if (done % SEEDS_PER_LINE === 0 && done < count) print(`to seed ${seed}: ${tally.text()}`);
  }
  for (const [rule, seeds] of tally.failures) {
    print(`${seeds.length} × ${rule}: ${seeds.slice(0, 10).join(" ")}`);
  }
  print(`${count} seeds from ${from}: ${tally.text()}`);
  if (tally.failures.size > 0) process.exitCode = 1;
}

/** How many seeds it takes to find each planted bug. */
function hunts(from: number, seeds: number): void {
  for (const mutant of mutants.filter(({ name }) => name.includes(values.only ?? ""))) {
    const found = hunt(mutant, from, seeds);
    const title = `${mutant.name} ${mutant.issue ?? ""}`.padEnd(58);
    if (found === undefined) process.exitCode = 1;
    const result =
      found === undefined
        ? `NOT found by ${seeds} seeds`
        : `seed ${found.seed}: ${firstLine(found.run.failure!.error)}`;
    print(`${title} ${result}`);
  }
}

if (values.mutants === true) hunts(Number(values.from ?? 1), Number(values.seeds ?? 1000));
else if (positionals.length > 0) for (const seed of positionals) one(Number(seed));
else {
  const from = Number(values.from ?? Math.floor(Math.random() * SEED_BOUND));
  many(from, Number(values.seeds ?? FRESH_SEEDS));
}
