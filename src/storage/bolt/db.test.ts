import assert from "node:assert/strict";
import { test } from "node:test";
import { checkState } from "./check.ts";
import { Db, emptyFile } from "./db.ts";
import { encodeMetaPage } from "./meta.ts";
import { PageFlag, type PageSource, viewOf, writeHeader, writeUint64 } from "./page.ts";

function sourceOf(bytes: Uint8Array): PageSource {
  return {
    sizeBytes: () => bytes.length,
    read(target, position) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** A file whose freelist, from page 4 on, has these ids; escaped counts are in the first word. */
function fileWithFreelist(
  ids: readonly number[],
  pageCount: number,
  isEscaped: boolean,
): Uint8Array {
  const words = ids.length + (isEscaped ? 1 : 0);
  const listPages = Math.ceil((16 + words * 8) / 4096);
  const bytes = new Uint8Array(pageCount * 4096);
  bytes.set(emptyFile());
  const meta = { pageSize: 4096, root: 3, sequence: 0, freelist: 4, pageCount };
  for (const txid of [6, 7]) bytes.set(encodeMetaPage({ ...meta, txid }), (txid % 2) * 4096);
  const view = viewOf(bytes);
  const count = isEscaped ? 0xffff : ids.length;
  const header = { id: 4, flags: PageFlag.freelist, count, overflow: listPages - 1 };
  writeHeader(view, 4 * 4096, header);
  const list = isEscaped ? [ids.length, ...ids] : ids;
  for (const [i, id] of list.entries()) writeUint64(view, 4 * 4096 + 16 + i * 8, id);
  return bytes;
}

function freeOf(bytes: Uint8Array): [number, number][] {
  const free: [number, number][] = [];
  const db = new Db(sourceOf(bytes), { freelistType: "array" });
  db.freelist.forEachUnused((start, count) => free.push([start, count]));
  return free;
}

test("a freelist in the file is read", () => {
  assert.deepEqual(freeOf(fileWithFreelist([], 10, false)), []);
  assert.deepEqual(freeOf(fileWithFreelist([2, 5, 6, 7, 9], 10, false)), [
    [2, 1],
    [5, 3],
    [9, 1],
  ]);
  assert.deepEqual(freeOf(fileWithFreelist([5, 6], 10, true)), [[5, 2]]);
});

test("a freelist of more than 65534 ids has its count elsewhere", () => {
  const ids = Array.from({ length: 65_540 }, (_, i) => 200 + i + (i >> 15));
  const free = freeOf(fileWithFreelist(ids, 66_000, true));
  assert.equal(
    free.reduce((sum, [, count]) => sum + count, 0),
    ids.length,
  );
  assert.deepEqual(
    free.map(([start]) => start),
    [200, 200 + 32_769, 200 + 65_538],
  );
});

test("a freelist that cannot be right is refused", () => {
  for (const [ids, text] of [
    [[5, 5], "id 5 is out of order"],
    [[7, 6], "id 6 is out of order"],
    [[1], "id 1 is out of order"],
    [[10], "id 10 is out of order"],
  ] as const) {
    const message = `page 4 (offset 16384): freelist: ${text}`;
    assert.throws(() => freeOf(fileWithFreelist(ids, 10, false)), { message });
  }
  const tooMany = fileWithFreelist([5], 10, false);
  viewOf(tooMany).setUint16(4 * 4096 + 10, 5000, true);
  assert.throws(() => freeOf(tooMany), /5000 ids do not fit/);
  const noList = fileWithFreelist([5], 10, false);
  viewOf(noList).setUint16(4 * 4096 + 8, PageFlag.leaf, true);
  assert.throws(() => freeOf(noList), /it should hold the freelist and does not/);
  const tooLong = fileWithFreelist([5], 10, false);
  viewOf(tooLong).setUint32(4 * 4096 + 12, 6, true);
  assert.throws(() => freeOf(tooLong), /freelist: too long/);
});

/** Twelve gigabytes, of which only the pages that were written take memory. */
class SparseFile implements PageSource {
  readonly #pages = new Map<number, Uint8Array>();

  sizeBytes(): number {
    return 3e6 * 4096;
  }

  read(target: Uint8Array, position: number): number {
    for (let at = 0; at < target.length; ) {
      const offset = (position + at) % 4096;
      const length = Math.min(4096 - offset, target.length - at);
      const page = this.#pages.get(Math.floor((position + at) / 4096)) ?? new Uint8Array(4096);
      target.set(page.subarray(offset, offset + length), at);
      at += length;
    }
    return target.length;
  }

  write(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length; at += 4096) {
      this.#pages.set((position + at) / 4096, bytes.slice(at, at + 4096));
    }
  }
}

test("pages eleven gigabytes into the file are as good as others", () => {
  const file = new SparseFile();
  const pageCount = 2_900_000;
  const meta = { pageSize: 4096, root: pageCount - 1, sequence: 0, freelist: -1, pageCount };
  const leaf = new Uint8Array(4096);
  const header = { id: meta.root, flags: PageFlag.leaf, count: 0, overflow: 0 };
  writeHeader(viewOf(leaf), 0, header);
  file.write(leaf, meta.root * 4096);
  for (const txid of [6, 7]) file.write(encodeMetaPage({ ...meta, txid }), (txid % 2) * 4096);
  let db = new Db(file, { freelistType: "map" });
  assert.equal(db.freelist.freePageCount, pageCount - 3);
  // What is free lies below; take that away, so that new pages come at the end.
  while (db.freelist.freePageCount > 0) assert.notEqual(db.freelist.allocateUpTo(1e9), null);
  const value = new Uint8Array(50_000).fill(7);
  for (const key of ["a", "b", "c"]) {
    const tx = db.begin();
    const bytes = Buffer.concat([Buffer.from(key), value]);
    tx.bucket("key").put(bytes, 0, 1, value.length);
    tx.rebalance();
    const { runs, metaPage, metaPosition, sizeBytes } = tx.spill();
    assert.ok(sizeBytes > pageCount * 4096);
    for (const run of runs) file.write(run.bytes, run.page * 4096);
    file.write(metaPage, metaPosition);
    db.committed(tx);
    assert.deepEqual(checkState(file, db.view.meta), []);
  }
  db = new Db(file, { freelistType: "array" });
  assert.deepEqual(db.view.bucket("key")?.get(Buffer.from("b")), value);
  assert.ok(db.view.bucket("key")!.header.root > pageCount);
});

test("pages that refer to each other in a circle are refused", () => {
  const bytes = new Uint8Array(10 * 4096);
  const meta = { pageSize: 4096, root: 5, sequence: 0, freelist: -1, pageCount: 10 };
  for (const txid of [6, 7]) bytes.set(encodeMetaPage({ ...meta, txid }), (txid % 2) * 4096);
  const view = viewOf(bytes);
  for (const [id, child] of [
    [5, 6],
    [6, 5],
  ] as const) {
    writeHeader(view, id * 4096, { id, flags: PageFlag.branch, count: 1, overflow: 0 });
    view.setUint32(id * 4096 + 16, 16, true);
    view.setUint32(id * 4096 + 20, 1, true);
    writeUint64(view, id * 4096 + 24, child);
    bytes[id * 4096 + 32] = 97;
  }
  assert.throws(() => freeOf(bytes), { message: "page 5 (offset 20480): it is used twice" });
});
