import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { latin1Bytes } from "../../base/latin1.ts";
import { KeyTable } from "./key-table.ts";

/** A table whose hash lets many keys collide: only the last character counts. */
class CollidingTable extends KeyTable {
  override hash(bytes: Uint8Array, start: number, end: number): number {
    return end === start ? 0 : bytes[end - 1]! & 3;
  }
}

test("keys are found as long as they are in, however they collide", () => {
  const name = fc.string({ maxLength: 4, unit: fc.constantFrom("a", "b", "c", "\0", "\xff") });
  const steps = fc.array(fc.record({ name, isRemoval: fc.boolean() }), { maxLength: 200 });
  for (const Table of [KeyTable, CollidingTable]) {
    fc.assert(
      fc.property(steps, (all) => {
        const keys: string[] = [];
        const table = new Table((slot) => keys[slot]!, 5);
        const slotOf = new Map<string, number>();
        for (const { name: key, isRemoval } of all) {
          const known = slotOf.get(key);
          if (isRemoval && known !== undefined) {
            table.remove(table.hashText(key), known);
            slotOf.delete(key);
          } else if (!isRemoval && known === undefined) {
            const slot = keys.push(key) - 1;
            table.insert(table.hashText(key), slot);
            slotOf.set(key, slot);
          }
        }
        for (const key of keys) assert.equal(table.findText(key), slotOf.get(key) ?? -1);
      }),
    );
  }
});

test("a key is found inside other bytes, and keys of any length differ", () => {
  const keys = ["", "a", "ab", "abc", "abcd", "abcde", `${"x".repeat(1000)}y`, "x".repeat(1000)];
  const table = new KeyTable((slot) => keys[slot]!, 0);
  for (const [slot, key] of keys.entries()) table.insert(table.hashText(key), slot);
  for (const [slot, key] of keys.entries()) {
    const bytes = latin1Bytes(`<${key}>`);
    const hash = table.hash(bytes, 1, bytes.length - 1);
    assert.equal(hash, table.hashText(key));
    assert.equal(table.find(hash, bytes, 1, bytes.length - 1), slot);
    assert.equal(table.findText(`${key}!`), -1);
  }
});

test("the hash spreads keys that differ little, and depends on the seed", () => {
  const table = new KeyTable(() => "", 1);
  const other = new KeyTable(() => "", 2);
  const shards = new Set<number>();
  const cells = new Set<number>();
  for (let n = 0; n < 4096; n++) {
    const hash = table.hashText(`/registry/pods/default/pod-${n}`);
    assert.notEqual(hash, other.hashText(`/registry/pods/default/pod-${n}`));
    shards.add(hash >>> 22);
    cells.add(hash & 4095);
  }
  // 4096 balls in 1024 shards leave some 19 empty, in 4096 cells some 1507.
  assert.ok(shards.size > 980, `${shards.size} shards`);
  assert.ok(cells.size > 2400, `${cells.size} cells`);
});
