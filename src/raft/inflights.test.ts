import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { InvariantError } from "../base/assert.ts";
import { Inflights } from "./inflights.ts";

test("a window behaves as a list does, in any order of use", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), bytes: fc.nat(9), step: fc.nat(3) }),
    fc.record({ kind: fc.constant("free" as const), back: fc.integer({ min: -3, max: 20 }) }),
    fc.record({ kind: fc.constant("clear" as const) }),
  );
  const weighted = fc.array(action, { maxLength: 200 });
  fc.assert(
    fc.property(weighted, fc.integer({ min: 1, max: 40 }), fc.nat(50), (actions, count, bytes) => {
      const window = new Inflights(count, bytes);
      let list: { index: number; bytes: number }[] = [];
      let last = 0;
      for (const one of actions) {
        if (one.kind === "clear") {
          window.clear();
          list = [];
        } else if (one.kind === "free") {
          window.freeUpTo(last - one.back);
          list = list.filter(({ index }) => index > last - one.back);
        } else if (!window.isFull()) {
          last += one.step;
          window.add(last, one.bytes);
          list.push({ index: last, bytes: one.bytes });
        }
        const sum = list.reduce((total, entry) => total + entry.bytes, 0);
        assert.equal(window.count, list.length);
        assert.equal(window.bytes, sum);
        assert.equal(window.isFull(), list.length === count || (bytes > 0 && sum >= bytes));
      }
    }),
  );
});

test("nothing is added to a full window", () => {
  const window = new Inflights(1, 0);
  window.add(1, 0);
  assert.throws(() => window.add(2, 0), InvariantError);
});
