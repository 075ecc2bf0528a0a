// Reading a bucket of one committed state. Nothing here changes: the pages of a state stay as
// they are while it is the last one or pinned.

import {
  BoltError,
  BUCKET_HEADER_BYTES,
  PAGE_HEADER_BYTES,
  type Page,
  parsePage,
  readUint64,
  viewOf,
} from "./page.ts";
import type { PageCache } from "./page-cache.ts";

/** The value of a leaf element that is a bucket. */
export interface BucketHeader {
  /** 0 when the bucket is inline. */
  readonly root: number;
  readonly sequence: number;
  /** The one page of an inline bucket. */
  readonly inline: Page | undefined;
}

/** @throws BoltError when the value at `start` is no bucket header. */
export function readBucketHeader(bytes: Uint8Array, start: number, end: number): BucketHeader {
  if (end - start < BUCKET_HEADER_BYTES) throw new BoltError("a bucket header is too short");
  const view = viewOf(bytes);
  const root = readUint64(view, start);
  const sequence = readUint64(view, start + 8);
  if (root !== 0) return { root, sequence, inline: undefined };
  const length = end - start - BUCKET_HEADER_BYTES;
  if (length < PAGE_HEADER_BYTES) throw new BoltError("an inline bucket is too short");
  // A copy: small, and aligned with nothing that would keep a whole page alive.
  const page = bytes.slice(start + BUCKET_HEADER_BYTES, end);
  return { root, sequence, inline: parsePage(page, viewOf(page), 0, length, 0) };
}

/** Return false to stop. A key is followed by its value. */
export type VisitEntry = (
  bytes: Uint8Array,
  keyStart: number,
  keySize: number,
  valueSize: number,
  flags: number,
) => boolean;

export class BucketView {
  readonly cache: PageCache;
  readonly header: BucketHeader;
  #height = -1;

  constructor(cache: PageCache, header: BucketHeader) {
    this.cache = cache;
    this.header = header;
  }

  rootPage(): Page {
    return this.header.inline ?? this.cache.page(this.header.root);
  }

  /** Levels of branch pages above the leaves, which all lie equally deep. */
  get height(): number {
    if (this.#height >= 0) return this.#height;
    let height = 0;
    for (let page = this.rootPage(); !page.isLeaf; height++) {
      page = this.cache.passingPage(page.child(0));
    }
    this.#height = height;
    return height;
  }

  /** The value as a view, which stays as it is while it is referenced. */
  get(key: Uint8Array): Uint8Array | undefined {
    let page = this.rootPage();
    while (!page.isLeaf) page = this.cache.page(page.child(page.childFor(key)));
    const index = page.lowerBound(key);
    if (index === page.count || page.compareKey(index, key) !== 0) return undefined;
    const start = page.keyStart(index) + key.length;
    return page.bytes.subarray(start, start + page.valueSize(index));
  }
}
