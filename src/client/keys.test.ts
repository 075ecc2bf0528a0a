import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, text } from "./bytes.ts";
import { EVERYTHING_AFTER, prefixEnd } from "./keys.ts";

test("the end of a prefix", () => {
  assert.equal(text(prefixEnd(bytes("foo"))), "fop");
  assert.deepEqual(prefixEnd(Uint8Array.of(1, 0xff)), Uint8Array.of(2));
  assert.deepEqual(prefixEnd(Uint8Array.of(0xff, 0xff)), EVERYTHING_AFTER);
  assert.deepEqual(prefixEnd(bytes("")), EVERYTHING_AFTER);
});

test("the prefix itself stays as it is, also as a view of a Buffer", () => {
  const prefix = Buffer.from("foo");
  assert.deepEqual(Buffer.from(prefixEnd(prefix)), Buffer.from("fop"));
  assert.equal(prefix.toString(), "foo");
});

test("a key is in the range of a prefix exactly if it begins with it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.uint8Array(), (prefix, key) => {
      const end = prefixEnd(prefix);
      const isBelow = end === EVERYTHING_AFTER || Buffer.compare(key, end) < 0;
      const isInside = Buffer.compare(key, prefix) >= 0 && isBelow;
      const begins = Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
      assert.equal(isInside, begins && key.length >= prefix.length);
    }),
  );
});
