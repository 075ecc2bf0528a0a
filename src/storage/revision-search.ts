// The hottest read: one record of the bucket `key` by its revision. The 17 bytes of the key are
// compared as words: main decides almost always, and its upper word is almost always equal. In
// the branch pages, to which every search comes back, the mains are taken out into an array.

import type { BucketView } from "./bolt/bucket.ts";
import { type Page, rawMemory } from "./bolt/page.ts";
import { REVISION_BYTES, TOMBSTONE_BYTES } from "./schema.ts";

const WORD = 2 ** 32;

/** Where the last search ended; one object for all searches. */
export interface FoundRecord {
  /** The key is at `keyStart`, the value from `start` to `end`. */
  bytes: Uint8Array;
  keyStart: number;
  start: number;
  end: number;
  tombstone: boolean;
}

export function newFoundRecord(): FoundRecord {
  return { bytes: new Uint8Array(0), keyStart: 0, start: 0, end: 0, tombstone: false };
}

/** Fills `found` and returns true if there is a record, tombstone or not, of this revision. */
export function findRevision(
  bucket: BucketView,
  main: number,
  sub: number,
  found: FoundRecord,
): boolean {
  const high = Math.floor(main / WORD);
  const low = main >>> 0;
  let page = bucket.rootPage();
  while (!page.isLeaf) {
    page = bucket.cache.passingPage(page.child(childIndex(page, main, high, low, sub)));
  }
  const index = lowerBound(page, high, low, sub);
  if (index === page.count || compareAt(page, index, high, low, sub) !== 0) return false;
  const keySize = page.keySize(index);
  const length = keySize + page.valueSize(index);
  let { bytes } = page;
  let keyStart = page.keyStart(index);
  if (bucket.cache.isPassing(page)) {
    keyStart = keep(bytes, keyStart, length);
    bytes = keptBytes;
  }
  found.bytes = bytes;
  found.keyStart = keyStart;
  found.start = keyStart + keySize;
  found.end = keyStart + length;
  found.tombstone = keySize === TOMBSTONE_BYTES;
  return keySize >= REVISION_BYTES;
}

/** Leaf pages of records that are asked for in about the order of revisions. */
export class LeafFinder {
  readonly #bucket: BucketView;
  /** Where the last one was found: a branch page right above the leaves, and the child. */
  #branch: Page | undefined;
  #index = 0;

  /** The bucket must have branch pages: `height` > 0. */
  constructor(bucket: BucketView) {
    this.#bucket = bucket;
  }

  /** The id of the leaf that has the record, if there is one. */
  find(main: number, sub: number): number {
    const high = Math.floor(main / WORD);
    const low = main >>> 0;
    const last = this.#branch;
    if (last !== undefined && isWithin(last, this.#index, high, low, sub)) {
      return last.child(this.#index);
    }
    const bucket = this.#bucket;
    let page = bucket.rootPage();
    let index = childIndex(page, main, high, low, sub);
    for (let level = 1; level < bucket.height; level++) {
      page = bucket.cache.page(page.child(index));
      index = childIndex(page, main, high, low, sub);
    }
    this.#branch = page;
    this.#index = index;
    return page.child(index);
  }
}

/** Where in a leaf the record of this revision is, or -1. */
export function indexOfRevision(leaf: Page, main: number, sub: number): number {
  const high = Math.floor(main / WORD);
  const low = main >>> 0;
  const index = lowerBound(leaf, high, low, sub);
  return index === leaf.count || compareAt(leaf, index, high, low, sub) !== 0 ? -1 : index;
}

/** The child of a branch that would have the revision: the last not above it, or the first. */
function childIndex(branch: Page, main: number, high: number, low: number, sub: number): number {
  const index = lastNotAbove(branch.searchIndex ?? indexMains(branch), main);
  if (index < 0) return 0;
  if (branch.searchIndex![index] !== main) return index;
  const bound = lowerBound(branch, high, low, sub);
  if (bound < branch.count && compareAt(branch, bound, high, low, sub) === 0) return bound;
  return Math.max(bound - 1, 0);
}

/** Whether the revision surely is in this child; of the last child nobody knows. */
function isWithin(branch: Page, index: number, high: number, low: number, sub: number): boolean {
  if (index + 1 >= branch.count) return false;
  return (
    compareAt(branch, index, high, low, sub) <= 0 &&
    compareAt(branch, index + 1, high, low, sub) > 0
  );
}

/** Memory for records of pages that are not kept: a view on one keeps so much alive. */
const KEPT_CHUNK_BYTES = 64 << 10;
let keptBytes: Uint8Array = new Uint8Array(0);
let keptUsed = 0;

/** Copies to where nothing is ever overwritten; returns the offset in `keptBytes`. */
function keep(bytes: Uint8Array, start: number, length: number): number {
  if (keptUsed + length > keptBytes.length) {
    keptBytes = rawMemory(Math.max(KEPT_CHUNK_BYTES, length));
    keptUsed = 0;
  }
  const at = keptUsed;
  keptBytes.set(bytes.subarray(start, start + length), at);
  keptUsed += length;
  return at;
}

function indexMains(branch: Page): Float64Array {
  const mains = new Float64Array(branch.count);
  for (let i = 0; i < branch.count; i++) {
    const key = branch.keyStart(i);
    mains[i] = branch.view.getUint32(key) * WORD + branch.view.getUint32(key + 4);
  }
  branch.searchIndex = mains;
  return mains;
}

/** The last index of a number that is not above `main`, or -1. */
function lastNotAbove(mains: Float64Array, main: number): number {
  let from = 0;
  let to = mains.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (mains[middle]! <= main) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

function lowerBound(page: Page, high: number, low: number, sub: number): number {
  let from = 0;
  let to = page.count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareAt(page, middle, high, low, sub) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Negative when the key of the element is below the revision. */
function compareAt(page: Page, index: number, high: number, low: number, sub: number): number {
  const { view } = page;
  const key = page.keyStart(index);
  const keyHigh = view.getUint32(key);
  if (keyHigh !== high) return keyHigh - high;
  const keyLow = view.getUint32(key + 4);
  if (keyLow !== low) return keyLow - low;
  return view.getUint32(key + 9) * WORD + view.getUint32(key + 13) - sub;
}
