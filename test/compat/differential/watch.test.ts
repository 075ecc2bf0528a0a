// The same sessions of watchers on both: every watcher is told the same, in the same order.

import fc from "fast-check";
import { testBoth } from "./both.ts";
import { WatchSession } from "./watch-session.ts";
import { watchSteps } from "./watch-steps.ts";

const STEPS = 120;

testBoth(`${STEPS} steps of watchers, the same news`, async ({ stock, ours, compare }, seed) => {
  const expected = await WatchSession.open(stock.client);
  const actual = await WatchSession.open(ours.client);
  for (const step of fc.sample(watchSteps, { seed, numRuns: STEPS })) {
    await Promise.all([expected.perform(step), actual.perform(step)]);
  }
  await Promise.all([expected.close(), actual.close()]);
  for (const id of new Set([...expected.told.keys(), ...actual.told.keys()])) {
    const [theirs, own] = [expected.told.get(id) ?? [], actual.told.get(id) ?? []];
    const at = theirs.findIndex((line, index) => line !== own[index]);
    const from = at < 0 ? theirs.length : at;
    const show = (lines: string[]): string => lines.slice(from, from + 3).join(" | ");
    if (!compare(`watcher ${id}, from its line ${from}`, show(theirs), show(own))) return;
  }
});
