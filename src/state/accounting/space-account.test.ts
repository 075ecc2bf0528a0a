import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppliedState } from "../../../test/model/applied-state.ts";
import { decodeKeyValue } from "../../wire/messages/kv.ts";
import { COLUMNS, Column, PrefixTree, ROOT } from "./prefix-tree.ts";

/** What a scan of all records says about each directory: an account of its own. */
interface Scanned {
  liveBytes: number;
  historyBytes: number;
  keys: number;
  historyRecords: number;
  tombstones: number;
}

function scan(applied: AppliedState): Map<string, Scanned> {
  const result = new Map<string, Scanned>();
  const newest = new Map<string, { bytes: number; row: Scanned }>();
  applied.store.scanRecords(1, 0, (_main, _sub, tombstone, bytes, start, end) => {
    const key = Buffer.from(decodeKeyValue(bytes, start, end).key).toString("latin1");
    const directory = key.slice(0, key.lastIndexOf("/") + 1);
    let row = result.get(directory);
    if (row === undefined) {
      row = { liveBytes: 0, historyBytes: 0, keys: 0, historyRecords: 0, tombstones: 0 };
      result.set(directory, row);
    }
    const sizeBytes = end - start + (tombstone ? 18 : 17);
    const previous = newest.get(key);
    if (previous !== undefined) {
      row.liveBytes -= previous.bytes;
      row.historyBytes += previous.bytes;
      row.keys--;
      row.historyRecords++;
      newest.delete(key);
    }
    if (tombstone) {
      row.historyBytes += sizeBytes;
      row.historyRecords++;
      row.tombstones++;
    } else {
      row.liveBytes += sizeBytes;
      row.keys++;
      newest.set(key, { bytes: sizeBytes, row });
    }
    return true;
  });
  return result;
}

function rowOf(tree: PrefixTree, node: number): Scanned {
  const at = node * COLUMNS;
  const { counters } = tree;
  return {
    liveBytes: counters[at + Column.LiveBytes]!,
    historyBytes: counters[at + Column.HistoryBytes]!,
    keys: counters[at + Column.Keys]!,
    historyRecords: counters[at + Column.HistoryRecords]!,
    tombstones: counters[at + Column.Tombstones]!,
  };
}

/** Every directory of the scan, added up where the account counts it; nothing else is counted. */
function assertEqual(applied: AppliedState): void {
  const { space } = applied.state.mvcc;
  const expected = new Map<number, Scanned>();
  for (const [directory, row] of scan(applied)) {
    const node = space.tree.find(directory);
    const sum = expected.get(node);
    if (sum === undefined) expected.set(node, { ...row });
    else for (const name of Object.keys(sum) as (keyof Scanned)[]) sum[name] += row[name];
  }
  const nodes = (from: number): number[] => [
    from,
    ...[...space.tree.childrenOf(from)].flatMap(nodes),
  ];
  const nothing = { liveBytes: 0, historyBytes: 0, keys: 0, historyRecords: 0, tombstones: 0 };
  for (const node of nodes(ROOT)) {
    assert.deepEqual(
      rowOf(space.tree, node),
      expected.get(node) ?? nothing,
      `of ${JSON.stringify(space.tree.pathOf(node))}`,
    );
  }
}

type Step =
  | { readonly do: "put"; readonly key: string; readonly bytes: number; readonly lease: boolean }
  | { readonly do: "delete"; readonly key: string; readonly end: string }
  | { readonly do: "compact"; readonly share: number; readonly steps: number }
  | { readonly do: "revoke" }
  | { readonly do: "restart" }
  | { readonly do: "reopen" };

