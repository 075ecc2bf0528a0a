import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FreelistType } from "./free-spans.ts";
import { Freelist } from "./freelist.ts";

interface Step {
  readonly kind: "commit" | "pin" | "unpin";
  readonly frees: number;
  readonly allocates: number;
  readonly pick: number;
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>("commit", "commit", "commit", "pin", "unpin"),
  frees: fc.nat(6),
  allocates: fc.nat(6),
  pick: fc.nat(1000),
});

/** A file whose states are sets of pages. */
class PageWorld {
  readonly freelist: Freelist;
  readonly #pins: { txid: number; pages: Set<number> }[] = [];
  txid = 1;
  live: Set<number> = new Set([2]);
  pageCount = 3;

  constructor(type: FreelistType) {
    this.freelist = new Freelist(type, []);
  }

  /** Frees some pages of the last state and allocates others, as a transaction does. */
  commit({ frees, allocates, pick }: Step): void {
    this.freelist.release();
    this.txid++;
    const next = new Set(this.live);
    const old = [...this.live];
    for (let i = 0; i < Math.min(frees, old.length - 1); i++) {
      const page = old[(pick + i * 7) % old.length]!;
      if (!next.delete(page)) continue;
      this.freelist.free(this.txid, page, 1);
    }
    for (let i = 0; i < allocates; i++) {
      const page = this.freelist.allocate(1) || this.pageCount++;
      this.freelist.recordAllocation(this.txid, page);
      assert.equal(this.live.has(page), false, `page ${page} is part of the last state`);
      for (const { txid, pages } of this.#pins) {
        assert.equal(pages.has(page), false, `page ${page} is part of the pinned state ${txid}`);
      }
      next.add(page);
    }
    this.live = next;
  }

  pin(): void {
    this.freelist.pin(this.txid);
    this.#pins.push({ txid: this.txid, pages: this.live });
  }

  unpin(pick: number): void {
    if (this.#pins.length === 0) return;
    const [pin] = this.#pins.splice(pick % this.#pins.length, 1);
    this.freelist.unpin(pin!.txid);
  }

  /** Pages that no reader and not the last state needs. */
  reusable(): number {
    let count = 0;
    for (let page = 2; page < this.pageCount; page++) {
      const isPinned = this.#pins.some(({ pages }) => pages.has(page));
      if (!isPinned && !this.live.has(page)) count++;
    }
    return count;
  }

  get pinCount(): number {
    return this.#pins.length;
  }
}

test("no page of the last state or of a pinned one is given out", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<FreelistType>("array", "map"),
      fc.array(stepArbitrary, { maxLength: 80 }),
      (type, steps) => {
        const world = new PageWorld(type);
        for (const step of steps) {
          if (step.kind === "commit") world.commit(step);
          if (step.kind === "pin") world.pin();
          if (step.kind === "unpin") world.unpin(step.pick);
        }
        while (world.pinCount > 0) world.unpin(0);
        world.freelist.release();
        assert.equal(world.freelist.freePageCount, world.reusable(), "without readers all is free");
      },
    ),
    { numRuns: 300 },
  );
});

test("what came and went while a reader stays is used again", () => {
  const world = new PageWorld("map");
  const step = { kind: "commit" as const, frees: 3, allocates: 3, pick: 0 };
  for (let i = 0; i < 5; i++) world.commit({ ...step, frees: 0 });
  world.pin();
  for (let i = 0; i < 10; i++) world.commit(step);
  const grown = world.pageCount;
  for (let i = 0; i < 100; i++) world.commit({ ...step, pick: i });
  assert.ok(world.pageCount <= grown + 25, `${grown} -> ${world.pageCount}`);
});

test("a page that is freed twice is noticed", () => {
  const freelist = new Freelist("map", [{ start: 10, count: 5 }]);
  assert.throws(() => freelist.free(7, 12, 1), { message: "page 12 is freed twice" });
  freelist.free(7, 20, 2);
  assert.throws(() => freelist.free(7, 21, 1), { message: "page 21 is freed twice" });
  assert.throws(() => freelist.free(7, 1, 1), { message: "page 1 cannot be freed" });
  assert.throws(() => freelist.unpin(3), { message: "transaction 3 is not pinned" });
});
