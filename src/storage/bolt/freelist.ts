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
}

export class Freelist {
  readonly #free: FreeSpans;
  /** Free and pending pages, to notice a page that is freed twice. */
  readonly #unused = new PageSet();
  #pending = new Map<number, FreedRun[]>();
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
    let runs = this.#pending.get(txid);
    if (runs === undefined) this.#pending.set(txid, (runs = []));
    runs.push({ start, count, allocatedBy });
  }

  /** To be called when a write transaction begins. */
  release(): void {
    if (this.#pending.size === 0) return;
    const readers = [...this.#readers.keys()].sort((a, b) => a - b);
    if (readers.length === 0) this.#allocatedBy.clear();
    const released: Span[] = [];
    const kept = new Map<number, FreedRun[]>();
    for (const [txid, runs] of this.#pending) {
      const needed = readers.length === 0 ? [] : runs.filter((run) => isPinned(run, txid, readers));
      if (needed.length > 0) kept.set(txid, needed);
      for (const run of runs) {
        if (needed.length === 0 || !isPinned(run, txid, readers)) released.push(run);
      }
    }
    this.#pending = kept;
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
    if (count === 1) this.#readers.delete(txid);
    else this.#readers.set(txid, count - 1);
  }

  /** Every page that is free or will be. */
  forEachUnused(visit: (start: number, count: number) => void): void {
    this.#free.forEach(visit);
    for (const runs of this.#pending.values()) {
      for (const { start, count } of runs) visit(start, count);
    }
  }
}

/** @param readers ascending */
function isPinned(run: FreedRun, freedBy: number, readers: readonly number[]): boolean {
  let low = 0;
  let high = readers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (readers[middle]! < run.allocatedBy) low = middle + 1;
    else high = middle;
  }
  return low < readers.length && readers[low]! < freedBy;
}
