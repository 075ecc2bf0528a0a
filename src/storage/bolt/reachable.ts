// Which pages are free, found by visiting those that are not: for files that keep no freelist.
// Level by level, neighbouring pages in one read; of a leaf only the first page is looked at. A
// page that is reached twice would be given away while it is in use, so it is an error here.

import type { Span } from "./free-spans.ts";
import type { Meta } from "./meta.ts";
import {
  BUCKET_ELEMENT,
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  headerProblem,
  PAGE_HEADER_BYTES,
  PageFlag,
  type PageSource,
  pageError,
  readHeader,
  readUint64,
  viewOf,
} from "./page.ts";
import { PageSet } from "./page-set.ts";

const READ_BYTES_MAX = 1 << 20;

/** @throws BoltError when a page is damaged or used twice. */
export function freeSpans(source: PageSource, meta: Meta): Span[] {
  const walk = new Walk(source, meta);
  let ids: number[] = [meta.root];
  while (ids.length > 0) ids = walk.visit(ids);
  return walk.unusedSpans();
}

class Walk {
  readonly #source: PageSource;
  readonly #pageSize: number;
  readonly #pageCount: number;
  readonly #used: PageSet;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(source: PageSource, meta: Meta) {
    this.#source = source;
    this.#pageSize = meta.pageSize;
    this.#pageCount = meta.pageCount;
    this.#used = new PageSet(meta.pageCount);
    this.#bytes = new Uint8Array(Math.max(READ_BYTES_MAX, meta.pageSize));
    this.#view = viewOf(this.#bytes);
  }

  /** Marks these pages and returns those that they refer to. */
  visit(ids: readonly number[]): number[] {
    const next: number[] = [];
    const countMax = this.#bytes.length / this.#pageSize;
    for (let i = 0; i < ids.length; ) {
      const first = ids[i]!;
      let count = 1;
      while (count < countMax && ids[i + count] === first + count) count++;
      this.#read(first, count);
      for (let page = 0; page < count; page++) this.#visitPage(first + page, page, next);
      i += count;
    }
    return next;
  }

  unusedSpans(): Span[] {
    const spans: Span[] = [];
    let start = 0;
    for (let page = 2; page <= this.#pageCount; page++) {
      const isFree = page < this.#pageCount && !this.#used.has(page);
      if (isFree && start === 0) start = page;
      if (!isFree && start !== 0) {
        spans.push({ start, count: page - start });
        start = 0;
      }
    }
    return spans;
  }

  #read(first: number, count: number): void {
    if (first < 2 || first + count > this.#pageCount) {
      throw this.#error(first, `referred to, but the file has ${this.#pageCount} pages`);
    }
    const target = this.#bytes.subarray(0, count * this.#pageSize);
    const length = this.#source.read(target, first * this.#pageSize);
    if (length < target.length) throw this.#error(first, "the file ends before it");
  }

  #visitPage(id: number, index: number, next: number[]): void {
    const at = index * this.#pageSize;
    const view = this.#view;
    const header = readHeader(view, at);
    const problem = headerProblem(header, id);
    if (problem !== null) throw this.#error(id, problem);
    this.#mark(id, 1 + header.overflow);
    const isLeaf = header.flags === PageFlag.leaf;
    const lengthBytes = PAGE_HEADER_BYTES + header.count * ELEMENT_BYTES;
    if (lengthBytes > (1 + header.overflow) * this.#pageSize) {
      throw this.#error(id, `${header.count} elements do not fit`);
    }
    if (lengthBytes > this.#pageSize) {
      this.#visitWhole(id, header.count, isLeaf, next);
      return;
    }
    let element = at + PAGE_HEADER_BYTES;
    for (let i = 0; i < header.count; i++, element += ELEMENT_BYTES) {
      if (!isLeaf) {
        next.push(readUint64(view, element + 8));
      } else if ((view.getUint32(element, true) & BUCKET_ELEMENT) !== 0) {
        this.#visitBucket(id, i, next);
      }
    }
  }

  /** A page whose elements continue in its overflow pages. */
  #visitWhole(id: number, count: number, isLeaf: boolean, next: number[]): void {
    for (let i = 0; i < count; i++) {
      const view = viewOf(this.#readAt(id, PAGE_HEADER_BYTES + i * ELEMENT_BYTES, ELEMENT_BYTES));
      if (!isLeaf) next.push(readUint64(view, 8));
      else if ((view.getUint32(0, true) & BUCKET_ELEMENT) !== 0) this.#visitBucket(id, i, next);
    }
  }

  #visitBucket(id: number, index: number, next: number[]): void {
    const element = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    const view = viewOf(this.#readAt(id, element, ELEMENT_BYTES));
    const value = element + view.getUint32(4, true) + view.getUint32(8, true);
    const root = readUint64(viewOf(this.#readAt(id, value, BUCKET_HEADER_BYTES)), 0);
    if (root !== 0) next.push(root);
  }

  #readAt(id: number, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const count = this.#source.read(bytes, id * this.#pageSize + offset);
    if (count < length) throw this.#error(id, "the file ends within it");
    return bytes;
  }

  #mark(first: number, count: number): void {
    if (first + count > this.#pageCount) {
      throw this.#error(first, `it takes ${count} pages, the file has ${this.#pageCount}`);
    }
    for (let page = first; page < first + count; page++) {
      if (this.#used.has(page)) throw this.#error(page, "it is used twice");
      this.#used.add(page);
    }
  }

  #error(page: number, problem: string): Error {
    return pageError(page, this.#pageSize, problem);
  }
}
