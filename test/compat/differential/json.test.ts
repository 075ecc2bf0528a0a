// The same random bodies to the JSON gateways of both: the same answers and errors, to the letter.

import fc from "fast-check";
import { testBoth } from "./both.ts";
import { type JsonCall, jsonCalls } from "./json-requests.ts";

const CALLS = 1500;

testBoth(`${CALLS} bodies, the same answers`, async ({ stock, ours, compare }, seed) => {
  for (const one of fc.sample(jsonCalls, { seed, numRuns: CALLS })) {
    const expected = await ask(stock.endpoint, one);
    const actual = await ask(ours.endpoint, one);
    if (!compare(`${one.path} ${one.body}`, expected, actual)) return;
  }
});

async function ask(endpoint: string, { path, body }: JsonCall): Promise<string> {
  const answer = await fetch(`http://${endpoint}${path}`, { method: "POST", body });
  const text = await answer.text();
  return `${answer.status} ${text.replace(/"(cluster_id|member_id|raft_term)":"\d+",?/g, "")}`;
}
