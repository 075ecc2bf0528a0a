// The free pages as spans, in one of two ways: `array` keeps them sorted and gives the lowest fit
// (small files, few spans; tools), `map` finds a span of the wanted size in constant time however
// many there are (the server). Which one is used leaves no trace in the file.

import { assert } from "../../base/assert.ts";

export type FreelistType = "array" | "map";

export interface FreeSpans {
  readonly pageCount: number;
  /** The first of `count` contiguous pages, or 0. */
  allocate(count: number): number;
  /** Up to `countMax` contiguous pages, as many as can be had together; null when none is free. */
  allocateUpTo(countMax: number): Span | null;
  /** Ascending, apart from each other and from what is free already. */
  add(spans: readonly Span[]): void;
  forEach(visit: (start: number, count: number) => void): void;
}

export interface Span {
  readonly start: number;
  readonly count: number;
}

export function newFreeSpans(type: FreelistType): FreeSpans {
  return type === "array" ? new SortedSpans() : new SpanMap();
}

class SortedSpans implements FreeSpans {
  pageCount = 0;
  #starts: number[] = [];
  #counts: number[] = [];

  allocate(count: number): number {
    for (let i = 0; i < this.#starts.length; i++) {
      if (this.#counts[i]! >= count) return this.#take(i, count);
    }
    return 0;
  }

  allocateUpTo(countMax: number): Span | null {
    if (this.#starts.length === 0) return null;
    const count = Math.min(countMax, this.#counts[0]!);
    return { start: this.#take(0, count), count };
  }

  add(spans: readonly Span[]): void {
    const [oldStarts, oldCounts] = [this.#starts, this.#counts];
    this.#starts = [];
    this.#counts = [];
    let old = 0;
    for (const { start, count } of spans) {
      while (old < oldStarts.length && oldStarts[old]! < start) {
        this.#push(oldStarts[old]!, oldCounts[old]!);
        old++;
      }
      this.#push(start, count);
      this.pageCount += count;
    }
    for (; old < oldStarts.length; old++) this.#push(oldStarts[old]!, oldCounts[old]!);
  }

  forEach(visit: (start: number, count: number) => void): void {
    for (let i = 0; i < this.#starts.length; i++) visit(this.#starts[i]!, this.#counts[i]!);
  }

  #push(start: number, count: number): void {
    const last = this.#starts.length - 1;
    if (last >= 0) {
      const end = this.#starts[last]! + this.#counts[last]!;
      assert(end <= start, `page ${start} is free twice`);
      if (end === start) {
        this.#counts[last]! += count;
        return;
      }
    }
    this.#starts.push(start);
    this.#counts.push(count);
  }

  #take(index: number, count: number): number {
    const start = this.#starts[index]!;
    this.pageCount -= count;
    if (this.#counts[index] === count) {
      this.#starts.splice(index, 1);
      this.#counts.splice(index, 1);
    } else {
      this.#starts[index] = start + count;
      this.#counts[index]! -= count;
    }
    return start;
  }
}

/** The spans of one size. An entry may be out of date: it counts if the span still is there. */
interface SizeClass {
  readonly starts: number[];
  spanCount: number;
}

/** So many entries out of date per span are tolerated, and these in any case. */
const STALE_FACTOR_MAX = 2;
const STALE_COUNT_MIN = 64;

class SpanMap implements FreeSpans {
  pageCount = 0;
  readonly #countByStart = new Map<number, number>();
  readonly #startByEnd = new Map<number, number>();
  readonly #classes = new Map<number, SizeClass>();

  allocate(count: number): number {
    if (this.#classes.has(count)) return this.#take(count, count);
    for (const size of this.#classes.keys()) {
      if (size > count) return this.#take(size, count);
    }
    return 0;
  }

  allocateUpTo(countMax: number): Span | null {
    let best = 0;
    for (const size of this.#classes.keys()) {
      if (size > best) best = size;
      if (best >= countMax) break;
    }
    if (best === 0) return null;
    const count = Math.min(best, countMax);
    return { start: this.#take(best, count), count };
  }

  add(spans: readonly Span[]): void {
    for (const { start, count } of spans) this.#addSpan(start, count);
  }

  forEach(visit: (start: number, count: number) => void): void {
    const starts = Float64Array.from(this.#countByStart.keys()).sort();
    for (const start of starts) visit(start, this.#countByStart.get(start)!);
  }

  #addSpan(start: number, count: number): void {
    this.pageCount += count;
    const end = start + count;
    const before = this.#startByEnd.get(start);
    const after = this.#countByStart.get(end);
    let [from, to] = [start, end];
    if (before !== undefined) {
      from = before;
      this.#startByEnd.delete(start);
      this.#forgetSize(start - before);
    }
    if (after !== undefined) {
      to = end + after;
      this.#countByStart.delete(end);
      this.#forgetSize(after);
    }
    this.#set(from, to - from);
  }

  /** @param size of which there is a span, at least `count` */
  #take(size: number, count: number): number {
    const starts = this.#classes.get(size)!.starts;
    let start = starts.pop()!;
    while (this.#countByStart.get(start) !== size) start = starts.pop()!;
    this.pageCount -= count;
    this.#countByStart.delete(start);
    this.#forgetSize(size);
    if (size > count) this.#set(start + count, size - count);
    else this.#startByEnd.delete(start + size);
    return start;
  }

  /**
   * Makes or changes a span. What stays of an old one is overwritten, never deleted first: a Map
   * that deletes and adds the same key again and again gets slow.
   */
  #set(start: number, count: number): void {
    this.#countByStart.set(start, count);
    this.#startByEnd.set(start + count, start);
    let sizeClass = this.#classes.get(count);
    if (sizeClass === undefined) {
      sizeClass = { starts: [], spanCount: 0 };
      this.#classes.set(count, sizeClass);
    }
    sizeClass.starts.push(start);
    sizeClass.spanCount++;
    const staleMax = STALE_FACTOR_MAX * sizeClass.spanCount + STALE_COUNT_MIN;
    if (sizeClass.starts.length > staleMax) this.#dropStale(sizeClass.starts, count);
  }

  #forgetSize(count: number): void {
    const sizeClass = this.#classes.get(count)!;
    sizeClass.spanCount--;
    if (sizeClass.spanCount === 0) this.#classes.delete(count);
  }

  #dropStale(starts: number[], count: number): void {
    const valid = new Set(starts.filter((start) => this.#countByStart.get(start) === count));
    starts.length = 0;
    for (const start of valid) starts.push(start);
  }
}
