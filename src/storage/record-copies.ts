// Many records at once, copied side by side into one piece of memory: how a large range is read.
//
//   revisions ─► leaf of each (branch pages, cached) ─► sorted by page ─► neighbouring pages in one
//   read, past the cache, into `pages` ─► each record copied once, to where it belongs
//
// Nothing is made for a record, and all memory is used again, so that reading gigabytes leaves no
// garbage behind. Sizes are known beforehand: the index has them.

import { assert } from "../base/assert.ts";
import type { Batch } from "./batch.ts";
import type { BucketView } from "./bolt/bucket.ts";
import type { View } from "./bolt/db.ts";
import {
  elementsProblem,
  headerProblem,
  Page,
  PageFlag,
  pageError,
  rawMemory,
  readHeader,
  viewOf,
} from "./bolt/page.ts";
import { findRecord } from "./overlay.ts";
import { indexOfRevision, LeafFinder, newFoundRecord } from "./revision-search.ts";
import { Bucket, REVISION_BYTES } from "./schema.ts";

/** More in one read gains nothing, and the processor's cache holds it until it is copied. */
const PAGES_BYTES = 256 << 10;
/** To read so many pages that nobody wants costs less than another system call. */
const GAP_PAGES = 3;
/** Records that one call copies. */
export const COPIES_MAX = 1024;
/** What `piece` has at rest; one record may need more. */
const PIECE_BYTES = 384 << 10;

/** What to copy, and where to. Records are live: no tombstones. */
export class RecordCopies {
  count = 0;
  readonly mains: Float64Array = new Float64Array(COPIES_MAX);
  readonly subs: Uint32Array = new Uint32Array(COPIES_MAX);
  /** Bytes of the value of the record, which must be right. */
  readonly sizes: Uint32Array = new Uint32Array(COPIES_MAX);
  /** Offsets in `bytes`. */
  readonly targets: Uint32Array = new Uint32Array(COPIES_MAX);
  bytes: Uint8Array = new Uint8Array(0);

  /** Begins anew with room for `bytes`. */
  reset(bytes: number): void {
    this.count = 0;
    const isLarge = this.bytes.length > PIECE_BYTES;
    if (bytes > this.bytes.length || isLarge) this.bytes = rawMemory(Math.max(bytes, PIECE_BYTES));
  }

  add(main: number, sub: number, size: number, target: number): void {
    const at = this.count++;
    this.mains[at] = main;
    this.subs[at] = sub;
    this.sizes[at] = size;
    this.targets[at] = target;
  }
}

const found = newFoundRecord();
/** Page ids and, in their lowest digits, the number of the record: sorted as numbers. */
const wanted = new Float64Array(COPIES_MAX);

export function copyRecords(view: View, batches: readonly Batch[], copies: RecordCopies): void {
  const bucket = view.bucket(Bucket.key);
  let firstInMemory = Number.POSITIVE_INFINITY;
  for (const { records } of batches) firstInMemory = Math.min(firstInMemory, records.firstMain);
  const isOnePage = bucket === undefined || bucket.height === 0;
  let count = 0;
  const finder = isOnePage ? undefined : new LeafFinder(bucket);
  for (let at = 0; at < copies.count; at++) {
    const main = copies.mains[at]!;
    if (main >= firstInMemory || finder === undefined) copyOne(view, batches, copies, at);
    else wanted[count++] = finder.find(main, copies.subs[at]!) * COPIES_MAX + at;
  }
  if (count > 0) new LeafRuns(view, batches, bucket!, copies).copy(count);
}

function copyOne(view: View, batches: readonly Batch[], copies: RecordCopies, at: number): void {
  const main = copies.mains[at]!;
  const sub = copies.subs[at]!;
  const isThere = findRecord(view, batches, main, sub, found);
  assert(isThere && found.end - found.start === copies.sizes[at], `a record of revision ${main}`);
  copies.bytes.set(found.bytes.subarray(found.start, found.end), copies.targets[at]);
}

/** One for all: used within a call only. Made when it is needed first. */
let pages: Uint8Array = new Uint8Array(0);
let pagesView: DataView = viewOf(pages);

/** The leaves of `wanted`, read in runs of neighbours. */
class LeafRuns {
  readonly #view: View;
  readonly #batches: readonly Batch[];
  readonly #bucket: BucketView;
  readonly #copies: RecordCopies;
  readonly #pageSize: number;
  /** Pages in `pages`. */
  #first = 0;
  #pageCount = 0;

  constructor(view: View, batches: readonly Batch[], bucket: BucketView, copies: RecordCopies) {
    this.#view = view;
    this.#batches = batches;
    this.#bucket = bucket;
    this.#copies = copies;
    this.#pageSize = bucket.cache.pageSize;
    const length = Math.max(PAGES_BYTES, this.#pageSize);
    if (pages.length >= length) return;
    pages = rawMemory(length);
    pagesView = viewOf(pages);
  }

  copy(count: number): void {
    wanted.subarray(0, count).sort();
    let leaf: Page | undefined;
    for (let at = 0; at < count; at++) {
      const id = Math.floor(wanted[at]! / COPIES_MAX);
      if (leaf?.id !== id) leaf = this.#leaf(id, at, count);
      const number = wanted[at]! % COPIES_MAX;
      if (leaf.overflow > 0) copyOne(this.#view, this.#batches, this.#copies, number);
      else this.#copyFrom(leaf, number);
    }
  }

  #copyFrom(leaf: Page, number: number): void {
    const { mains, subs, sizes, targets, bytes } = this.#copies;
    const main = mains[number]!;
    const index = indexOfRevision(leaf, main, subs[number]!);
    const size = sizes[number]!;
    const isThere =
      index >= 0 && leaf.keySize(index) === REVISION_BYTES && leaf.valueSize(index) === size;
    assert(isThere, `the record of revision ${main} is as the index says`);
    const start = leaf.keyStart(index) + REVISION_BYTES;
    bytes.set(leaf.bytes.subarray(start, start + size), targets[number]);
  }

  /** @throws BoltError when it is not sound */
  #leaf(id: number, at: number, count: number): Page {
    const cached = this.#bucket.cache.cached(id);
    if (cached !== undefined) return cached;
    if (id >= this.#first + this.#pageCount) this.#fill(id, at, count);
    const pageSize = this.#pageSize;
    const start = (id - this.#first) * pageSize;
    const header = readHeader(pagesView, start);
    let problem = headerProblem(header, id);
    if (problem === null && header.flags !== PageFlag.leaf) problem = "a leaf is expected";
    if (problem === null && header.overflow === 0) {
      problem = elementsProblem(pagesView, start, pageSize, header);
    }
    if (problem !== null) throw pageError(id, pageSize, problem);
    return new Page(pages, pagesView, start, header);
  }

  #fill(id: number, from: number, count: number): void {
    const pageSize = this.#pageSize;
    const idMax = id + Math.floor(PAGES_BYTES / pageSize);
    let last = id;
    for (let at = from; at < count; at++) {
      const next = Math.floor(wanted[at]! / COPIES_MAX);
      if (next > last + 1 + GAP_PAGES || next >= idMax) break;
      last = next;
    }
    this.#first = id;
    this.#pageCount = last + 1 - id;
    const target = pages.subarray(0, this.#pageCount * pageSize);
    const read = this.#bucket.cache.source.read(target, id * pageSize);
    if (read < target.length) throw pageError(id, pageSize, "the file ends behind it");
  }
}
