// The checker is checked: histories known to be right or wrong, and random ones made from a store
// that is right, then spoiled in one place.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Action, Operation, Value } from "./history.ts";
import { findViolation } from "./linearizable.ts";
import { findRevisionFault } from "./revisions.ts";

const read = (found: Value | undefined): Action => ({ kind: "read", found, modRevision: 0 });
const write = (value: Value): Action => ({ kind: "write", value });
const swap = (expected: Value, value: Value, succeeded?: boolean): Action => ({
  kind: "swap",
  expected,
  value,
  succeeded,
});

function at(calledAt: number, returnedAt: number, action: Action, key = "k"): Operation {
  return { key, action, calledAt, returnedAt, revision: 0 };
}

const RIGHT: Record<string, Operation[]> = {
  nothing: [],
  "a read of what is not there": [at(0, 1, read(null))],
  "a read after a write": [at(0, 1, write("a")), at(2, 3, read("a"))],
  "reads on both sides during a write": [
    at(0, 9, write("a")),
    at(1, 2, read(null)),
    at(3, 4, read("a")),
  ],
  "a write without answer that happened late": [
    at(0, Infinity, write("a")),
    at(1, 2, read(null)),
    at(8, 9, read("a")),
  ],
  "a write without answer that never happened": [at(0, Infinity, write("a")), at(8, 9, read(null))],
  "a swap without answer that happened": [
    at(0, 1, write("a")),
    at(2, Infinity, swap("a", "b")),
    at(5, 6, read("b")),
  ],
  "a swap that failed because of a write without answer": [
    at(0, 1, write("a")),
    at(2, Infinity, write("b")),
    at(3, 4, swap("a", "c", false)),
    at(5, 6, write("d")),
    at(7, 8, read("d")),
  ],
  "one of two swaps wins": [
    at(0, 5, swap(null, "a", true)),
    at(0, 5, swap(null, "b", false)),
    at(6, 7, read("a")),
  ],
  "keys do not meet": [
    at(0, 1, write("a"), "x"),
    at(2, 3, read(null), "y"),
    at(4, 5, read("a"), "x"),
  ],
};

const WRONG: Record<string, Operation[]> = {
  "an acknowledged write is lost": [at(0, 1, write("a")), at(2, 3, read(null))],
  "a value comes back": [
    at(0, 1, write("a")),
    at(2, 3, write("b")),
    at(4, 5, read("b")),
    at(6, 7, read("a")),
  ],
  "a stale read during a write that another has seen": [
    at(0, 9, write("a")),
    at(1, 2, read("a")),
    at(3, 4, read(null)),
  ],
  "a value nobody wrote": [at(0, 1, write("a")), at(2, 3, read("b"))],
  "a read before the write": [at(0, 1, read("a")), at(2, 3, write("a"))],
  "two swaps from the same value": [
    at(0, 5, swap(null, "a", true)),
    at(0, 5, swap(null, "b", true)),
  ],
  "a swap fails without a reason": [at(0, 1, write("a")), at(2, 3, swap("a", "b", false))],
  "a write without answer happens and unhappens": [
    at(0, Infinity, write("a")),
    at(1, 2, read("a")),
    at(3, 4, read(null)),
  ],
};

for (const [name, history] of Object.entries(RIGHT)) {
  test(`right: ${name}`, () => assert.equal(findViolation(history), undefined));
}
for (const [name, history] of Object.entries(WRONG)) {
  test(`wrong: ${name}`, () => assert.notEqual(findViolation(history), undefined));
}

test("wrong: revisions", () => {
  const put = (from: number, to: number, revision: number, value: string, key = "k") => ({
    ...at(from, to, write(value), key),
    revision,
  });
  const get = (from: number, to: number, revision: number, found: string, modRevision: number) => ({
    ...at(from, to, { kind: "read", found, modRevision } as const),
    revision,
  });
  const cases: [string, Operation[]][] = [
    ["is older than", [put(0, 1, 5, "a"), put(2, 3, 4, "b", "other")]],
    ["is older than", [put(0, 1, 5, "a"), get(2, 3, 4, "x", 2)]],
    ["has the revision of", [put(0, 9, 5, "a"), put(1, 8, 5, "b", "other")]],
    ["is not what", [put(0, 1, 5, "a"), get(2, 3, 6, "b", 5)]],
    ["shows what comes later", [get(2, 3, 6, "b", 7)]],
  ];
  for (const [words, history] of cases)
    assert.match(findRevisionFault(history) ?? "", RegExp(words));
  const right = [put(0, 1, 5, "a"), get(2, 3, 5, "a", 5), put(2, 4, 6, "b"), get(5, 6, 6, "b", 6)];
  assert.equal(findRevisionFault(right), undefined);
});

/** What happens inside a right store, with calls before and returns after. */
const historyOf = fc
  .array(
    fc.record({
      kind: fc.constantFrom("write", "read", "swap"),
      value: fc.integer({ min: 0, max: 3 }),
      expected: fc.integer({ min: 0, max: 3 }),
      before: fc.nat(6),
      after: fc.nat(6),
      isLost: fc.boolean(),
    }),
    { minLength: 1, maxLength: 24 },
  )
  .map((steps) => {
    let value: Value = null;
    return steps.map(({ kind, before, after, isLost, ...step }, index): Operation => {
      const moment = 3 * index;
      const isUnknown = isLost && kind !== "read";
      const returnedAt = isUnknown ? Infinity : moment + after;
      const called = moment - before;
      if (kind === "read") return at(called, returnedAt, read(value));
      if (kind === "write") {
        value = `${step.value}`;
        return at(called, returnedAt, write(value));
      }
      const succeeded = value === `${step.expected}`;
      const action = swap(`${step.expected}`, `${step.value}`, isUnknown ? undefined : succeeded);
      if (succeeded) value = `${step.value}`;
      return at(called, returnedAt, action);
    });
  });

test("what a right store does is right", () => {
  fc.assert(
    fc.property(historyOf, (history) => findViolation(history) === undefined),
    { numRuns: 500 },
  );
});

test("the search agrees with trying all orders", () => {
  const short = fc.tuple(historyOf, fc.nat(), fc.integer({ min: 0, max: 4 }));
  let wrong = 0;
  fc.assert(
    fc.property(short, ([whole, place, other]) => {
      const history = whole.slice(0, 6).filter(({ returnedAt }) => returnedAt !== Infinity);
      const spoiled = history.map((operation, index) =>
        index === place % history.length && operation.action.kind === "read"
          ? { ...operation, action: read(`${other}`) }
          : operation,
      );
      const expected = isRightInSomeOrder(spoiled);
      if (!expected) wrong++;
      return (findViolation(spoiled) === undefined) === expected;
    }),
    { numRuns: 1000 },
  );
  assert.ok(wrong > 50, `${wrong} of them were wrong`);
});

function isRightInSomeOrder(rest: readonly Operation[], value: Value = null): boolean {
  if (rest.length === 0) return true;
  return rest.some((operation) => {
    if (rest.some((other) => other.returnedAt < operation.calledAt)) return false;
    const { action } = operation;
    const others = rest.filter((other) => other !== operation);
    if (action.kind === "write") return isRightInSomeOrder(others, action.value);
    if (action.kind === "read") return action.found === value && isRightInSomeOrder(others, value);
    const succeeds = value === action.expected;
    if (action.succeeded !== succeeds) return false;
    return isRightInSomeOrder(others, succeeds ? action.value : value);
  });
}
