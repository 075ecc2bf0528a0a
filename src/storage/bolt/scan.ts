// Entries of a bucket in key order. Leaves that were written together lie side by side in the
// file; the further a scan goes, the more of them it reads at once, past the cache.

import type { BucketView, VisitEntry } from "./bucket.ts";
import {
  elementsProblem,
  headerProblem,
  Page,
  PageFlag,
  type PageHeader,
  pageError,
  rawMemory,
  readHeader,
  viewOf,
} from "./page.ts";
import type { PageCache } from "./page-cache.ts";

/** The largest single read: beyond it nothing is gained. */
const EXTENT_BYTES_MAX = 256 << 10;

/** Where a scan puts what it reads. */
export interface ScanMemory {
  /** Room for so many bytes. */
  take(length: number): Uint8Array;
}

/** For a visitor that keeps nothing: what it sees is overwritten after the visit. */
export class ReusedMemory implements ScanMemory {
  #bytes: Uint8Array = new Uint8Array(0);

  take(length: number): Uint8Array {
    if (length > EXTENT_BYTES_MAX) return new Uint8Array(length);
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(length);
    return this.#bytes.subarray(0, length);
  }
}

/** For a visitor that keeps what it sees: it stays as it is while it is referenced. */
const freshMemory: ScanMemory = { take: (length) => rawMemory(length) };

/**
 * Visits the entries from the first key not below `from` on (null: all) until the visitor returns
 * false. Returns whether the end was reached.
 */
export function scanBucket(
  bucket: BucketView,
  from: Uint8Array | null,
  visit: VisitEntry,
  memory: ScanMemory = freshMemory,
): boolean {
  return scanPage(bucket.rootPage(), from, new ExtentReader(bucket.cache, memory), visit);
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

/** Reads leaves, several at once where they lie side by side. Branches come from the cache. */
class ExtentReader {
  readonly #cache: PageCache;
  readonly #memory: ScanMemory;
  readonly #pageSize: number;
  readonly #pagesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#bytes);
  #first = 0;
  #count = 0;
  #ahead = 1;

  constructor(cache: PageCache, memory: ScanMemory) {
    this.#cache = cache;
    this.#memory = memory;
    this.#pageSize = cache.pageSize;
    this.#pagesMax = Math.max(1, EXTENT_BYTES_MAX / cache.pageSize);
  }

  child(parent: Page, index: number): Page {
    const id = parent.child(index);
    if (id < this.#first || id >= this.#first + this.#count) {
      const cached = this.#cache.cached(id);
      if (cached !== undefined) return cached;
      this.#fill(id, this.#runLength(parent, index, id));
    }
    const at = (id - this.#first) * this.#pageSize;
    const header = readHeader(this.#view, at);
    const problem = headerProblem(header, id);
    if (problem !== null) throw pageError(id, this.#pageSize, problem);
    if (header.flags === PageFlag.branch) return this.#cache.page(id);
    return this.#leaf(at, header);
  }

  #runLength(parent: Page, index: number, id: number): number {
    const limit = Math.min(this.#ahead, parent.count - index);
    let length = 1;
    while (length < limit && parent.child(index + length) === id + length) length++;
    this.#ahead = Math.min(this.#ahead * 2, this.#pagesMax);
    return length;
  }

  #fill(id: number, pageCount: number): void {
    this.#first = id;
    this.#count = pageCount;
    this.#bytes = this.#memory.take(pageCount * this.#pageSize);
    this.#view = viewOf(this.#bytes);
    const read = this.#cache.source.read(this.#bytes, id * this.#pageSize);
    if (read < this.#bytes.length) throw pageError(id, this.#pageSize, "the file ends behind it");
  }

  #leaf(at: number, header: PageHeader): Page {
    const { id, overflow } = header;
    if (overflow > 0) {
      const end = (id + 1 + overflow) * this.#pageSize;
      if (end > this.#cache.source.sizeBytes()) {
        throw pageError(id, this.#pageSize, `${overflow} overflow pages reach beyond the file`);
      }
      this.#fill(id, 1 + overflow);
      // The pages behind the first are not pages of their own.
      this.#count = 1;
    }
    const start = overflow > 0 ? 0 : at;
    const length = (1 + overflow) * this.#pageSize;
    const problem = elementsProblem(this.#view, start, length, header);
    if (problem !== null) throw pageError(id, this.#pageSize, problem);
    return new Page(this.#bytes, this.#view, start, header);
  }
}
