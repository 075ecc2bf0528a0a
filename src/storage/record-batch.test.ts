import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecordBatch, RecordChunks } from "./record-batch.ts";

const stepsArbitrary = fc.array(
  fc.record({
    mainStep: fc.constantFrom(0, 1, 1, 1, 1, 5),
    tombstone: fc.boolean(),
    size: fc.oneof(
      { weight: 9, arbitrary: fc.nat(100) },
      { weight: 1, arbitrary: fc.constantFrom(300_000, 5000) },
    ),
    isDeleted: fc.constantFrom(false, false, false, true),
  }),
  { maxLength: 400, size: "max" },
);

test("records are found by revision, with the bytes that were written", () => {
  fc.assert(
    fc.property(stepsArbitrary, (steps) => {
      const chunks = new RecordChunks();
      const batch = new RecordBatch(chunks);
      let [main, sub] = [10, 0];
      const written = steps.map(({ mainStep, ...step }) => {
        [main, sub] = mainStep === 0 ? [main, sub + 1] : [main + mainStep, 0];
        const at = batch.reserve(main, sub, step.tombstone, step.size);
        chunks.bytes.fill(main, at, at + step.size);
        return { main, sub, ...step };
      });
      for (const { main: m, sub: s, isDeleted } of written) {
        if (isDeleted) batch.deleteAt(batch.find(m, s));
      }
      assert.equal(batch.count, written.length);
      assert.equal(batch.lastMain, written.at(-1)?.main ?? 0);
      assert.equal(batch.firstMain, written[0]?.main ?? Infinity);
      for (const [i, record] of written.entries()) {
        assert.equal(batch.find(record.main, record.sub), i);
        assert.equal(batch.find(record.main, record.sub + 1) >= 0, isNext(written[i + 1], record));
        const keySize = record.tombstone ? 18 : 17;
        assert.equal(batch.keySizeAt(i), record.isDeleted ? 0 : keySize);
        const start = batch.startAt(i);
        assert.equal(batch.endAt(i) - start, keySize + record.size);
        const value = batch.bytesAt(i).subarray(start + keySize, batch.endAt(i));
        assert.ok(value.every((byte) => byte === (record.main & 255)));
      }
      assert.equal(batch.find(9, 0), -1);
      assert.equal(batch.find(main + 1, 0), -1);
    }),
    { numRuns: 30 },
  );
});

function isNext(
  next: { main: number; sub: number } | undefined,
  record: { main: number; sub: number },
): boolean {
  return next !== undefined && next.main === record.main && next.sub === record.sub + 1;
}

test("a record that is not newer than the last is a broken invariant", () => {
  const batch = new RecordBatch(new RecordChunks());
  batch.reserve(5, 1, false, 0);
  for (const [main, sub] of [
    [5, 1],
    [5, 0],
    [4, 9],
  ] as const) {
    assert.throws(() => batch.reserve(main, sub, false, 0), {
      message: "a record is not newer than the last",
    });
  }
  batch.reserve(5, 2, true, 0);
});
