// The pages that a write transaction produces, collected into runs: pages that follow each other
// in the file lie one behind the other in memory, and go out as one write.

import type { Span } from "./free-spans.ts";
import type { Freelist } from "./freelist.ts";
import type { Meta } from "./meta.ts";
import { viewOf } from "./page.ts";
import { PageSet } from "./page-set.ts";
import type { TxMemory } from "./tx-memory.ts";

/** Whole pages, to be written at `page` · page size. */
export interface Run {
  readonly page: number;
  readonly bytes: Uint8Array;
}

/** Where one page is to be built. */
export interface Place {
  bytes: Uint8Array;
  view: DataView;
  at: number;
  page: number;
  length: number;
}

export class Output {
  readonly #freelist: Freelist;
  readonly #txid: number;
  readonly #pageSize: number;
  readonly #memory: TxMemory;
  /** The high-water mark as it will be. */
  pageCount: number;
  /** Reused for each page. */
  readonly place: Place;
  #used = 0;
  #runAt = 0;
  #runPage = 0;
  #runs: Run[] = [];
  /** Pages taken from the freelist or the end of the file and not given out yet. */
  #extentNext = 0;
  #extentEnd = 0;
  /** The first page of everything that was ever handed out. */
  readonly fresh: PageSet = new PageSet();
  /** All of it as spans, for those who cache pages. */
  readonly written: Span[] = [];

  constructor(freelist: Freelist, memory: TxMemory, meta: Meta) {
    this.#freelist = freelist;
    this.#memory = memory;
    this.#txid = meta.txid + 1;
    this.#pageSize = meta.pageSize;
    this.pageCount = meta.pageCount;
    const bytes = new Uint8Array(0);
    this.place = { bytes, view: viewOf(bytes), at: 0, page: 0, length: 0 };
  }

  /**
   * Points `place` at `count` fresh pages.
   * @param expected how many pages are likely to be wanted, this one included: they are kept
   * together if that is possible
   */
  next(count: number, expected: number): Place {
    const page = this.#allocate(count, expected);
    this.#freelist.recordAllocation(this.#txid, page);
    this.fresh.add(page);
    const length = count * this.#pageSize;
    const { place } = this;
    const continues = page === this.#runPage + (this.#used - this.#runAt) / this.#pageSize;
    if (this.#used + length > place.bytes.length) {
      this.#endRun();
      this.#newBlock(count);
      this.#runPage = page;
    } else if (!continues || this.#used === this.#runAt) {
      this.#endRun();
      this.#runPage = page;
    }
    place.at = this.#used;
    place.page = page;
    place.length = length;
    this.#used += length;
    return place;
  }

  /** The runs that are complete since the last call. */
  takeRuns(): Run[] {
    this.#endRun();
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  /** Nothing more comes: what was reserved and not used is free again. */
  finish(): void {
    if (this.#extentNext === this.#extentEnd) return;
    if (this.#extentEnd === this.pageCount) {
      this.pageCount = this.#extentNext;
    } else {
      const count = this.#extentEnd - this.#extentNext;
      this.#freelist.giveBack({ start: this.#extentNext, count });
    }
    this.#extentNext = this.#extentEnd;
  }

  #allocate(count: number, expected: number): number {
    if (count > 1) return this.#freelist.allocate(count) || this.#grow(count);
    if (this.#extentNext === this.#extentEnd) this.#newExtent(expected);
    return this.#extentNext++;
  }

  #newExtent(expected: number): void {
    const span = this.#freelist.allocateUpTo(expected);
    this.#extentNext = span === null ? this.#grow(expected) : span.start;
    this.#extentEnd = this.#extentNext + (span === null ? expected : span.count);
  }

  #grow(count: number): number {
    const page = this.pageCount;
    this.pageCount += count;
    return page;
  }

  #newBlock(countMin: number): void {
    const bytes = this.#memory.block(countMin * this.#pageSize);
    this.place.bytes = bytes;
    this.place.view = viewOf(bytes);
    this.#used = this.#runAt = 0;
  }

  #endRun(): void {
    if (this.#used === this.#runAt) return;
    const bytes = this.place.bytes.subarray(this.#runAt, this.#used);
    this.#runs.push({ page: this.#runPage, bytes });
    this.written.push({ start: this.#runPage, count: bytes.length / this.#pageSize });
    this.#runAt = this.#used;
  }
}
