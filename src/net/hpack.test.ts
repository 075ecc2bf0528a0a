import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionError } from "./frames.ts";
import type { HeaderField } from "./header-field.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { fieldsBytesMax, GRPC_BLOCK_BYTES_MAX, HpackEncoder } from "./hpack-encoder.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";

const LIST_BYTES_MAX = 10_000;

function decodeBytes(decoder: HpackDecoder, bytes: Uint8Array): string[] {
  const lines: string[] = [];
  const sink = { onField: (field: HeaderField) => lines.push(`${field.name}: ${field.value}`) };
  // Inside a larger buffer, so that wrong offsets show.
  const padded = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(7, 0xff)]);
  decoder.decode(padded, 7, 7 + bytes.length, sink);
  return lines;
}

function decode(decoder: HpackDecoder, hex: string): string[] {
  return decodeBytes(decoder, Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

test("decodes the requests of RFC 7541, C.3 and C.4", () => {
  const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
  const second = [...first, "cache-control: no-cache"];
  const third = [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ];
  const plain = new HpackDecoder(LIST_BYTES_MAX);
  assert.deepEqual(decode(plain, "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"), first);
  assert.deepEqual(decode(plain, "8286 84be 5808 6e6f 2d63 6163 6865"), second);
  const custom = "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65";
  assert.deepEqual(decode(plain, custom), third);
  const huffman = new HpackDecoder(LIST_BYTES_MAX);
  assert.deepEqual(decode(huffman, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), first);
  assert.deepEqual(decode(huffman, "8286 84be 5886 a8eb 1064 9cbf"), second);
  const customHuffman = "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf";
  assert.deepEqual(decode(huffman, customHuffman), third);
});

test("evicts as in RFC 7541, C.5", () => {
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  // The example's table has 256 bytes.
  decode(decoder, "3fe1 01");
  const date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
  assert.deepEqual(
    decode(
      decoder,
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 " +
        "2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 " +
        "6c65 2e63 6f6d",
    ),
    [":status: 302", "cache-control: private", date, "location: https://www.example.com"],
  );
  assert.deepEqual(decode(decoder, "4803 3330 37c1 c0bf"), [
    ":status: 307",
    "cache-control: private",
    date,
    "location: https://www.example.com",
  ]);
  // ":status: 302" was the oldest entry and is gone: there is no fifth.
  assert.throws(() => decode(decoder, "c2"), ConnectionError);
});

test("never-indexed and unindexed literals do not enter the table", () => {
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  assert.deepEqual(decode(decoder, "1008 7061 7373 776f 7264 0673 6563 7265 74"), [
    "password: secret",
  ]);
  assert.deepEqual(decode(decoder, "040c 2f73 616d 706c 652f 7061 7468"), [":path: /sample/path"]);
  assert.throws(() => decode(decoder, "be"), ConnectionError);
});

test("an entry larger than the table empties it", () => {
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  decode(decoder, "4001 6101 62");
  assert.deepEqual(decode(decoder, "be"), ["a: b"]);
  const large = Buffer.concat([
    Buffer.from("4001637f811f", "hex"),
    Buffer.alloc(127 + 0x81 - 0x80 + (0x1f << 7), 0x78),
  ]);
  assert.equal(decodeBytes(decoder, large).length, 1);
  assert.throws(() => decode(decoder, "be"), ConnectionError);
});

test("malformed blocks are errors of the connection", () => {
  for (const hex of [
    "80", // index 0
    "c6", // beyond both tables
    "ff", // integer without its end
    "ffffffffffff7f", // integer too large
    "40", // literal without a name
    "4001", // name without its characters
    "400161", // name without a value
    "40016181", // Huffman string without its bytes
    "4001618118", // wrong padding
    "3fe21f", // table size above the limit (4097)
    "8220", // table size update after a field
    "7f", // name index without its end
  ]) {
    assert.throws(() => decode(new HpackDecoder(LIST_BYTES_MAX), hex), ConnectionError, hex);
  }
});

test("a list that is too large is cut off, and the table stays right", () => {
  const decoder = new HpackDecoder(100);
  const sink: string[] = [];
  const block = Buffer.from("4001610162" + "4001630164" + "4001650166", "hex");
  const isAll = decoder.decode(block, 0, block.length, {
    onField: (field) => sink.push(field.name),
  });
  assert.equal(isAll, false);
  assert.deepEqual(sink, ["a", "c"]);
  assert.deepEqual(decode(decoder, "be"), ["e: f"]);
  assert.deepEqual(decode(decoder, "c0"), ["a: b"]);
});

test("no bytes make the decoder fail otherwise than with ConnectionError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder(LIST_BYTES_MAX);
      try {
        for (const block of blocks) decodeBytes(decoder, block);
      } catch (error) {
        assert.ok(error instanceof ConnectionError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test("decodes what a simple encoder with a table writes", () => {
  const name = fc.constantFrom("a", "bb", "content-type", ":path", "x-long-name-of-a-header");
  const field = fc.tuple(name, fc.string({ maxLength: 40, unit: "binary-ascii" }), fc.boolean());
  fc.assert(
    fc.property(fc.array(fc.array(field, { maxLength: 10 }), { maxLength: 30 }), (blocks) => {
      const decoder = new HpackDecoder(1 << 20);
      const encoder = new ReferenceEncoder();
      for (const fields of blocks) {
        const expected = fields.map(([key, value]) => `${key}: ${value}`);
        assert.deepEqual(decodeBytes(decoder, encoder.encode(fields)), expected);
      }
    }),
  );
});

/** Indexes everything, with a plain array as its table; Huffman for every second string. */
class ReferenceEncoder {
  #table: string[][] = [];

  encode(fields: readonly (readonly [string, string, boolean])[]): Buffer {
    const parts: Buffer[] = [];
    for (const [name, value, isHuffman] of fields) {
      const at = this.#table.findIndex((entry) => entry[0] === name && entry[1] === value);
      if (at >= 0) {
        parts.push(this.#integer(62 + at, 0x7f, 0x80));
        continue;
      }
      parts.push(
        Buffer.from([0x40]),
        this.#string(name, isHuffman),
        this.#string(value, !isHuffman),
      );
      this.#table.unshift([name, value]);
      while (this.#size() > 4096) this.#table.pop();
    }
    return Buffer.concat(parts);
  }

  #size(): number {
    return this.#table.reduce((sum, [name, value]) => sum + name!.length + value!.length + 32, 0);
  }

  #string(text: string, isHuffman: boolean): Buffer {
    const length = isHuffman ? huffmanLength(text) : text.length;
    const bytes = Buffer.alloc(length);
    if (isHuffman) huffmanEncode(text, bytes, 0);
    else bytes.write(text, "latin1");
    return Buffer.concat([this.#integer(length, 0x7f, isHuffman ? 0x80 : 0), bytes]);
  }

  #integer(value: number, mask: number, pattern: number): Buffer {
    if (value < mask) return Buffer.from([pattern | value]);
    const bytes = [pattern | mask];
    let rest = value - mask;
    for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
    return Buffer.from([...bytes, rest]);
  }
}

function answerBlocks(encoder: HpackEncoder): Buffer[] {
  const target = Buffer.alloc(GRPC_BLOCK_BYTES_MAX);
  const expectedBytes = encoder.grpcHeadBytes;
  const head = Buffer.from(target.subarray(0, encoder.writeGrpcHead(target, 0)));
  assert.equal(head.length, expectedBytes);
  return [head, Buffer.from(target.subarray(0, encoder.writeGrpcOk(target, 0)))];
}

const HEAD = [":status: 200", "content-type: application/grpc"];

test("answers are three bytes from the second one on", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  for (let round = 0; round < 3; round++) {
    const [head, ok] = answerBlocks(encoder);
    assert.deepEqual(decodeBytes(decoder, head!), HEAD);
    assert.deepEqual(decodeBytes(decoder, ok!), ["grpc-status: 0"]);
    if (round > 0) assert.equal(head!.length + ok!.length, 3);
  }
});

test("statuses and other heads mix with the table", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  const fields = [
    [":status", "404"],
    ["content-type", "application/grpc"],
    ["grpc-status", "12"],
    ["grpc-message", "x".repeat(300)],
  ] as const;
  const target = Buffer.alloc(fieldsBytesMax(fields));
  for (let round = 0; round < 3; round++) {
    const block = Buffer.from(target.subarray(0, encoder.writeFields(target, 0, fields)));
    const expected = fields.map(([name, value]) => `${name}: ${value}`);
    assert.deepEqual(decodeBytes(decoder, block), expected);
    const [head, ok] = answerBlocks(encoder);
    assert.deepEqual(decodeBytes(decoder, head!), HEAD);
    assert.deepEqual(decodeBytes(decoder, ok!), ["grpc-status: 0"]);
  }
});

test("follows the peer's table size down to nothing and up again", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  for (const limitBytes of [4096, 0, 50, 104, 104, 1 << 20, 4096, 200, 0]) {
    encoder.setPeerLimit(limitBytes);
    for (let round = 0; round < 2; round++) {
      const [head, ok] = answerBlocks(encoder);
      assert.deepEqual(decodeBytes(decoder, head!), HEAD);
      assert.deepEqual(decodeBytes(decoder, ok!), ["grpc-status: 0"]);
      if (limitBytes < 104) assert.ok(head!.length > 2, "literals only");
    }
  }
});

test("two changes between blocks are told as one that ends right", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  for (const block of answerBlocks(encoder)) decodeBytes(decoder, block);
  encoder.setPeerLimit(0);
  encoder.setPeerLimit(4096);
  const [head, ok] = answerBlocks(encoder);
  assert.equal(head![0], 0x20, "the table is emptied first");
  assert.deepEqual(decodeBytes(decoder, head!), HEAD);
  assert.deepEqual(decodeBytes(decoder, ok!), ["grpc-status: 0"]);
});
