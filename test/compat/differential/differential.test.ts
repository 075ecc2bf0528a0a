// Two servers, the same random calls one after the other: the same answers to the byte, the same
// errors, and in the end the same history for a watcher. The judge is etcd itself.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ask, hex } from "./answers.ts";
import { testBoth } from "./both.ts";
import { history } from "./history.ts";
import { calls } from "./requests.ts";

const CALLS = 1500;

testBoth(`${CALLS} calls, the same answers`, async ({ stock, ours, compare }, seed) => {
  for (const one of fc.sample(calls, { seed, numRuns: CALLS })) {
    const expected = await ask(stock.client.caller, one);
    const actual = await ask(ours.client.caller, one);
    const input = `${one.path} ${hex(one.message)}`;
    if (!compare(input, expected, actual)) return;
  }
  assert.deepEqual(await history(ours.client), await history(stock.client));
});
