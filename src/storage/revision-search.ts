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
    let index = lastNotAbove(page.searchIndex ?? indexMains(page), main);
    if (index >= 0 && page.searchIndex![index] === main) {
      index = lowerBound(page, high, low, sub);
      const exact = index < page.count && compareAt(page, index, high, low, sub) === 0;
      if (!exact) index--;
    }
    page = bucket.cache.passingPage(page.child(Math.max(index, 0)));
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
