import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frame } from "../../test/net/raw-client.ts";
import { FrameReader } from "./frame-reader.ts";
import { ConnectionError, ErrorCode } from "./frames.ts";

function reader(): { seen: string[]; reader: FrameReader } {
  const seen: string[] = [];
  return {
    seen,
    reader: new FrameReader({
      onFrame(type, flags, streamId, bytes, start, end) {
        const payload = Buffer.from(bytes.slice(start, end)).toString("hex");
        seen.push(`${type} ${flags} ${streamId} ${payload}`);
      },
    }),
  };
}

const stream = Buffer.concat([
  frame(4, 0, 0),
  frame(1, 4, 0x7fff_ffff, Buffer.from("abc")),
  frame(0, 1, 1, Buffer.alloc(300, 7)),
  frame(6, 1, 0, Buffer.alloc(8, 1)),
  frame(0, 0, 3),
]);

function readWhole(): string[] {
  const { seen, reader: whole } = reader();
  whole.push(stream);
  return seen;
}

test("frames come out the same wherever the stream is cut in two", () => {
  const expected = readWhole();
  assert.equal(expected.length, 5);
  for (let cut = 0; cut <= stream.length; cut++) {
    const { seen, reader: split } = reader();
    split.push(stream.subarray(0, cut));
    split.push(stream.subarray(cut));
    assert.deepEqual(seen, expected, `cut at ${cut}`);
  }
});

test("… and byte by byte, and in any pieces", () => {
  const expected = readWhole();
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (sizes) => {
      const { seen, reader: split } = reader();
      let at = 0;
      for (const size of sizes) {
        split.push(stream.subarray(at, at + size));
        at = Math.min(at + size, stream.length);
      }
      for (; at < stream.length; at++) split.push(stream.subarray(at, at + 1));
      assert.deepEqual(seen, expected);
    }),
  );
});

test("the reserved bit of the stream id is ignored", () => {
  const { seen, reader: one } = reader();
  const bytes = frame(6, 0, 5, Buffer.alloc(1));
  bytes[5] = 0x80;
  one.push(bytes);
  assert.deepEqual(seen, ["6 0 5 00"]);
});

test("a frame above 16 KiB is refused at its header", () => {
  for (const cut of [9, 4]) {
    const { reader: one } = reader();
    const header = frame(0, 0, 1, Buffer.alloc(16_385)).subarray(0, 9);
    const push = (): void => {
      one.push(header.subarray(0, cut));
      one.push(header.subarray(cut));
    };
    assert.throws(
      push,
      (error) => error instanceof ConnectionError && error.code === ErrorCode.FrameSizeError,
    );
  }
});

test("a frame of exactly 16 KiB is not", () => {
  const { seen, reader: one } = reader();
  one.push(frame(0, 0, 1, Buffer.alloc(16_384)));
  assert.equal(seen.length, 1);
});
