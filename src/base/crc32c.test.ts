import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** The definition: one bit at a time. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  it("has the check values of RFC 3720 and of the catalogue", () => {
    assert.equal(crc32c(latin1("123456789")), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  it("agrees with the definition on any range, in any pieces", () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(100),
      fc.nat(100),
      (bytes, from, length) => {
        const start = Math.min(from, bytes.length);
        const end = Math.min(start + length, bytes.length);
        const expected = slowly(bytes.subarray(start, end));
        assert.equal(crc32c(bytes, start, end), expected);
        const middle = (start + end) >> 1;
        assert.equal(crc32c(bytes, middle, end, crc32c(bytes, start, middle)), expected);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});
