import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeadedKeys } from "./headed-keys.ts";

class List extends HeadedKeys {
  keys: string[] = [];

  constructor() {
    super(100);
  }

  keyAt(at: number): string {
    return this.keys[at]!;
  }

  insert(key: string): void {
    const at = this.search(key, false);
    this.keys.splice(at, 0, key);
    this.insertHead(at, key);
  }

  remove(at: number): void {
    this.keys.splice(at, 1);
    this.removeHead(at);
  }

  replace(at: number, key: string): void {
    this.keys[at] = key;
    this.replaceHead(at, key);
  }

  cut(size: number): void {
    this.keys.length = size;
    this.size = size;
    this.tighten();
  }
}

// Few characters, the lowest and the highest among them, so that prefixes, equal heads, keys that
// begin with others and words of all bits are the rule.
const text = fc.array(fc.constantFrom("\0", "a", "b", "\x7f", "\x80", "\xff"), { maxLength: 9 });
const key = fc
  .tuple(fc.constantFrom("", "/registry/pods/", "/registry/leases/", "\xff\xff\xff\xff"), text)
  .map(([prefix, rest]) => prefix + rest.join(""));

function check(list: List, probes: readonly string[]): void {
  assert.equal(list.size, list.keys.length);
  for (const probe of [...probes, ...list.keys]) {
    const below = list.keys.filter((other) => other < probe).length;
    const notAbove = list.keys.filter((other) => other <= probe).length;
    assert.equal(list.search(probe, false), below);
    assert.equal(list.search(probe, true), notAbove);
  }
}

const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("insert" as const), key }) },
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("replace" as const), key }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
);

test("a search finds what comparing all keys finds, whatever happened to the list", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 90 }), fc.array(key), (changes, probes) => {
      const list = new List();
      for (const step of changes) {
        const { size } = list;
        if (step.kind === "insert") {
          if (!list.keys.includes(step.key)) list.insert(step.key);
        } else if (step.kind === "replace") {
          // As the first keys of leaves are: by one that keeps the order.
          const at = list.search(step.key, false);
          if (at < size) list.replace(at, step.key);
        } else if (size > 0 && step.kind === "remove") list.remove(step.at % size);
        else if (size > 0) list.cut(1 + ((step as { at: number }).at % size));
      }
      check(list, probes);
    }),
  );
});

test("what keys have in common does not have to be compared again and again", () => {
  const list = new List();
  for (let at = 0; at < 50; at++) list.insert(`/registry/pods/default/name-${at + 100}`);
  let looks = 0;
  const keyAt = list.keyAt.bind(list);
  list.keyAt = (at) => {
    looks++;
    return keyAt(at);
  };
  for (let at = 0; at < 50; at++) list.search(`/registry/pods/default/name-${at + 100}`, false);
  assert.ok(looks <= 50 * 3, `${looks} keys were looked at in 50 searches`);
});
