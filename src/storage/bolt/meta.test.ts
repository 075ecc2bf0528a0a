import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyFile } from "./db.ts";
import { checksum, decodeMeta, encodeMetaPage, FREELIST_ABSENT, type Meta } from "./meta.ts";

const metaArbitrary: fc.Arbitrary<Meta> = fc
  .record({
    pageSize: fc.constantFrom(1024, 4096, 65536),
    pageCount: fc.integer({ min: 4, max: 2 ** 52 }),
    txid: fc.maxSafeNat(),
    sequence: fc.maxSafeNat(),
    fractions: fc.tuple(fc.nat(999), fc.nat(999)),
    hasFreelist: fc.boolean(),
  })
  .map(({ fractions, hasFreelist, ...meta }) => {
    const page = (fraction: number) => 2 + Math.floor(((meta.pageCount - 2) * fraction) / 1000);
    const freelist = hasFreelist ? page(fractions[1]) : FREELIST_ABSENT;
    return { ...meta, root: page(fractions[0]), freelist };
  });

test("a meta is read as it was written", () => {
  fc.assert(
    fc.property(metaArbitrary, (meta) => {
      const page = encodeMetaPage(meta);
      assert.equal(page.length, meta.pageSize);
      assert.equal(page[0], meta.txid % 2);
      assert.deepEqual(decodeMeta(page), meta);
    }),
  );
});

test("every flipped bit of a meta is noticed", () => {
  const page = encodeMetaPage(decodeMeta(emptyFile()) as Meta);
  for (let bit = 16 * 8; bit < 80 * 8; bit++) {
    page[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(typeof decodeMeta(page), "string", `bit ${bit}`);
    page[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.equal(typeof decodeMeta(page), "object");
});

test("the checksum is FNV-1a 64", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 56, maxLength: 56 }), (bytes) => {
      let hash = 0xcbf29ce484222325n;
      for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & (2n ** 64n - 1n);
      const { low, high } = checksum(bytes, 0);
      assert.equal((BigInt(high) << 32n) | BigInt(low), hash);
    }),
  );
});

test("counters beyond 2^53 are refused, not rounded", () => {
  const page = encodeMetaPage(decodeMeta(emptyFile()) as Meta);
  page[16 + 48 + 7] = 1;
  const sum = checksum(page, 16);
  const view = new DataView(page.buffer);
  view.setUint32(16 + 56, sum.low, true);
  view.setUint32(16 + 60, sum.high, true);
  assert.equal(decodeMeta(page), "a counter beyond 2^53");
});
