// Makes a bbolt file of many free pages from a full one: every page moves to `stride` times its
// number, and what lies between is free. The file is sparse; its contents are the same.
//
//   before  │m│m│1│2│3│4│…            after  │m│m│1│ free … │2│ free … │3│ free … │4│ …

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { encodeMetaPage, FREELIST_ABSENT, type Meta, readMetas } from "../src/storage/bolt/meta.ts";
import {
  BUCKET_ELEMENT,
  ELEMENT_BYTES,
  PAGE_HEADER_BYTES,
  type Page,
  parsePage,
  readHeader,
  readUint64,
  viewOf,
  writeUint64,
} from "../src/storage/bolt/page.ts";

const META_PAGES = 2;

/** Rewrites `path`; returns how many pages are free. */
export function spreadPages(path: string, stride: number): number {
  const bytes = new Uint8Array(readFileSync(path));
  const meta = readMetas({
    read(target, position) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
    sizeBytes: () => bytes.length,
  });
  const moved = (page: number): number => META_PAGES + (page - META_PAGES) * stride;
  const output = openSync(path, "w");
  let usedCount = META_PAGES;
  const move = (id: number): void => {
    const at = id * meta.pageSize;
    const { overflow } = readHeader(viewOf(bytes), at);
    if (overflow >= stride) throw new Error(`page ${id} and its overflow do not fit`);
    const length = (overflow + 1) * meta.pageSize;
    usedCount += overflow + 1;
    const copy = bytes.slice(at, at + length);
    const page = parsePage(copy, viewOf(copy), 0, length, id);
    for (const { place, child } of childrenOf(page)) {
      move(child);
      writeUint64(page.view, place, moved(child));
    }
    writeUint64(page.view, 0, moved(id));
    writeSync(output, copy, 0, length, moved(id) * meta.pageSize);
  };
  move(meta.root);
  const pageCount = moved(meta.pageCount);
  const root = moved(meta.root);
  const spread: Meta = { ...meta, root, pageCount, freelist: FREELIST_ABSENT };
  for (const page of [0, 1]) {
    // The older of the two is the same: nothing of what it referred to is left.
    const txid = meta.txid + ((meta.txid + page) % 2);
    writeSync(
      output,
      encodeMetaPage({ ...spread, txid }, page),
      0,
      undefined,
      page * meta.pageSize,
    );
  }
  ftruncateSync(output, pageCount * meta.pageSize);
  closeSync(output);
  return pageCount - usedCount;
}

/** Where in the page the number of another page stands. */
function* childrenOf(page: Page): Generator<{ place: number; child: number }> {
  for (let index = 0; index < page.count; index++) {
    if (!page.isLeaf) {
      const place = PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 8;
      yield { place, child: page.child(index) };
    } else if ((page.elementFlags(index) & BUCKET_ELEMENT) !== 0) {
      const place = page.keyStart(index) + page.keySize(index);
      const child = readUint64(page.view, place);
      if (child !== 0) yield { place, child };
    }
  }
}
