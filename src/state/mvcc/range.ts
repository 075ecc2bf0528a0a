// Reading keys at a revision, with every option of RangeRequest.
//
//   select  which revisions: from the index alone, in key order, up to limit + 1
//   filter  by mod and create revision, also from the index
//   sort    if asked for; by VALUE needs the records first
//   cut     to the limit
//   load    the records of what is left, as views
//
// `range` does it at once. A RangeCursor does it in steps, for ranges that are too large to hold
// the thread: it stays at its revision and keeps compaction from taking the records away. When keys
// are wanted in their order, it selects and loads by turns and needs no room for all of them.
//
// Three quirks of etcd are kept: the limit is applied before a sort whose order is NONE; the count
// knows neither limit nor filters; keys-only answers come from the index and so have no lease.

import { latin1, writeLatin1 } from "../../base/latin1.ts";
import type { KeyValueView } from "../../wire/key-value.ts";
import { KeyValueView as View, viewKeyValue, writeKeyValueOf } from "../../wire/key-value.ts";
import type { RangeView } from "../../wire/kv-requests.ts";
import { SortOrder, SortTarget } from "../../wire/messages/rpc-kv.ts";
import type { RpcError } from "../../wire/status.ts";
import type { KeyHistory } from "./key-history.ts";
import { KeyValueList } from "./key-value-list.ts";
import { type Mvcc, rangeEndText } from "./mvcc.ts";

/** Keys taken from the index at a time; used within one step only, so one is enough for all. */
const slotScratch = new Uint32Array(1024);
/** Room for KeyValues that are made here is taken in pieces of at least this size. */
const MADE_BYTES = 16 * 1024;
/** Tags, lengths and three numbers of a KeyValue without value. */
const MADE_OVERHEAD_BYTES = 64;

export class RangeResult {
  readonly kvs: KeyValueList = new KeyValueList();
  /** All keys in the range at the revision: field `count` of the answer. */
  total = 0;
  more = false;
  /** For the header: what the reader sees, not the revision that was asked for. */
  revision = 0;

  clear(): void {
    this.kvs.clear();
    this.total = 0;
    this.more = false;
    this.revision = 0;
  }
}

/** Fills `result`, or says why not. `view` holds offsets into `bytes`. */
export function range(
  mvcc: Mvcc,
  bytes: Uint8Array,
  view: RangeView,
  result: RangeResult,
): RpcError | null {
  if (view.rangeEndStart === view.rangeEndEnd && !view.keysOnly) {
    return rangeOne(mvcc, bytes, view, result);
  }
  const error = mvcc.revisionError(view.revision);
  if (error !== null) return error;
  const cursor = new RangeCursor(mvcc, bytes, view, result);
  cursor.step(Number.POSITIVE_INFINITY);
  return null;
}

/** One key: no arrays, no cursor. */
function rangeOne(
  mvcc: Mvcc,
  bytes: Uint8Array,
  view: RangeView,
  result: RangeResult,
): RpcError | null {
  result.clear();
  const error = mvcc.revisionError(view.revision);
  if (error !== null) return error;
  mvcc.metrics.ranges.value++;
  result.revision = mvcc.readRevision;
  const revision = view.revision > 0 ? view.revision : result.revision;
  const slot = mvcc.index.find(bytes, view.keyStart, view.keyEnd);
  const history = mvcc.index.history;
  if (slot < 0 || !history.find(slot, revision)) return null;
  result.total = 1;
  if (view.countOnly || !passes(view, history.foundMain, history.foundCreated)) return null;
  mvcc.loadRecord(history.foundMain, history.foundSub);
  const records = mvcc.records;
  result.kvs.push(records.foundBytes, records.foundStart, records.foundEnd);
  return null;
}

export function passes(filter: RangeFilter, modRevision: number, createRevision: number): boolean {
  return (
    (filter.minModRevision === 0 || modRevision >= filter.minModRevision) &&
    (filter.maxModRevision === 0 || modRevision <= filter.maxModRevision) &&
    (filter.minCreateRevision === 0 || createRevision >= filter.minCreateRevision) &&
    (filter.maxCreateRevision === 0 || createRevision <= filter.maxCreateRevision)
  );
}