const key = fc
  .array(fc.constantFrom("a", "b", "cc", ""), { minLength: 0, maxLength: 4 })
  .chain((path) => fc.constantFrom("", "k", "l", "m").map((name) => [...path, name].join("/")))
  .filter((text) => text !== "");

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      key,
      bytes: fc.integer({ min: 0, max: 300 }),
      lease: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("delete" as const), key, end: key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("compact" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      steps: fc.integer({ min: 0, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "revoke" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
);

function run(steps: readonly Step[], options: { checksEach: boolean }): void {
  let applied = new AppliedState({ compactionBatchLimit: 3 });
  let lease = 0n;
  for (const one of steps) {
    switch (one.do) {
      case "put":
        if (one.lease && !applied.state.leases.exists(lease)) applied.grant(++lease);
        applied.put(one.key, "v".repeat(one.bytes), one.lease ? { lease } : {});
        break;
      case "delete":
        applied.delete(one.key, one.end > one.key ? one.end : "");
        break;
      case "compact":
        applied.compact(Math.floor(one.share * applied.state.mvcc.currentRevision));
        for (let i = 0; i < one.steps; i++) applied.state.compaction.step();
        break;
      case "revoke":
        applied.revoke(lease);
        break;
      case "reopen":
        applied.state.reopen();
        break;
      case "restart":
        applied = applied.restarted({ compactionBatchLimit: 3 });
        break;
    }
    if (options.checksEach) assertEqual(applied);
  }
  applied.finishCompaction();
  assertEqual(applied);
}

test("the account is what a scan of all records finds", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) =>
      run(steps, { checksEach: true }),
    ),
    { numRuns: 200 },
  );
});

test("pruned again and again, sums stay exact and the heavy stay visible", () => {
  const applied = new AppliedState();
  for (let i = 0; i < 9000; i++) {
    applied.put(`/registry/heavy/k${i % 10}`, "v".repeat(500));
    applied.put(`/locks/${i}/holder`, "x");
    if (i % 2 === 0) applied.delete(`/locks/${i}/holder`);
    if (i % 3000 === 2999) {
      applied.compact(applied.state.mvcc.currentRevision - 500);
      applied.finishCompaction();
    }
  }
  assertEqual(applied);
  const { space } = applied.state.mvcc;
  assert.ok(space.tree.count <= 4096);
  const heavy = space.tree.at("/registry/heavy/");
  assert.ok(heavy !== undefined);
  assert.equal(rowOf(space.tree, heavy).keys, 10);
  assert.ok(space.tree.isClosed(space.tree.at("/locks/")!));
  assertEqual(applied.restarted());
  applied.delete("/locks/", "/locks0");
  applied.put("/registry/last", "");
  applied.compact(applied.state.mvcc.currentRevision);
  applied.finishCompaction();
  applied.put("/locks/again/holder", "");
  assertEqual(applied);
  assert.ok(space.tree.at("/locks/again/") !== undefined, "an empty node opens again");
});

test("creations, updates, deletions and locks are told apart", () => {
  const applied = new AppliedState();
  applied.grant(0x6f1an);
  applied.put("lock/6f1a", "", { lease: 0x6f1an });
  applied.delete("lock/6f1a");
  applied.put("lock/6f1a", "", { lease: 0x6f1an });
  applied.put("lock/other", "", { lease: 0x6f1an });
  applied.put("lock/other", "2", { lease: 0x6f1an });
  const { tree } = applied.state.mvcc.space;
  const at = tree.at("lock/")! * COLUMNS;
  const row = (column: number): number => tree.counters[at + column]!;
  assert.equal(row(Column.Creates), 3);
  assert.equal(row(Column.Updates), 1);
  assert.equal(row(Column.Deletes), 1);
  assert.equal(row(Column.LeasedCreates), 3);
  assert.equal(row(Column.LockCreates), 2);
  assert.equal(row(Column.Keys), 2);
});

test("long names, deep paths and the empty parts of keys have their place", () => {
  const tree = new PrefixTree(64);
  assert.equal(tree.pathOf(tree.findOrAdd("plain")), "");
  assert.equal(tree.pathOf(tree.findOrAdd("//a")), "//");
  assert.equal(tree.pathOf(tree.findOrAdd(`a/${"x".repeat(500)}/b`)), "a/");
  assert.equal(
    tree.pathOf(tree.findOrAdd("1/2/3/4/5/6/7/8/9/10/11/12/13/14")),
    "1/2/3/4/5/6/7/8/9/10/11/12/",
  );
  assert.equal(tree.at("nowhere/"), undefined);
});
