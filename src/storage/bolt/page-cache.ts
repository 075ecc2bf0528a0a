// The pages that were read last, ready to be searched.
//
// Memory comes in slabs of some pages that are filled once and never written again, so a view
// into one stays what it was for as long as somebody holds it; forgetting a slab only drops our
// reference. Slabs are forgotten oldest first: what reads come back to is mostly branch pages,
// which therefore have a queue of their own, and the recently read end of the keys.

import {
  elementsProblem,
  headerProblem,
  Page,
  PageFlag,
  type PageSource,
  pageError,
  readHeader,
  viewOf,
} from "./page.ts";

/** What the cached leaf pages may take; the system's own cache is 0.5 µs behind this one. */
export const LEAF_CACHE_BYTES: number = 24 << 20;
/** Enough for every branch page of a 2 GiB file. */
export const BRANCH_CACHE_BYTES: number = 8 << 20;
const SLAB_BYTES = 64 << 10;

interface Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly pages: number[];
  usedBytes: number;
}

export class PageCache {
  readonly source: PageSource;
  readonly pageSize: number;
  readonly #pages = new Map<number, Page | undefined>();
  readonly #leaves: SlabQueue;
  readonly #branches: SlabQueue;

  constructor(source: PageSource, pageSize: number) {
    this.source = source;
    this.pageSize = pageSize;
    this.#leaves = new SlabQueue(LEAF_CACHE_BYTES, pageSize);
    this.#branches = new SlabQueue(BRANCH_CACHE_BYTES, pageSize);
  }

  /** @throws BoltError when there is no sound branch or leaf page of this id. */
  page(id: number): Page {
    return this.#pages.get(id) ?? this.#load(id);
  }

  /** These pages have been written anew. */
  forget(start: number, count: number): void {
    // Not deleted: a Map that deletes and adds the same key again and again gets slow.
    for (let id = start; id < start + count; id++) {
      if (this.#pages.has(id)) this.#pages.set(id, undefined);
    }
  }

  #load(id: number): Page {
    const pageSize = this.pageSize;
    let slab = this.#leaves.slabFor(pageSize, this.#pages);
    let at = slab.usedBytes;
    this.#read(slab.bytes.subarray(at, at + pageSize), id, id);
    const header = readHeader(slab.view, at);
    const problem = headerProblem(header, id);
    if (problem !== null) throw pageError(id, pageSize, problem);
    const length = (1 + header.overflow) * pageSize;
    if (length > pageSize || header.flags === PageFlag.branch) {
      const queue = header.flags === PageFlag.branch ? this.#branches : this.#leaves;
      if (id * pageSize + length > this.source.sizeBytes()) {
        throw pageError(id, pageSize, `${header.overflow} overflow pages reach beyond the file`);
      }
      const first = slab.bytes.subarray(at, at + pageSize);
      slab = queue.slabFor(length, this.#pages);
      at = slab.usedBytes;
      slab.bytes.set(first, at);
      const rest = slab.bytes.subarray(at + pageSize, at + length);
      if (rest.length > 0) this.#read(rest, id + 1, id);
    }
    const elements = elementsProblem(slab.view, at, length, header);
    if (elements !== null) throw pageError(id, pageSize, elements);
    const page = new Page(slab.bytes, slab.view, at, header);
    slab.usedBytes += length;
    slab.pages.push(id);
    this.#pages.set(id, page);
    return page;
  }

  #read(target: Uint8Array, from: number, id: number): void {
    const count = this.source.read(target, from * this.pageSize);
    if (count < target.length) throw pageError(id, this.pageSize, "the file ends within it");
  }
}

class SlabQueue {
  readonly #limitBytes: number;
  readonly #slabBytes: number;
  #slabs: Slab[] = [];
  #oldest = 0;
  #totalBytes = 0;

  constructor(limitBytes: number, pageSize: number) {
    this.#limitBytes = limitBytes;
    this.#slabBytes = Math.max(SLAB_BYTES, pageSize);
  }

  /** A slab with room for `length` bytes at `usedBytes`. A long page has one for itself. */
  slabFor(length: number, pages: Map<number, Page | undefined>): Slab {
    const last = this.#slabs[this.#slabs.length - 1];
    if (last !== undefined && last.usedBytes + length <= last.bytes.length) return last;
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, length));
    const slab: Slab = { bytes, view: viewOf(bytes), pages: [], usedBytes: 0 };
    this.#slabs.push(slab);
    this.#totalBytes += bytes.length;
    while (this.#totalBytes > this.#limitBytes && this.#oldest < this.#slabs.length - 1) {
      this.#forgetOldest(pages);
    }
    return slab;
  }

  #forgetOldest(pages: Map<number, Page | undefined>): void {
    const slab = this.#slabs[this.#oldest]!;
    this.#oldest++;
    this.#totalBytes -= slab.bytes.length;
    for (const id of slab.pages) {
      const page = pages.get(id);
      if (page === undefined || page.bytes === slab.bytes) pages.delete(id);
    }
    if (this.#oldest > this.#slabs.length / 2) {
      this.#slabs = this.#slabs.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