export type RangeFilter = Pick<
  RangeView,
  "minModRevision" | "maxModRevision" | "minCreateRevision" | "maxCreateRevision"
>;

export class RangeCursor {
  readonly #mvcc: Mvcc;
  readonly #result: RangeResult;
  readonly #view: RangeView;
  readonly #revision: number;
  readonly #to: string | undefined;
  /** Where selection goes on; undefined when it is over. */
  #from: string | undefined;
  /** Keys to select, Infinity for all. */
  readonly #selectMax: number;
  /** The total is known and selection may stop early. */
  readonly #isCounted: boolean;
  /** Keys are wanted as they come: what is selected can be loaded at once. */
  readonly #isInOrder: boolean;
  readonly #selected = new Selection();
  #selectedTotal = 0;
  /** Positions in the selection in the order of the answer; undefined: as selected. */
  #order: number[] | undefined;
  #loaded = 0;
  #isDone = false;
  #isPinned = false;
  #made = new Uint8Array(0);
  #madeAt = 0;

  /** The revision must have been checked with `revisionError`. */
  constructor(mvcc: Mvcc, bytes: Uint8Array, view: RangeView, result: RangeResult) {
    this.#mvcc = mvcc;
    this.#result = result;
    this.#view = { ...view };
    result.clear();
    mvcc.metrics.ranges.value++;
    result.revision = mvcc.readRevision;
    this.#revision = view.revision > 0 ? view.revision : result.revision;
    this.#from = latin1(bytes, view.keyStart, view.keyEnd);
    this.#to =
      view.rangeEndStart === view.rangeEndEnd
        ? `${this.#from}\0`
        : rangeEndText(bytes, view.rangeEndStart, view.rangeEndEnd);
    this.#isInOrder = isInOrder(view);
    this.#selectMax = selectMaxOf(view);
    this.#isCounted = this.#revision === result.revision;
    if (this.#isCounted) result.total = mvcc.index.countLive(this.#from, this.#to);
    if (this.#isCounted && view.countOnly) this.#isDone = true;
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * Looks at and loads about `budget` keys; true when the result is complete. Otherwise the result
   * has what was loaded so far, and `step` or `close` must follow. Between steps the caller may
   * take KeyValues out of a result whose keys come in order.
   */
  step(budget: number): boolean {
    let left = budget;
    while (left > 0 && !this.#isDone) {
      if (this.#loaded < this.#selected.count && (this.#isInOrder || this.#from === undefined)) {
        left -= this.#load(left);
      } else if (this.#from !== undefined) {
        left -= this.#select(this.#from);
      } else {
        this.#finish();
      }
    }
    if (this.#isDone) {
      this.close();
    } else if (!this.#isPinned) {
      this.#isPinned = true;
      this.#mvcc.pins.add(this.#revision);
    }
    return this.#isDone;
  }

  /** No further step will come. */
  close(): void {
    this.#isDone = true;
    if (!this.#isPinned) return;
    this.#isPinned = false;
    this.#mvcc.pins.remove(this.#revision);
  }

  #select(from: string): number {
    const { index } = this.#mvcc;
    const history = index.history;
    const view = this.#view;
    const selected = this.#selected;
    if (this.#isInOrder) {
      selected.clear();
      this.#loaded = 0;
    }
    const wanted = this.#isCounted ? this.#selectMax - this.#selectedTotal : Infinity;
    const limit = Math.min(slotScratch.length, wanted);
    const count = index.collect(from, this.#to, slotScratch, limit);
    for (let i = 0; i < count; i++) {
      const slot = slotScratch[i]!;
      if (!history.find(slot, this.#revision)) continue;
      if (!this.#isCounted) this.#result.total++;
      if (view.countOnly || this.#selectedTotal >= this.#selectMax) continue;
      if (!passes(view, history.foundMain, history.foundCreated)) continue;
      this.#selectedTotal++;
      if (this.#isInOrder && view.limit > 0 && this.#selectedTotal > view.limit) {
        this.#result.more = true;
      } else {
        selected.push(slot, history);
      }
    }
    const isEnough = this.#isCounted && this.#selectedTotal >= this.#selectMax;
    if (count < limit || isEnough) this.#endSelection();
    else this.#from = `${index.keyOf(slotScratch[count - 1]!)}\0`;
    return count;
  }

  /** Sorts and cuts, except by value: that has to wait for the records. */
  #endSelection(): void {
    this.#from = undefined;
    const { sortTarget, limit } = this.#view;
    if (this.#isInOrder || sortTarget === SortTarget.VALUE) return;
    this.#order = this.#sorted();
    if (limit > 0 && this.#order.length > limit) {
      this.#result.more = true;
      this.#order.length = limit;
      this.#selected.count = limit;
    }
  }

  #sorted(): number[] {
    const { mains, creates, versions, count } = this.#selected;
    const { sortTarget } = this.#view;
    const positions = Array.from({ length: count }, (_, position) => position);
    if (sortTarget === SortTarget.KEY) return positions.reverse();
    const columns = { [SortTarget.VERSION]: versions, [SortTarget.CREATE]: creates };
    const column = columns[sortTarget as keyof typeof columns] ?? mains;
    // The sort is stable: ties stay in the order of keys, whichever way it goes.
    if (this.#view.sortOrder === SortOrder.DESCEND) {
      return positions.sort((a, b) => column[b]! - column[a]!);
    }
    return positions.sort((a, b) => column[a]! - column[b]!);
  }

  #load(budget: number): number {
    const start = this.#loaded;
    const end = Math.min(this.#selected.count, start + budget);
    const isFromIndex = this.#view.keysOnly && this.#view.sortTarget !== SortTarget.VALUE;
    const { mains, subs } = this.#selected;
    const { records } = this.#mvcc;
    const { kvs } = this.#result;
    if (isFromIndex) {
      for (let i = start; i < end; i++) this.#pushFromIndex(this.#order?.[i] ?? i);
    } else {
      const base = kvs.count - start;
      const sequence = byRevision(this.#selected, this.#order, start, end);
      for (let n = start; n < end; n++) {
        const i = sequence === undefined ? n : sequence[n - start]!;
        const at = this.#order?.[i] ?? i;
        this.#mvcc.loadRecord(mains[at]!, subs[at]!);
        kvs.put(base + i, records.foundBytes, records.foundStart, records.foundEnd);
      }
    }
    this.#loaded = end;
    return end - start;
  }

  #finish(): void {
    if (this.#view.sortTarget === SortTarget.VALUE) this.#arrangeByValue();
    this.#isDone = true;
  }

  /** A KeyValue of key and revisions, without a look at the record. */
  #pushFromIndex(at: number): void {
    const { slots, creates, mains, versions } = this.#selected;
    const key = this.#mvcc.index.keyOf(slots[at]!);
    // The key is written behind the message first, from where the encoder copies it.
    const start = this.#makeRoom(2 * key.length + MADE_OVERHEAD_BYTES);
    const target = this.#made;
    const keyStart = start + key.length + MADE_OVERHEAD_BYTES;
    const keyEnd = writeLatin1(key, target, keyStart);
    // biome-ignore format: one argument list, as the function reads it
    const end = writeKeyValueOf(
      target, start, target, keyStart, keyEnd,
      creates[at]!, mains[at]!, versions[at]!, target, 0, 0, 0n,
    );
    this.#madeAt = end;
    this.#result.kvs.push(target, start, end);
  }

  #makeRoom(size: number): number {
    if (this.#madeAt + size > this.#made.length) {
      const all = this.#selected.count * size;
      this.#made = new Uint8Array(all < MADE_BYTES ? all : MADE_BYTES + size);
      this.#madeAt = 0;
    }
    return this.#madeAt;
  }

  #arrangeByValue(): void {
    const { kvs } = this.#result;
    const { limit, keysOnly } = this.#view;
    const isDescending = this.#view.sortOrder === SortOrder.DESCEND;
    const values: Uint8Array[] = [];
    const views: KeyValueView[] = [];
    for (let i = 0; i < kvs.count; i++) {
      const view = new View();
      viewKeyValue(kvs.buffers[i]!, kvs.starts[i]!, kvs.ends[i]!, view);
      values.push(kvs.buffers[i]!.subarray(view.valueStart, view.valueEnd));
      views.push(view);
    }
    const order = values.map((_, position) => position);
    order.sort((a, b) =>
      isDescending
        ? Buffer.compare(values[b]!, values[a]!)
        : Buffer.compare(values[a]!, values[b]!),
    );
    const count = limit > 0 ? Math.min(limit, order.length) : order.length;
    this.#result.more = count < order.length;
    if (keysOnly) for (let i = 0; i < kvs.count; i++) this.#dropValue(i, views[i]!);
    kvs.reorder(order, count);
  }

  #dropValue(at: number, view: KeyValueView): void {
    const { kvs } = this.#result;
    const source = kvs.buffers[at]!;
    const start = this.#makeRoom(view.keyEnd - view.keyStart + MADE_OVERHEAD_BYTES);
    const target = this.#made;
    // biome-ignore format: one argument list, as the function reads it
    this.#madeAt = writeKeyValueOf(
      target, start, source, view.keyStart, view.keyEnd, view.createRevision, view.modRevision,
      view.version, source, 0, 0, view.lease,
    );
    kvs.buffers[at] = target;
    kvs.starts[at] = start;
    kvs.ends[at] = this.#madeAt;
  }
}

/** What was selected, in columns. */
class Selection {
  count = 0;
  readonly slots: number[] = [];
  readonly mains: number[] = [];
  readonly subs: number[] = [];
  readonly creates: number[] = [];
  readonly versions: number[] = [];

  push(slot: number, history: KeyHistory): void {
    const at = this.count++;
    this.slots[at] = slot;
    this.mains[at] = history.foundMain;
    this.subs[at] = history.foundSub;
    this.creates[at] = history.foundCreated;
    this.versions[at] = history.foundVersion;
  }

  clear(): void {
    this.count = 0;
  }
}

/** Fewer are not worth sorting. */
const SORTED_MIN = 64;

/**
 * The positions from `start` to `end` by revision: records of neighbouring revisions lie in the
 * same page. undefined: as they come.
 */
function byRevision(
  { mains, subs }: Selection,
  order: readonly number[] | undefined,
  start: number,
  end: number,
): number[] | undefined {
  if (end - start < SORTED_MIN) return undefined;
  let isSorted = true;
  const positions: number[] = [];
  for (let i = start; i < end; i++) {
    positions.push(i);
    const at = order?.[i] ?? i;
    const before = order?.[i - 1] ?? i - 1;
    if (i > start && mains[at]! < mains[before]!) isSorted = false;
  }
  if (isSorted) return undefined;
  return positions.sort((a, b) => {
    const left = order?.[a] ?? a;
    const right = order?.[b] ?? b;
    return mains[left]! - mains[right]! || subs[left]! - subs[right]!;
  });
}

/** Keys come in order by themselves; another target without an order is sorted ascending. */
export function isInOrder(view: RangeView): boolean {
  return view.sortTarget === SortTarget.KEY && view.sortOrder !== SortOrder.DESCEND;
}

/** One more than the limit shows whether there are more; sorts and filters need all. */
function selectMaxOf(view: RangeView): number {
  if (view.limit <= 0) return Number.POSITIVE_INFINITY;
  if (isInOrder(view)) return view.limit + 1;
  const isFiltered =
    view.minModRevision !== 0 ||
    view.maxModRevision !== 0 ||
    view.minCreateRevision !== 0 ||
    view.maxCreateRevision !== 0;
  const isAllNeeded = view.sortOrder !== SortOrder.NONE || isFiltered;
  return isAllNeeded ? Number.POSITIVE_INFINITY : view.limit + 1;
}
