// The state against the model: any sequence of requests gives the same answers and revisions,
// whatever compaction and crashes happen between them.

import { test } from "node:test";
import fc from "fast-check";
import { type Step, steps } from "./arbitraries.ts";
import { MemoryStore } from "./memory-store.ts";
import { Pair } from "./pair.ts";

const RUNS = 300;

function runAll(all: readonly Step[]): void {
  const pair = new Pair(new MemoryStore());
  for (const step of all) pair.run(step);
  pair.checkAll();
}

test("state and model give the same answers", () => {
  fc.assert(fc.property(steps, runAll), { numRuns: RUNS });
});

test("state and model agree after a crash at any point", () => {
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      runAll([...before, { kind: "save" }, ...after, { kind: "crash" }]);
    }),
    { numRuns: RUNS / 2 },
  );
});
