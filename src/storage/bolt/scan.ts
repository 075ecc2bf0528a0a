// Entries of a bucket in key order. Leaves that were written together lie side by side in the
// file; the further a scan goes, the more of them it reads at once, past the cache.

import type { BucketView, VisitEntry } from "./bucket.ts";
import { elementsProblem, headerProblem, Page, pageError, readHeader, viewOf } from "./page.ts";
import type { PageCache } from "./page-cache.ts";

/** The largest single read: beyond it nothing is gained. */
const EXTENT_BYTES_MAX = 256 << 10;

/**
 * Visits the entries from the first key not below `from` on (null: all) until the visitor returns
 * false. Returns whether the end was reached. What the visitor sees stays as it is while it is
 * referenced.
 */
export function scanBucket(
  bucket: BucketView,
  from: Uint8Array | null,
  visit: VisitEntry,
): boolean {
  return scanPage(bucket.rootPage(), from, new ExtentReader(bucket.cache), visit);
}

function scanPage(
  page: Page,
  from: Uint8Array | null,
  extents: ExtentReader,
  visit: VisitEntry,
): boolean {
  if (page.isLeaf) return scanLeaf(page, from, visit);
  const first = from === null ? 0 : page.childFor(from);
  for (let i = first; i < page.count; i++) {
    const child = extents.child(page, i);
    if (!scanPage(child, i === first ? from : null, extents, visit)) return false;
  }
  return true;
}

function scanLeaf(page: Page, from: Uint8Array | null, visit: VisitEntry): boolean {
  for (let i = from === null ? 0 : page.lowerBound(from); i < page.count; i++) {
    const keyStart = page.keyStart(i);
    const keySize = page.keySize(i);
    if (!visit(page.bytes, keyStart, keySize, page.valueSize(i), page.elementFlags(i))) {
      return false;
    }
  }
  return true;
}

class ExtentReader {
  readonly #cache: PageCache;
  readonly #pageSize: number;
  readonly #pagesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#bytes);
  #first = 0;
  #count = 0;
  #ahead = 1;

  constructor(cache: PageCache) {
    this.#cache = cache;
    this.#pageSize = cache.pageSize;
    this.#pagesMax = Math.max(1, EXTENT_BYTES_MAX / cache.pageSize);
  }

  child(parent: Page, index: number): Page {
    const id = parent.child(index);
    if (id < this.#first || id >= this.#first + this.#count) {
      const length = this.#runLength(parent, index, id);
      if (length === 1) return this.#cache.page(id);
      this.#fill(id, length);
    }
    return this.#parse(id) ?? this.#cache.page(id);
  }

  #runLength(parent: Page, index: number, id: number): number {
    const limit = Math.min(this.#ahead, parent.count - index);
    let length = 1;
    while (length < limit && parent.child(index + length) === id + length) length++;
    this.#ahead = Math.min(this.#ahead * 2, this.#pagesMax);
    return length;
  }

  #fill(id: number, length: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(length * this.#pageSize);
    this.#view = viewOf(this.#bytes);
    const count = this.#cache.source.read(this.#bytes, id * this.#pageSize);
    if (count < this.#bytes.length) throw pageError(id, this.#pageSize, "the file ends behind it");
    this.#first = id;
    this.#count = length;
  }

  /** Undefined for a page whose overflow the extent does not hold. */
  #parse(id: number): Page | undefined {
    const at = (id - this.#first) * this.#pageSize;
    const header = readHeader(this.#view, at);
    if (header.overflow > 0 && headerProblem(header, id) === null) return undefined;
    const problem =
      headerProblem(header, id) ?? elementsProblem(this.#view, at, this.#pageSize, header);
    if (problem !== null) throw pageError(id, this.#pageSize, problem);
    return new Page(this.#bytes, this.#view, at, header);
  }
}
