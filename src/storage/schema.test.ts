import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MetaKey, readRevision, readUint64, revisionBytes, uint64Bytes } from "./schema.ts";

test("a revision is main, '_', sub, and 't' for a tombstone", () => {
  assert.equal(
    Buffer.from(revisionBytes(2, 1)).toString("hex"),
    "00000000000000025f0000000000000001",
  );
  assert.equal(
    Buffer.from(revisionBytes(2 ** 40 + 5, 0, true)).toString("hex"),
    "00000100000000055f000000000000000074",
  );
  assert.throws(() => readRevision(new Uint8Array(17)), /is no revision/);
});

test("revisions are read as written, and their order is that of the bytes", () => {
  const part = fc.oneof(fc.nat(300), fc.maxSafeNat());
  fc.assert(
    fc.property(part, part, part, part, (main, sub, otherMain, otherSub) => {
      const [a, b] = [revisionBytes(main, sub), revisionBytes(otherMain, otherSub)];
      assert.deepEqual(readRevision(a), { main, sub });
      const order = Math.sign(main - otherMain) || Math.sign(sub - otherSub);
      assert.equal(Buffer.compare(a, b), order);
      assert.equal(Buffer.compare(a, revisionBytes(main, sub, true)), -1);
    }),
  );
});

test("numbers are big-endian, and ids keep all their bits", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
      assert.equal(Buffer.from(uint64Bytes(id)).readBigUInt64BE(), id);
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.deepEqual(uint64Bytes(value), uint64Bytes(BigInt(value)));
      assert.equal(readUint64(uint64Bytes(value)), value);
    }),
  );
  assert.throws(() => readUint64(uint64Bytes(2n ** 53n)), /out of range/);
  assert.equal(Buffer.from(MetaKey.consistentIndex).toString(), "consistent_index");
});
