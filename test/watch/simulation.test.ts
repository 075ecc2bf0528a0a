// Watchers in the simulated world; see simulation.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tally, WatchSimulation } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 30);
const FIRST_SEED = Number(process.env["SIM_FROM"] ?? 1);

test("no guarantee is broken by slow readers, compactions and crashes", () => {
  const total: Tally = { events: 0, canceledCompacted: 0, blocked: 0, fragments: 0, progress: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const run = new WatchSimulation(seed);
    try {
      run.play();
    } catch (error) {
      throw new Error(`seed ${seed} (SIM_FROM=${seed} SIM_SEEDS=1): ${error}`, { cause: error });
    }
    for (const name of Object.keys(total) as (keyof Tally)[]) total[name] += run.tally[name];
  }
  // A workload that does not reach a path says nothing of it.
  for (const [name, count] of Object.entries(total)) assert.ok(count > SEEDS, `${name}: ${count}`);
});

test("a seed replays to the last event", () => {
  const first = new WatchSimulation(FIRST_SEED);
  first.play();
  const second = new WatchSimulation(FIRST_SEED);
  second.play();
  assert.equal(second.world.hash, first.world.hash);
  assert.deepEqual(second.tally, first.tally);
});
