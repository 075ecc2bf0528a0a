// Runs the simulation of test/raft/simulation.ts on many seeds, and checks that it finds mistakes.
// SIM_SEEDS=2000 runs so many; SIM_FROM=42 SIM_SEEDS=1 repeats one.

import assert from "node:assert/strict";
import test from "node:test";
import { mutants } from "../../test/raft/mutants.ts";
import { type Mutation, Simulation } from "../../test/raft/simulation.ts";

const { SIM_SEEDS, SIM_FROM } = process.env;
const FIRST_SEED = Number(SIM_FROM ?? 1);
const SEEDS = Number(SIM_SEEDS ?? 80);
const ROUNDS = 400;
/** Most mistakes show within a few seeds; the rarest one in about one of 60. */
const MUTANT_SEEDS_MAX = 2000;

function failureOf(seed: number, mutation: Mutation = {}): string | undefined {
  const simulation = new Simulation(seed, mutation);
  try {
    simulation.run(ROUNDS);
    return undefined;
  } catch (error) {
    return `seed ${seed}: ${(error as Error).stack}\n${simulation.table()}`;
  }
}

test("whatever is lost or crashes, members agree, and go on when faults stop", () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const failure = failureOf(seed);
    assert.equal(failure, undefined, failure);
  }
});

test("a seed repeats exactly", () => {
  const runOf = (seed: number) => {
    const simulation = new Simulation(seed);
    simulation.run(ROUNDS);
    return `${simulation.table()} ${simulation.readCount} ${simulation.leaderCount}`;
  };
  for (const seed of [3, 11]) assert.equal(runOf(seed), runOf(seed));
});

for (const { name, mutation, plant } of mutants) {
  test(`the simulation finds: ${name}`, () => {
    const takeOut = plant();
    try {
      for (let seed = 1; seed <= MUTANT_SEEDS_MAX; seed++) {
        if (failureOf(seed, mutation) !== undefined) return;
      }
    } finally {
      takeOut();
    }
    assert.fail(`not found in ${MUTANT_SEEDS_MAX} seeds`);
  });
}
