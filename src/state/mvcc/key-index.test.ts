import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { latin1Bytes } from "../../base/latin1.ts";
import { KeyIndex } from "./key-index.ts";

/** The index, and what it should hold: key to live or not. */
class Checked {
  readonly index = new KeyIndex(7);
  readonly keys = new Map<string, boolean>();
  #main = 2;

  put(key: string): void {
    const bytes = latin1Bytes(key);
    this.index.put(bytes, 0, bytes.length, this.#main++, 0);
    this.keys.set(key, true);
  }

  tombstone(key: string): void {
    const slot = this.index.findText(key);
    const isDone = slot >= 0 && this.index.tombstone(slot, this.#main++, 0);
    assert.equal(isDone, this.keys.get(key) === true);
    if (isDone) this.keys.set(key, false);
  }

  /** Compacts all in slices: dead keys go, live ones keep a revision. */
  compact(sliceKeys: number): void {
    const slots = new Uint32Array(sliceKeys);
    const live = [...this.keys.values()].filter((isLive) => isLive).length;
    let kept = 0;
    let from = "";
    for (;;) {
      const count = this.index.collect(from, undefined, slots, sliceKeys);
      if (count > 0) from = `${this.index.keyOf(slots[count - 1]!)}\0`;
      kept += this.index.compact(slots, count, this.#main);
      if (count < sliceKeys) break;
    }
    assert.equal(kept, live);
    for (const [key, isLive] of this.keys) if (!isLive) this.keys.delete(key);
  }

  check(ranges: readonly (readonly [string, string | undefined])[]): void {
    const { index } = this;
    const sorted = [...this.keys.keys()].sort();
    assert.equal(index.keyCount, sorted.length);
    const scratch = new Uint32Array(sorted.length + 1);
    for (const [from, to] of [["", undefined] as const, ...ranges]) {
      const expected = sorted.filter((key) => key >= from && (to === undefined || key < to));
      const count = index.collect(from, to, scratch, scratch.length);
      const found = Array.from(scratch.subarray(0, count), (slot) => index.keyOf(slot));
      assert.deepEqual(found, expected);
      assert.equal(
        index.countLive(from, to),
        expected.filter((key) => this.keys.get(key)).length,
        `live in [${from}, ${to})`,
      );
      const half = expected.length >>> 1;
      assert.equal(index.collect(from, to, scratch, half), half);
    }
    for (const key of sorted) {
      const slot = index.findText(key);
      assert.equal(index.keyOf(slot), key);
      assert.equal(index.history.isLive(slot), this.keys.get(key));
    }
  }
}

const name = fc.string({
  minLength: 0,
  maxLength: 3,
  unit: fc.constantFrom("a", "b", "\0", "\xff"),
});

test("index equals a sorted list of keys", () => {
  const step = fc.record({ kind: fc.constantFrom("put", "put", "tombstone", "compact"), name });
  const range = fc.tuple(name, fc.option(name, { nil: undefined }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.array(range), (steps, ranges) => {
      const checked = new Checked();
      for (const { kind, name: key } of steps) {
        if (kind === "put") checked.put(key);
        else if (kind === "tombstone") checked.tombstone(key);
        else checked.compact(3);
      }
      checked.check(ranges);
    }),
    { numRuns: 200 },
  );
});

const RANGES = [
  ["key-00500", "key-01500"],
  ["key-01000", undefined],
  ["", "key-00001"],
  ["key-19999", "key-00001"],
  ["key-2", "key-9"],
] as const;

const numbered = (n: number): string => `key-${String(n).padStart(5, "0")}`;

test("leaves and groups split and merge: keys in ascending order", () => {
  const checked = new Checked();
  for (let n = 0; n < 70_000; n++) checked.put(numbered(n));
  checked.check(RANGES);
});

test("leaves and groups split and merge: keys in descending and mixed order", () => {
  const checked = new Checked();
  for (let n = 20_000; n > 0; n--) checked.put(numbered(n));
  checked.check(RANGES);
  for (let n = 0; n < 20_000; n++) checked.put(`key-${(n * 7919) % 20_011}/${n}`);
  checked.check(RANGES);
  for (let n = 0; n < 20_000; n++) if (n % 50 !== 0) checked.tombstone(numbered(n));
  checked.check(RANGES);
  checked.compact(1000);
  checked.check(RANGES);
  for (let n = 0; n < 5000; n++) checked.put(numbered(n));
  for (let n = 100; n < 3000; n++) checked.tombstone(numbered(n));
  checked.check(RANGES);
});

test("an index emptied by compaction can be filled again", () => {
  const checked = new Checked();
  for (let n = 0; n < 1000; n++) checked.put(numbered(n));
  for (let n = 0; n < 1000; n++) checked.tombstone(numbered(n));
  checked.compact(64);
  checked.check(RANGES);
  assert.equal(checked.index.keyCount, 0);
  for (let n = 0; n < 1000; n++) checked.put(numbered(n));
  checked.check(RANGES);
});

test("a restored index equals one that was filled", () => {
  const index = new KeyIndex(1);
  const names = Array.from({ length: 50_000 }, (_, n) => numbered((n * 7919) % 50_000));
  for (const [n, key] of names.entries()) {
    const bytes = latin1Bytes(key);
    const record = { main: n + 2, sub: 0, tombstone: n % 3 === 0, created: n + 2, version: 1 };
    index.restore(bytes, 0, bytes.length, record);
  }
  index.finishRestore();
  const slots = new Uint32Array(names.length + 1);
  assert.equal(index.collect("", undefined, slots, slots.length), names.length);
  const keys = Array.from(slots.subarray(0, names.length), (slot) => index.keyOf(slot));
  assert.deepEqual(keys, [...names].sort());
  const live = names.filter((_, n) => n % 3 !== 0);
  assert.equal(index.liveCount, live.length);
  assert.equal(
    index.countLive("key-10000", "key-20000"),
    live.filter((key) => key >= "key-10000" && key < "key-20000").length,
  );
});
