import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sortKeys } from "./sort-keys.ts";

test("keys are sorted as strings are, and each number stands for its key", () => {
  const key = fc.string({ maxLength: 3, unit: fc.constantFrom("\0", "a", "b", "\xff") });
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 60 }), (keys) => {
      const sorted = Array.from(sortKeys(keys), (number) => keys[number]!);
      assert.deepEqual(sorted, [...keys].sort());
    }),
  );
});

test("many keys, in any order that they may come", () => {
  const ascending = Array.from({ length: 3001 }, (_, n) => `key-${String(n).padStart(5, "0")}`);
  const mixed = ascending.map((_, n) => ascending[(n * 7919) % ascending.length]!);
  for (const keys of [ascending, [...ascending].reverse(), mixed]) {
    const sorted = Array.from(sortKeys(keys), (number) => keys[number]!);
    assert.deepEqual(sorted, ascending);
  }
});
