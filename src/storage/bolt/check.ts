// What `bbolt check` verifies, of one committed state: a Go etcd refuses a file that fails it, and
// so every test of ours runs it after every commit. Also verified, unlike there: that the data of
// an element lies in its page, inline buckets, and that leaves are on one level.

import { type BucketHeader, readBucketHeader } from "./bucket.ts";
import type { Span } from "./free-spans.ts";
import { FREELIST_ABSENT, type Meta } from "./meta.ts";
import {
  BoltError,
  BUCKET_ELEMENT,
  compareBytes,
  headerProblem,
  type Page,
  PageFlag,
  type PageSource,
  parsePage,
  readHeader,
  viewOf,
} from "./page.ts";
import { PageSet } from "./page-set.ts";

interface Key {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * The problems found, none if all is well.
 * @param free the pages that are free or will be; without them leaks cannot be seen
 */
export function checkState(source: PageSource, meta: Meta, free?: readonly Span[]): string[] {
  const check = new Check(source, meta);
  check.reserve(0, 2, "meta");
  if (free !== undefined) check.markFree(free);
  if (meta.freelist !== FREELIST_ABSENT) check.freelist(meta.freelist);
  check.bucket(meta.root);
  if (free !== undefined) check.reportLeaks();
  return check.problems;
}

class Check {
  readonly problems: string[] = [];
  readonly #source: PageSource;
  readonly #pageSize: number;
  readonly #pageCount: number;
  readonly #reached = new PageSet();
  readonly #free = new PageSet();
  /** Of the last leaf in the bucket under way. */
  #lastKey: Key | null = null;
  #leafDepth = 0;

  constructor(source: PageSource, meta: Meta) {
    this.#source = source;
    this.#pageSize = meta.pageSize;
    this.#pageCount = meta.pageCount;
  }

  markFree(spans: readonly Span[]): void {
    for (const { start, count } of spans) {
      for (let page = start; page < start + count; page++) {
        if (this.#free.has(page)) this.#report(page, "is free twice");
        if (page >= this.#pageCount) this.#report(page, "is free beyond the high-water mark");
        this.#free.add(page);
      }
    }
  }

  reserve(first: number, count: number, what: string): void {
    for (let page = first; page < first + count; page++) {
      if (page >= this.#pageCount) this.#report(page, `${what} beyond the high-water mark`);
      if (this.#reached.has(page)) this.#report(page, "is referred to more than once");
      if (this.#free.has(page)) this.#report(page, `${what} page is free`);
      this.#reached.add(page);
    }
  }

  freelist(page: number): void {
    const bytes = new Uint8Array(this.#pageSize);
    this.#source.read(bytes, page * this.#pageSize);
    const header = readHeader(viewOf(bytes), 0);
    if (header.flags !== PageFlag.freelist) this.#report(page, "should hold the freelist");
    else this.reserve(page, 1 + header.overflow, "freelist");
  }

  bucket(root: number): void {
    this.#lastKey = null;
    this.#leafDepth = 0;
    this.#tree(root, null, null, 1);
  }

  reportLeaks(): void {
    for (let page = 0; page < this.#pageCount; page++) {
      if (!this.#reached.has(page) && !this.#free.has(page)) {
        this.#report(page, "is neither reachable nor free");
      }
    }
  }

  /** @param low, high what its keys must not be below, and must be below */
  #tree(id: number, low: Key | null, high: Key | null, depth: number): void {
    const page = this.#read(id);
    if (page === null) return;
    this.#keys(page, low, high);
    if (page.isLeaf) {
      if (this.#leafDepth === 0) this.#leafDepth = depth;
      if (this.#leafDepth !== depth) this.#report(id, "is a leaf on another level");
      this.#leaf(page);
      return;
    }
    for (let i = 0; i < page.count; i++) {
      const key = keyOf(page, i);
      // Everything to the left has been seen, so the last key there must be below this one.
      if (i > 0 && this.#lastKey !== null && compare(this.#lastKey, key) >= 0) {
        this.#report(id, `key ${i} is not above all keys to its left`);
      }
      const next = i + 1 < page.count ? keyOf(page, i + 1) : high;
      this.#tree(page.child(i), key, next, depth + 1);
    }
  }

  #read(id: number): Page | null {
    try {
      const page = this.#readPage(id);
      this.reserve(id, 1 + page.overflow, page.isLeaf ? "leaf" : "branch");
      return page;
    } catch (error) {
      if (!(error instanceof BoltError)) throw error;
      this.#report(id, error.message);
      return null;
    }
  }

  #readPage(id: number): Page {
    if (id < 2 || id >= this.#pageCount) throw new BoltError("is beyond the high-water mark");
    if (this.#reached.has(id)) throw new BoltError("is referred to more than once");
    const first = new Uint8Array(this.#pageSize);
    this.#source.read(first, id * this.#pageSize);
    const header = readHeader(viewOf(first), 0);
    const problem = headerProblem(header, id);
    if (problem !== null) throw new BoltError(problem);
    const lengthBytes = (1 + header.overflow) * this.#pageSize;
    if (id * this.#pageSize + lengthBytes > this.#source.sizeBytes()) {
      throw new BoltError("reaches beyond the end of the file");
    }
    const bytes = new Uint8Array(lengthBytes);
    this.#source.read(bytes, id * this.#pageSize);
    return parsePage(bytes, viewOf(bytes), 0, lengthBytes, id);
  }

  #keys(page: Page, low: Key | null, high: Key | null): void {
    let previous: Key | null = null;
    for (let i = 0; i < page.count; i++) {
      const key = keyOf(page, i);
      if (previous !== null && compare(previous, key) >= 0) {
        this.#report(page.id, `key ${i} is not above the one before`);
      }
      if (low !== null && compare(key, low) < 0) {
        this.#report(page.id, `key ${i} is below that of its branch`);
      }
      if (high !== null && compare(key, high) >= 0) {
        this.#report(page.id, `key ${i} is not below the next of its branch`);
      }
      previous = key;
    }
    if (page.isLeaf && previous !== null) this.#lastKey = previous;
  }

  #leaf(page: Page): void {
    for (let i = 0; i < page.count; i++) {
      if ((page.elementFlags(i) & BUCKET_ELEMENT) === 0) continue;
      const start = page.keyStart(i) + page.keySize(i);
      const header = this.#header(page, start, start + page.valueSize(i));
      if (header === null) continue;
      const [lastKey, leafDepth] = [this.#lastKey, this.#leafDepth];
      if (header.inline !== undefined) this.#keys(header.inline, null, null);
      else this.bucket(header.root);
      this.#lastKey = lastKey;
      this.#leafDepth = leafDepth;
    }
  }

  #header(page: Page, start: number, end: number): BucketHeader | null {
    try {
      return readBucketHeader(page.bytes, start, end);
    } catch (error) {
      if (!(error instanceof BoltError)) throw error;
      this.#report(page.id, error.message);
      return null;
    }
  }

  #report(page: number, problem: string): void {
    this.problems.push(`page ${page} (offset ${page * this.#pageSize}): ${problem}`);
  }
}

function keyOf(page: Page, index: number): Key {
  const start = page.keyStart(index);
  return { bytes: page.bytes, start, end: start + page.keySize(index) };
}

function compare(a: Key, b: Key): number {
  return compareBytes(a.bytes, a.start, a.end, b.bytes, b.start, b.end);
}
