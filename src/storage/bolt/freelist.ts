// Which pages may be written next. A page goes round:
//
//   free ──allocate──► used ──free(txid f)──► pending[f] ──release──► free
//
// A page allocated in transaction a and freed in f is part of the states a … f−1. It must not be
// overwritten while one of these is the last durable state or is pinned by a reader. Release runs
// when a write transaction begins, that is when the meta of every earlier one is durable; so only
// the readers count: a pending page is free when no reader r has a ≤ r < f.
//
// The allocating txid is recorded only while there are readers. Without one nobody can pin a
// state before the last durable one, and 0 ("long ago") is a safe answer.

import { assert } from "../../base/assert.ts";
import { type FreelistType, type FreeSpans, newFreeSpans, type Span } from "./free-spans.ts";
import { PageSet } from "./page-set.ts";

interface FreedRun extends Span {
  readonly allocatedBy: number;
  readonly freedBy: number;
}

export class Freelist {
  readonly #free: FreeSpans;
  /** Free and pending pages, to notice a page that is freed twice. */
  readonly #unused = new PageSet();
  /** Freed since the last release. */
  #pending: FreedRun[] = [];
  /** What a reader needs; looked at again only when one has left. */
  #held: FreedRun[] = [];
  #readerHasLeft = false;
  /** Pages in `#pending` and `#held`. */
  #waitingPages = 0;
  readonly #readers = new Map<number, number>();
  readonly #allocatedBy = new Map<number, number>();

  constructor(type: FreelistType, free: readonly Span[]) {
    this.#free = newFreeSpans(type);
    this.#free.add(free);
    for (const { start, count } of free) this.#unused.addNew(start, count);
  }

  get freePageCount(): number {
    return this.#free.pageCount;
  }

  /** Free ones, and those that become free when the next transaction begins or readers leave. */
  get unusedPageCount(): number {
    return this.#free.pageCount + this.#waitingPages;
  }

  get readerCount(): number {
    let count = 0;
    for (const readers of this.#readers.values()) count += readers;
    return count;
  }

  /** The first of `count` contiguous pages, or 0 when the file has to grow. */
  allocate(count: number): number {
    const start = this.#free.allocate(count);
    if (start !== 0) this.#unused.delete(start, count);
    return start;
  }

  /** Pages for a writer that hands them out one by one. */
  allocateUpTo(countMax: number): Span | null {
    const span = this.#free.allocateUpTo(countMax);
    if (span !== null) this.#unused.delete(span.start, span.count);
    return span;
  }

  giveBack(span: Span): void {
    this.#unused.addNew(span.start, span.count);
    this.#free.add([span]);
  }

  /** Pages from `start` on, wherever they are from, become part of the state of `txid`. */
  recordAllocation(txid: number, start: number): void {
    if (this.#readers.size > 0) this.#allocatedBy.set(start, txid);
  }

  free(txid: number, start: number, count: number): void {
    assert(start > 1, `page ${start} cannot be freed`);
    this.#unused.addNew(start, count);
    const allocatedBy = this.#allocatedBy.get(start) ?? 0;
    this.#allocatedBy.delete(start);
    this.#pending.push({ start, count, allocatedBy, freedBy: txid });
    this.#waitingPages += count;
  }

  /** To be called when a write transaction begins. */
  release(): void {
    const candidates = this.#pending;
    this.#pending = [];
    if (this.#readerHasLeft) {
      for (const run of this.#held) candidates.push(run);
      this.#held = [];
      this.#readerHasLeft = false;
    }
    const readers = [...this.#readers.keys()].sort((a, b) => a - b);
    if (readers.length === 0) this.#allocatedBy.clear();
    const released: FreedRun[] = [];
    for (const run of candidates) {
      if (isNeeded(run, readers)) this.#held.push(run);
      else {
        released.push(run);
        this.#waitingPages -= run.count;
      }
    }
    released.sort((a, b) => a.start - b.start);
    this.#free.add(released);
  }

  /** The state of `txid` stays readable until as many `unpin`. */
  pin(txid: number): void {
    this.#readers.set(txid, (this.#readers.get(txid) ?? 0) + 1);
  }

  unpin(txid: number): void {
    const count = this.#readers.get(txid) ?? 0;
    assert(count > 0, `transaction ${txid} is not pinned`);
    this.#readerHasLeft = true;
    if (count === 1) this.#readers.delete(txid);
    else this.#readers.set(txid, count - 1);
  }

  /** Every page that is free or will be. */
  forEachUnused(visit: (start: number, count: number) => void): void {
    this.#free.forEach(visit);
    for (const runs of [this.#pending, this.#held]) {
      for (const { start, count } of runs) visit(start, count);
    }
  }
}

/** @param readers ascending */
function isNeeded(run: FreedRun, readers: readonly number[]): boolean {
  let low = 0;
  let high = readers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (readers[middle]! < run.allocatedBy) low = middle + 1;
    else high = middle;
  }
  return low < readers.length && readers[low]! < run.freedBy;
}
