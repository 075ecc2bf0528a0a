import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadAhead } from "./read-ahead.ts";

const PAGE = 64;

/** A file of pages that have their number and version in them, and counts how often it is read. */
function bench(pages: number) {
  const bytes = new Uint8Array(pages * PAGE);
  for (let id = 0; id < pages; id++) bytes.fill(id % 200, id * PAGE, (id + 1) * PAGE);
  const source = {
    reads: 0,
    sizeBytes: () => bytes.length,
    read(target: Uint8Array, position: number): number {
      source.reads++;
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
  return { bytes, source, ahead: new ReadAhead(source, PAGE), page: new Uint8Array(PAGE) };
}

test("a sequence is read with few reads, anything else page by page", () => {
  const { source, ahead, page } = bench(5000);
  for (let id = 10; id < 1500; id += 1 + (id % 3)) {
    assert.ok(ahead.read(id, page));
    assert.ok(
      page.every((byte) => byte === id % 200),
      `page ${id}`,
    );
  }
  assert.ok(source.reads < 15, `${source.reads} reads`);
  source.reads = 0;
  for (const id of [900, 20, 4000, 100, 3000, 21, 2999]) {
    assert.ok(ahead.read(id, page));
    assert.equal(page[5], id % 200);
  }
  assert.equal(source.reads, 7);
});

test("what was written meanwhile is read again", () => {
  const { bytes, ahead, page } = bench(100);
  for (let id = 0; id < 10; id++) ahead.read(id, page);
  bytes.fill(250, 11 * PAGE, 12 * PAGE);
  ahead.forget();
  assert.ok(ahead.read(11, page));
  assert.ok(page.every((byte) => byte === 250));
});

test("the end of the file", () => {
  const { ahead, page } = bench(20);
  for (let id = 0; id < 20; id++) assert.ok(ahead.read(id, page), `page ${id}`);
  assert.equal(ahead.read(20, page), false);
  assert.equal(ahead.read(400, page), false);
});
