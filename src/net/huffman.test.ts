import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { huffmanDecode, huffmanEncode, huffmanLength } from "./huffman.ts";

function decode(hex: string): string | null {
  const bytes = Buffer.from(hex, "hex");
  const target = Buffer.alloc(bytes.length * 2 + 1);
  const length = huffmanDecode(bytes, 0, bytes.length, target);
  return length < 0 ? null : target.toString("latin1", 0, length);
}

test("decodes the examples of RFC 7541, C.4 and C.6", () => {
  assert.equal(decode("f1e3c2e5f23a6ba0ab90f4ff"), "www.example.com");
  assert.equal(decode("a8eb10649cbf"), "no-cache");
  assert.equal(decode("25a849e95ba97d7f"), "custom-key");
  assert.equal(
    decode("d07abe941054d444a8200595040b8166e082a62d1bff"),
    "Mon, 21 Oct 2013 20:13:21 GMT",
  );
  assert.equal(decode("6402"), "302");
});

test("encodes as the RFC does", () => {
  const target = Buffer.alloc(64);
  const end = huffmanEncode("www.example.com", target, 0);
  assert.equal(target.toString("hex", 0, end), "f1e3c2e5f23a6ba0ab90f4ff");
});

test("every byte string survives encoding and decoding", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const target = Buffer.alloc(huffmanLength(text));
      assert.equal(huffmanEncode(text, target, 0), target.length);
      assert.equal(decode(target.toString("hex")), text);
    }),
  );
});

test("wrong padding is an error", () => {
  // "a" is 00011: filled up with zeros, with a whole byte of ones too many, and with EOS.
  assert.equal(decode("1f"), "a");
  assert.equal(decode("18"), null);
  assert.equal(decode("1fff"), null);
  assert.equal(decode("ffffffff"), null);
  assert.equal(decode("fffffffc"), null);
});

test("no input makes it write beyond its target", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const target = Buffer.alloc(200, 0xee);
      const length = huffmanDecode(bytes, 0, bytes.length, target.subarray(0, 160));
      assert.ok(length <= (bytes.length * 8) / 5);
    }),
  );
});
