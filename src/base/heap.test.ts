import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";

test("elements come out in their order, whatever the order of pushes and pops", () => {
  const steps = fc.array(fc.oneof(fc.nat(50), fc.constant("pop" as const)), { maxLength: 200 });
  const property = fc.property(steps, (taken) => {
    const heap = new Heap<number>((left, right) => left < right);
    const sorted: number[] = [];
    for (const step of taken) {
      if (step === "pop") {
        assert.equal(heap.peek(), sorted[0]);
        assert.equal(heap.pop(), sorted.shift());
      } else {
        heap.push(step);
        sorted.push(step);
        sorted.sort((left, right) => left - right);
      }
      assert.equal(heap.size, sorted.length);
    }
    heap.retain((element) => element % 2 === 0);
    const even = sorted.filter((element) => element % 2 === 0);
    assert.deepEqual(
      even.map(() => heap.pop()),
      even,
    );
    assert.equal(heap.pop(), undefined);
  });
  fc.assert(property, { numRuns: 200 });
});
