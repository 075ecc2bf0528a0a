// The pages that were read last, ready to be searched.
//
// Memory comes in slabs of some pages that are filled once and never written again, so a view
// into one stays what it was for as long as somebody holds it; forgetting a slab only drops our
// reference. Slabs are forgotten oldest first: what reads come back to is mostly branch pages,
// which therefore have a queue of their own, and the recently read end of the keys.
//
// Slabs are expensive garbage: a few dozen megabytes of it bring about a full collection, which
// stops a process with a large key index for long. So a leaf gets into a slab only when it is
// wanted a second time; before, it passes through a scratch page (`passingPage`).

import {
  elementsProblem,
  headerProblem,
  Page,
  PageFlag,
  type PageHeader,
  type PageSource,
  pageError,
  rawMemory,
  readHeader,
  viewOf,
} from "./page.ts";
import { ReadAhead } from "./read-ahead.ts";

/** What the cached leaf pages may take; the system's own cache is 0.5 µs behind this one. */
export const LEAF_CACHE_BYTES: number = 24 << 20;
/** Enough for every branch page of a 2 GiB file. */
export const BRANCH_CACHE_BYTES: number = 8 << 20;
const SLAB_BYTES = 64 << 10;
/** How many leaves that passed through are remembered: about as many as are cached. */
const SEEN_COUNT = 8192;

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
  readonly #ahead: ReadAhead;
  readonly #scratch: Uint8Array;
  readonly #scratchView: DataView;
  /** The leaf that lies in the scratch page: the next record mostly is on it, too. */
  #passing: Page | undefined;
  /** Ids by their last bits. */
  readonly #seen = new Float64Array(SEEN_COUNT);

  constructor(source: PageSource, pageSize: number) {
    this.source = source;
    this.pageSize = pageSize;
    this.#leaves = new SlabQueue(LEAF_CACHE_BYTES, pageSize);
    this.#branches = new SlabQueue(BRANCH_CACHE_BYTES, pageSize);
    this.#ahead = new ReadAhead(source, pageSize);
    this.#scratch = new Uint8Array(pageSize);
    this.#scratchView = viewOf(this.#scratch);
  }

  /** @throws BoltError when there is no sound branch or leaf page of this id. */
  page(id: number): Page {
    return this.#pages.get(id) ?? this.#load(id, false);
  }

  /** The same, but a leaf may be gone with the next call: see `isPassing`. */
  passingPage(id: number): Page {
    if (this.#passing?.id === id) return this.#passing;
    return this.#pages.get(id) ?? this.#load(id, true);
  }

  /** Whoever wants to keep anything of this page has to copy it. */
  isPassing(page: Page): boolean {
    return page.bytes === this.#scratch;
  }

  /** The page if it is cached: whoever reads everything should not fill the cache with it. */
  cached(id: number): Page | undefined {
    return this.#pages.get(id);
  }

  /** These pages have been written anew. */
  forget(start: number, count: number): void {
    this.#ahead.forget();
    this.#passing = undefined;
    // Not deleted: a Map that deletes and adds the same key again and again gets slow.
    for (let id = start; id < start + count; id++) {
      if (this.#pages.has(id)) this.#pages.set(id, undefined);
    }
  }

  #load(id: number, mayPass: boolean): Page {
    const { pageSize } = this;
    this.#passing = undefined;
    if (!this.#ahead.read(id, this.#scratch)) throw this.#ended(id);
    const header = readHeader(this.#scratchView, 0);
    const problem = headerProblem(header, id);
    if (problem !== null) throw pageError(id, pageSize, problem);
    const isBranch = header.flags === PageFlag.branch;
    const isShort = !isBranch && header.overflow === 0;
    if (mayPass && isShort && (this.#ahead.isInSequence || !this.#isSeen(id))) {
      this.#passing = this.#newPage(this.#scratch, this.#scratchView, 0, header);
      return this.#passing;
    }
    const length = (1 + header.overflow) * pageSize;
    if (length > pageSize && id * pageSize + length > this.source.sizeBytes()) {
      throw pageError(id, pageSize, `${header.overflow} overflow pages reach beyond the file`);
    }
    const slab = (isBranch ? this.#branches : this.#leaves).slabFor(length, this.#pages);
    const at = slab.usedBytes;
    slab.bytes.set(this.#scratch, at);
    if (length > pageSize) {
      this.#read(slab.bytes.subarray(at + pageSize, at + length), id + 1, id);
    }
    const page = this.#newPage(slab.bytes, slab.view, at, header);
    slab.usedBytes += length;
    slab.pages.push(id);
    this.#pages.set(id, page);
    return page;
  }

  #newPage(bytes: Uint8Array, view: DataView, at: number, header: PageHeader): Page {
    const length = (1 + header.overflow) * this.pageSize;
    const problem = elementsProblem(view, at, length, header);
    if (problem !== null) throw pageError(header.id, this.pageSize, problem);
    return new Page(bytes, view, at, header);
  }

  /** Whether it passed through lately; from now on it did. */
  #isSeen(id: number): boolean {
    const at = id % SEEN_COUNT;
    if (this.#seen[at] === id) return true;
    this.#seen[at] = id;
    return false;
  }

  #read(target: Uint8Array, from: number, id: number): void {
    const count = this.source.read(target, from * this.pageSize);
    if (count < target.length) throw this.#ended(id);
  }

  #ended(id: number): Error {
    return pageError(id, this.pageSize, "the file ends within it");
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
    const bytes = rawMemory(Math.max(this.#slabBytes, length));
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
