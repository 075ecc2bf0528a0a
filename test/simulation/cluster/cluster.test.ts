// Whole clusters from a few seeds; `npm run sim` runs as many as one likes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "./simulation.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 5);
const FIRST_SEED = Number(process.env["SIM_FROM"] ?? 1);
/** Enough for several elections; long runs are for `npm run sim`. */
const DURATION_MS = 5000;

test("clusters keep their promises", () => {
  const total = new Map<string, number>();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { failure, counts, table } = simulate(seed, { changes: { durationMs: DURATION_MS } });
    if (failure !== undefined) {
      const replay = `npm run sim -- ${seed} --duration ${DURATION_MS}`;
      throw new Error(`${replay}\n${table}\n${failure.error}`, { cause: failure.error });
    }
    for (const [what, count] of counts) total.set(what, (total.get(what) ?? 0) + count);
  }
  // A workload that does not reach a path says nothing of it.
  for (const what of ["answers", "fault crash", "put", "range", "watch", "txn"]) {
    assert.ok((total.get(what) ?? 0) > 0, `${what}: ${JSON.stringify([...total])}`);
  }
});

test("a seed replays to the last event", () => {
  const changes = { durationMs: DURATION_MS, members: 3 };
  const first = simulate(FIRST_SEED, { changes });
  const second = simulate(FIRST_SEED, { changes });
  assert.equal(second.hash, first.hash);
  assert.deepEqual(second.counts, first.counts);
  assert.equal(second.table, first.table);
});

test("a run can be ended before an event", () => {
  const run = simulate(FIRST_SEED, { changes: { members: 3 }, untilEvent: 500 });
  assert.equal(run.failure, undefined);
  assert.equal(run.events, 500);
});
