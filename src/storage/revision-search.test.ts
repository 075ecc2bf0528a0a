import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Db, emptyFile } from "./bolt/db.ts";
import { copyRecords, RecordCopies } from "./record-copies.ts";
import { findRevision, newFoundRecord } from "./revision-search.ts";
import { writeRevision } from "./schema.ts";

interface Record {
  readonly main: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly valueBytes: number;
}

/** A database with these records, which are in order. */
function dbWith(records: readonly Record[]): Db {
  const bytes = new Uint8Array(4 << 20);
  bytes.set(emptyFile(1024));
  const db = new Db(
    {
      sizeBytes: () => bytes.length,
      read(target, position) {
        target.set(bytes.subarray(position, position + target.length));
        return target.length;
      },
    },
    { freelistType: "map" },
  );
  const tx = db.begin();
  const tree = tx.bucket("key", 0.9);
  for (const [index, { main, sub, tombstone, valueBytes }] of records.entries()) {
    const record = new Uint8Array(18 + valueBytes).fill(index);
    const keySize = writeRevision(record, 0, main, sub, tombstone);
    tree.append(record, 0, keySize, valueBytes);
  }
  tx.rebalance();
  const { runs, metaPage, metaPosition } = tx.spill();
  for (const run of runs) bytes.set(run.bytes, run.page * 1024);
  bytes.set(metaPage, metaPosition);
  db.committed(tx);
  return db;
}

const recordsArbitrary: fc.Arbitrary<Record[]> = fc
  .tuple(
    fc.constantFrom(1, 2 ** 32 - 20, 2 ** 40, 2 ** 52),
    fc.array(
      fc.record({
        mainStep: fc.constantFrom(0, 0, 1, 1, 1, 2, 100, 2 ** 31),
        subStep: fc.integer({ min: 1, max: 3 }),
        tombstone: fc.boolean(),
        valueBytes: fc.oneof(fc.nat(40), fc.nat(300), fc.nat(3000)),
      }),
      { minLength: 1, maxLength: 150, size: "max" },
    ),
  )
  .map(([first, steps]) => {
    let [main, sub] = [first, -1];
    return steps.map(({ mainStep, subStep, tombstone, valueBytes }) => {
      sub = mainStep === 0 ? sub + subStep : 0;
      main += mainStep;
      return { main, sub, tombstone, valueBytes };
    });
  });

test("every record is found by its revision, and nothing else is", () => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const bucket = dbWith(records).view.bucket("key")!;
      const found = newFoundRecord();
      const present = new Map(records.map((record) => [`${record.main}.${record.sub}`, record]));
      for (const { main, sub } of records) {
        for (const [m, s] of [
          [main, sub],
          [main, sub + 1],
          [main + 1, 0],
          [main - 1, sub],
          [0, 0],
          [Number.MAX_SAFE_INTEGER, 0],
        ] as const) {
          const expected = present.get(`${m}.${s}`);
          assert.equal(findRevision(bucket, m, s, found), expected !== undefined, `${m}.${s}`);
          if (expected === undefined) continue;
          assert.equal(found.tombstone, expected.tombstone);
          assert.equal(found.end - found.start, expected.valueBytes);
          assert.equal(found.start - found.keyStart, expected.tombstone ? 18 : 17);
          const index = records.indexOf(expected);
          const value = found.bytes.subarray(found.start, found.end);
          assert.ok(value.every((byte) => byte === (index & 255)));
        }
      }
    }),
    { numRuns: 40 },
  );
});

test("records are copied to where they belong, whichever are wanted and in whatever order", () => {
  const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(recordsArbitrary, picks, (records, numbers) => {
      const live = records.filter(({ tombstone }) => !tombstone);
      fc.pre(live.length > 0);
      const wanted = numbers.map((number) => live[number % live.length]!);
      const { view } = dbWith(records);
      const copies = new RecordCopies();
      copies.reset(wanted.reduce((sum, { valueBytes }) => sum + valueBytes, 0));
      let end = 0;
      for (const { main, sub, valueBytes } of wanted) {
        copies.add(main, sub, valueBytes, end);
        end += valueBytes;
      }
      copyRecords(view, [], copies);
      for (const [at, record] of wanted.entries()) {
        const start = copies.targets[at]!;
        const value = copies.bytes.subarray(start, start + record.valueBytes);
        assert.ok(value.every((byte) => byte === (records.indexOf(record) & 255)));
      }
    }),
    { numRuns: 60 },
  );
});

test("a record that is not as the index says stops the process", () => {
  const { view } = dbWith([{ main: 7, sub: 0, tombstone: false, valueBytes: 10 }]);
  for (const [main, size] of [
    [7, 9],
    [8, 10],
  ] as const) {
    const copies = new RecordCopies();
    copies.reset(10);
    copies.add(main, 0, size, 0);
    assert.throws(() => copyRecords(view, [], copies), /a record of revision/);
  }
});
