// How long a mutant lives: seeds are tried until one of them finds it.

import { type Run, simulate } from "../cluster/simulation.ts";
import type { Mutant } from "./mutants.ts";

export interface Found {
  readonly seed: number;
  /** Seeds that were tried, this one included. */
  readonly tries: number;
  readonly run: Run;
}

export function runWith(mutant: Mutant, seed: number): Run {
  let takeOut: (() => void) | undefined;
  try {
    return simulate(seed, {
      ...(mutant.changes === undefined ? {} : { changes: mutant.changes }),
      prepare: (cluster) => {
        takeOut = mutant.plant(cluster);
      },
    });
  } finally {
    takeOut?.();
  }
}

export function hunt(mutant: Mutant, from: number, seeds: number): Found | undefined {
  for (let tries = 1; tries <= seeds; tries++) {
    const seed = from + tries - 1;
    const run = runWith(mutant, seed);
    if (run.failure !== undefined) return { seed, tries, run };
  }
  return undefined;
}
