import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FreelistType, type FreeSpans, newFreeSpans } from "./free-spans.ts";

const PAGES = 120;

function listOf(spans: FreeSpans): { start: number; count: number }[] {
  const list: { start: number; count: number }[] = [];
  spans.forEach((start, count) => {
    list.push({ start, count });
  });
  return list;
}

/** The largest run of pages in a set. */
function largestRun(free: Set<number>): number {
  let best = 0;
  for (let page = 0, run = 0; page <= PAGES; page++) {
    run = free.has(page) ? run + 1 : 0;
    best = Math.max(best, run);
  }
  return best;
}

test("what is given out was free, contiguous, and is given once", () => {
  const step = fc.record({
    kind: fc.constantFrom("allocate", "up to", "free"),
    count: fc.integer({ min: 1, max: 12 }),
    pages: fc.uniqueArray(fc.integer({ min: 2, max: PAGES - 1 }), { maxLength: 30 }),
  });
  fc.assert(
    fc.property(fc.constantFrom<FreelistType>("array", "map"), fc.array(step), (type, steps) => {
      const spans = newFreeSpans(type);
      const free = new Set<number>();
      const take = (start: number, count: number) => {
        for (let page = start; page < start + count; page++) assert.ok(free.delete(page));
      };
      for (const { kind, count, pages } of steps) {
        if (kind === "free") {
          const freed = pages.filter((page) => !free.has(page)).sort((a, b) => a - b);
          spans.add(freed.map((start) => ({ start, count: 1 })));
          for (const page of freed) free.add(page);
        } else if (kind === "allocate") {
          const possible = largestRun(free) >= count;
          const lowest = type === "array" ? lowestRun(free, count) : undefined;
          const start = spans.allocate(count);
          assert.equal(start !== 0, possible);
          if (lowest !== undefined) assert.equal(start, lowest);
          if (possible) take(start, count);
        } else {
          const span = spans.allocateUpTo(count);
          assert.equal(span === null, free.size === 0);
          if (span !== null) {
            assert.ok(span.count <= count);
            take(span.start, span.count);
          }
        }
        assert.equal(spans.pageCount, free.size);
      }
      const listed = listOf(spans);
      assert.equal(
        listed.reduce((sum, { count }) => sum + count, 0),
        free.size,
      );
      for (const { start, count } of listed) {
        for (let page = start; page < start + count; page++) assert.ok(free.has(page));
        assert.ok(!free.has(start - 1) && !free.has(start + count), "neighbours are merged");
      }
    }),
  );
});

function lowestRun(free: Set<number>, count: number): number {
  for (let start = 2; start < PAGES; start++) {
    let length = 0;
    while (free.has(start + length)) length++;
    if (length >= count) return start;
  }
  return 0;
}

test("many single pages are given out and taken back quickly", () => {
  const spans = newFreeSpans("map");
  const odd = Array.from({ length: 20_000 }, (_, i) => ({ start: 3 + 2 * i, count: 1 }));
  const even = Array.from({ length: 20_000 }, (_, i) => ({ start: 2 + 2 * i, count: 1 }));
  for (let round = 0; round < 3; round++) {
    spans.add(odd);
    while (spans.pageCount > 0) if (spans.allocate(1) === 0) assert.fail("none left");
  }
  spans.add(odd);
  spans.add(even);
  assert.deepEqual(listOf(spans), [{ start: 2, count: 40_000 }]);
});
