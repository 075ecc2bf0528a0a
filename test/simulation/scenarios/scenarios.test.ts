// Every story comes true, and fails to with the bug that it is about.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mutants } from "../mutants/mutants.ts";
import { Scenario } from "./scenario.ts";

// Compiled tests run from `dist`, where no texts are.
const FOLDER = join(process.cwd(), "test/simulation/scenarios");
const told = new Set<string>();

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".txt"))) {
  const text = readFileSync(join(FOLDER, name), "utf8");
  const mutantName = /^mutant (.*)$/m.exec(text)?.[1];

  test(`${name} comes true`, () => {
    new Scenario().play(text);
  });

  if (mutantName === undefined) continue;
  told.add(mutantName);
  test(`${name} finds its bug: ${mutantName}`, () => {
    const mutant = mutants.find((one) => one.name === mutantName);
    assert.ok(mutant !== undefined, "the mutant exists");
    let takeOut = (): void => {};
    const scenario = new Scenario((cluster) => {
      takeOut = mutant.plant(cluster);
    });
    try {
      assert.throws(() => scenario.play(text));
    } finally {
      takeOut();
    }
  });
}

test("every planted bug has a story", () => {
  const untold = mutants.map(({ name }) => name).filter((name) => !told.has(name));
  assert.deepEqual(untold, []);
});
