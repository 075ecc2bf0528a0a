// The state against the model: any sequence of requests gives the same answers and revisions,
// whatever compaction and crashes happen between them.

import { test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "../../src/base/log.ts";
import { Backend } from "../../src/storage/backend.ts";
import { SimWorld } from "../simulation/world.ts";
import { type Step, steps } from "./arbitraries.ts";
import { MemoryStorage, Pair, type TestStorage } from "./pair.ts";

const RUNS = 300;

function runAll(storage: TestStorage, all: readonly Step[]): void {
  const pair = new Pair(storage);
  for (const step of all) pair.run(step);
  pair.checkAll();
}

/** The backend of production on a simulated disk: a crash takes what was not durable. */
class SimStorage implements TestStorage {
  store: Backend;
  readonly #world: SimWorld;

  constructor(seed: number) {
    this.#world = new SimWorld(seed);
    const { disk } = this.#world.machine(1n).start();
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    this.store = this.#open();
  }

  save(): void {
    this.#world.runFor(this.#world.random.below(30));
  }

  crash(): void {
    const machine = this.#world.machine(1n);
    machine.crash();
    machine.start();
    this.store = this.#open();
  }

  #open(): Backend {
    const { clock, disk } = this.#world.machine(1n);
    return Backend.open({
      clock,
      disk,
      log: silentLogger,
      path: "/data/db",
      batchIntervalMs: 10,
      batchLimit: 8,
      freelistType: "map",
      onFatal: (error) => {
        throw error;
      },
    });
  }
}

test("state and model give the same answers", () => {
  fc.assert(
    fc.property(steps, (all) => runAll(new MemoryStorage(), all)),
    { numRuns: RUNS },
  );
});

test("state and model agree after a crash at any point", () => {
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      runAll(new MemoryStorage(), [...before, { kind: "save" }, ...after, { kind: "crash" }]);
    }),
    { numRuns: RUNS / 2 },
  );
});

test("state and model agree on the backend, on a disk that crashes", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (all, seed) => {
      runAll(new SimStorage(seed), [...all, { kind: "crash" }]);
    }),
    { numRuns: RUNS / 3 },
  );
});
