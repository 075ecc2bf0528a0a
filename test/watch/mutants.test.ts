import assert from "node:assert/strict";
import { test } from "node:test";
import { mutants } from "./mutants.ts";
import { WatchSimulation } from "./simulation.ts";

/** Most are found by the first seed; none needs half as many. */
const SEEDS_MAX = 60;

for (const { name, plant } of mutants) {
  test(`the simulation finds: ${name}`, (t) => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const run = new WatchSimulation(seed);
      const takeOut = plant(run);
      try {
        run.play();
      } catch (error) {
        t.diagnostic(`seed ${seed}: ${error}`);
        return;
      } finally {
        takeOut();
      }
    }
    assert.fail(`not found by ${SEEDS_MAX} seeds`);
  });
}
