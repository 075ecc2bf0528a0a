import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IntervalTree } from "./interval-tree.ts";

const key = fc.stringMatching(/^[a-d]{0,3}$/);
const end = fc.option(key, { nil: undefined });
const name = (from: string, to: string | undefined): string => `${from}-${to ?? "∞"}`;

test("it finds the ranges that a list would find, through insertions and deletions", () => {
  const step = fc.record({ kind: fc.constantFrom("set", "set", "delete"), from: key, to: end });
  const property = fc.property(fc.array(step, { maxLength: 120 }), key, (steps, probe) => {
    const tree = new IntervalTree<string>();
    const list = new Map<string, { from: string; to: string | undefined }>();
    for (const { kind, from, to } of steps) {
      if (kind === "set") {
        tree.set(from, to, name(from, to));
        list.set(name(from, to), { from, to });
      } else {
        assert.equal(tree.delete(from, to), list.delete(name(from, to)));
      }
    }
    assert.equal(tree.size, list.size);
    for (const { from, to } of list.values()) assert.equal(tree.get(from, to), name(from, to));
    const found: string[] = [];
    tree.find(probe, found);
    const expected = [...list.values()]
      .filter(({ from, to }) => from <= probe && (to === undefined || probe < to))
      .map(({ from, to }) => name(from, to));
    assert.deepEqual(found.toSorted(), expected.toSorted());
    assert.deepEqual([...tree.values()].toSorted(), [...list.keys()].toSorted());
  });
  fc.assert(property, { numRuns: 500 });
});

test("it stays flat when ranges come in order", () => {
  const tree = new IntervalTree<number>();
  const count = 2000;
  for (let i = 0; i < count; i++) tree.set(String(i).padStart(5, "0"), undefined, i);
  const found: number[] = [];
  tree.find("00003", found);
  assert.deepEqual(found, [0, 1, 2, 3]);
  for (let i = 0; i < count; i += 2) tree.delete(String(i).padStart(5, "0"), undefined);
  assert.equal(tree.size, count / 2);
  assert.equal(tree.get("00004", undefined), undefined);
  assert.equal(tree.get("00005", undefined), 5);
});
