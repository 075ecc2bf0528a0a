import assert from "node:assert/strict";
import { test } from "node:test";
import type { Console } from "./console.ts";
import { Progress } from "./progress.ts";

function terminal(isErrorTerminal: boolean): { console: Console; text: () => string } {
  let written = "";
  const console: Console = {
    out: () => assert.fail("progress is not output"),
    err: (text) => {
      written += text;
    },
    readLine: async () => "",
    readAll: async () => new Uint8Array(0),
    isInputTerminal: false,
    isOutputTerminal: true,
    isErrorTerminal,
  };
  return { console, text: () => written };
}

test("progress is drawn on a terminal, not too often, and wiped at the end", () => {
  const { console, text } = terminal(true);
  let nowMs = 0;
  const progress = new Progress(console, () => nowMs);
  progress.update(1, 4, "1 of 4");
  assert.equal(text(), `\r[${"#".repeat(10)}${"-".repeat(30)}]  25% 1 of 4`);
  nowMs = 50;
  progress.update(2, 4, "too soon");
  assert.doesNotMatch(text(), /too soon/);
  nowMs = 100;
  progress.update(4, 4, "all");
  assert.match(text(), /\] 100% all {3}$/);
  progress.end();
  assert.match(text(), /\r +\r$/);
});

test("without a terminal nothing is written", () => {
  const { console, text } = terminal(false);
  const progress = new Progress(console, () => 0);
  progress.update(1, 2, "x");
  progress.end();
  assert.equal(text(), "");
});
