// Reading keys at a revision, with every option of RangeRequest.
//
//   select  which revisions: from the index alone, in key order, up to limit + 1
//   filter  by mod and create revision, also from the index
//   sort    if asked for; by VALUE needs the records first
//   cut     to the limit
//   load    the records of what is left, as views
//
// `range` does it at once. A RangeCursor does it in steps, for ranges that are too large to hold
// the thread: it stays at its revision and keeps compaction from taking the records away.
//
// Three quirks of etcd are kept: the limit is applied before a sort whose order is NONE; the count
// knows neither limit nor filters; keys-only answers come from the index and so have no lease.

import { latin1, writeLatin1 } from "../../base/latin1.ts";
import type { KeyValueView } from "../../wire/key-value.ts";
import { KeyValueView as View, viewKeyValue, writeKeyValueOf } from "../../wire/key-value.ts";
import type { RangeView } from "../../wire/kv-requests.ts";
import { SortOrder, SortTarget } from "../../wire/messages/rpc-kv.ts";
import type { RpcError } from "../../wire/status.ts";
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

function passes(filter: RangeFilter, modRevision: number, createRevision: number): boolean {
  return (
    (filter.minModRevision === 0 || modRevision >= filter.minModRevision) &&
    (filter.maxModRevision === 0 || modRevision <= filter.maxModRevision) &&
    (filter.minCreateRevision === 0 || createRevision >= filter.minCreateRevision) &&
    (filter.maxCreateRevision === 0 || createRevision <= filter.maxCreateRevision)
  );
}

type RangeFilter = Pick<
  RangeView,
  "minModRevision" | "maxModRevision" | "minCreateRevision" | "maxCreateRevision"
>;

export class RangeCursor {
  readonly #mvcc: Mvcc;
  readonly #result: RangeResult;
  readonly #view: RangeView;
  readonly #revision: number;
  readonly #to: string | undefined;
  /** Where selection goes on. */
  #from: string;
  /** Keys to select, Infinity for all. */
  readonly #selectMax: number;
  /** The total is known and selection may stop early. */
  readonly #isCounted: boolean;
  // What was selected, in columns.
  readonly #selectedSlots: number[] = [];
  readonly #mains: number[] = [];
  readonly #subs: number[] = [];
  readonly #creates: number[] = [];
  readonly #versions: number[] = [];
  /** Positions in the columns in the order of the answer; undefined: as selected. */
  #order: number[] | undefined;
  #loaded = 0;
  #phase: "select" | "arrange" | "load" | "done" = "select";
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
    this.#selectMax = selectMaxOf(view);
    this.#isCounted = this.#revision === result.revision;
    if (this.#isCounted) result.total = mvcc.index.countLive(this.#from, this.#to);
    if (this.#isCounted && view.countOnly) this.#phase = "done";
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * Looks at and loads about `budget` keys; true when the result is complete. Otherwise the result
   * has what was loaded so far, and `step` or `close` must follow.
   */
  step(budget: number): boolean {
    let left = budget;
    while (left > 0 && this.#phase !== "done") {
      if (this.#phase === "select") left -= this.#select();
      else if (this.#phase === "arrange") this.#arrange();
      else left -= this.#load(left);
    }
    if (this.#phase === "done") this.close();
    else if (!this.#isPinned) {
      this.#isPinned = true;
      this.#mvcc.pins++;
    }
    return this.#phase === "done";
  }

  /** No further step will come. */
  close(): void {
    this.#phase = "done";
    if (!this.#isPinned) return;
    this.#isPinned = false;
    this.#mvcc.pins--;
  }

  #select(): number {
    const { index } = this.#mvcc;
    const history = index.history;
    const view = this.#view;
    const slots = slotScratch;
    const wanted = this.#isCounted ? this.#selectMax - this.#selectedSlots.length : Infinity;
    const limit = Math.min(slots.length, wanted);
    const count = index.collect(this.#from, this.#to, slots, limit);
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      if (!history.find(slot, this.#revision)) continue;
      if (!this.#isCounted) this.#result.total++;
      if (view.countOnly || this.#selectedSlots.length >= this.#selectMax) continue;
      if (!passes(view, history.foundMain, history.foundCreated)) continue;
      this.#selectedSlots.push(slot);
      this.#mains.push(history.foundMain);
      this.#subs.push(history.foundSub);
      this.#creates.push(history.foundCreated);
      this.#versions.push(history.foundVersion);
    }
    const isEnough = this.#isCounted && this.#selectedSlots.length >= this.#selectMax;
    if (count < limit || isEnough) this.#phase = "arrange";
    else this.#from = `${index.keyOf(slots[count - 1]!)}\0`;
    return count;
  }

  /** Sorts and cuts, except by value: that has to wait for the records. */
  #arrange(): void {
    const { sortTarget, limit } = this.#view;
    this.#phase = "load";
    const order = sortOrderOf(this.#view);
    if (sortTarget === SortTarget.VALUE && order !== SortOrder.NONE) return;
    const count = this.#selectedSlots.length;
    if (order !== SortOrder.NONE) this.#order = this.#sorted(order);
    if (limit > 0 && count > limit) {
      this.#result.more = true;
      if (this.#order === undefined) this.#selectedSlots.length = limit;
      else this.#order.length = limit;
    }
  }

  #sorted(order: number): number[] {
    const positions = this.#mains.map((_, position) => position);
    if (this.#view.sortTarget === SortTarget.KEY) {
      return order === SortOrder.DESCEND ? positions.reverse() : positions;
    }
    const column = this.#columnOf(this.#view.sortTarget);
    // The sort is stable: ties stay in the order of keys, whichever way it goes.
    if (order === SortOrder.DESCEND) return positions.sort((a, b) => column[b]! - column[a]!);
    return positions.sort((a, b) => column[a]! - column[b]!);
  }

  #columnOf(target: number): readonly number[] {
    if (target === SortTarget.VERSION) return this.#versions;
    return target === SortTarget.CREATE ? this.#creates : this.#mains;
  }

  #load(budget: number): number {
    const count = this.#order?.length ?? this.#selectedSlots.length;
    const end = Math.min(count, this.#loaded + budget);
    const isByValue = this.#view.sortTarget === SortTarget.VALUE;
    const { records } = this.#mvcc;
    const kvs = this.#result.kvs;
    const loadedBefore = this.#loaded;
    for (let i = loadedBefore; i < end; i++) {
      const at = this.#order === undefined ? i : this.#order[i]!;
      if (this.#view.keysOnly && !isByValue) {
        this.#pushFromIndex(at);
      } else {
        this.#mvcc.loadRecord(this.#mains[at]!, this.#subs[at]!);
        kvs.push(records.foundBytes, records.foundStart, records.foundEnd);
      }
    }
    this.#loaded = end;
    if (end === count) {
      if (isByValue) this.#arrangeByValue();
      this.#phase = "done";
    }
    return end - loadedBefore;
  }

  /** A KeyValue of key and revisions, without a look at the record. */
  #pushFromIndex(at: number): void {
    const key = this.#mvcc.index.keyOf(this.#selectedSlots[at]!);
    // The key is written behind the message first, from where the encoder copies it.
    const start = this.#makeRoom(2 * key.length + MADE_OVERHEAD_BYTES);
    const target = this.#made;
    const keyStart = start + key.length + MADE_OVERHEAD_BYTES;
    const keyEnd = writeLatin1(key, target, keyStart);
    // biome-ignore format: one argument list, as the function reads it
    const end = writeKeyValueOf(
      target, start, target, keyStart, keyEnd,
      this.#creates[at]!, this.#mains[at]!, this.#versions[at]!, target, 0, 0, 0n,
    );
    this.#madeAt = end;
    this.#result.kvs.push(target, start, end);
  }

  #makeRoom(size: number): number {
    if (this.#madeAt + size > this.#made.length) {
      const isSmall = this.#selectedSlots.length * size < MADE_BYTES;
      this.#made = new Uint8Array(isSmall ? this.#selectedSlots.length * size : MADE_BYTES + size);
      this.#madeAt = 0;
    }
    return this.#madeAt;
  }

  #arrangeByValue(): void {
    const { kvs } = this.#result;
    const { limit, keysOnly } = this.#view;
    const isDescending = sortOrderOf(this.#view) === SortOrder.DESCEND;
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

/** One more than the limit shows whether there are more; sorts and filters need all. */
function selectMaxOf(view: RangeView): number {
  const isAllNeeded =
    view.sortOrder !== SortOrder.NONE ||
    view.minModRevision !== 0 ||
    view.maxModRevision !== 0 ||
    view.minCreateRevision !== 0 ||
    view.maxCreateRevision !== 0;
  return view.limit > 0 && !isAllNeeded ? view.limit + 1 : Number.POSITIVE_INFINITY;
}

/** Keys come in order; another target without an order is sorted ascending. */
function sortOrderOf(view: RangeView): number {
  if (view.sortTarget !== SortTarget.KEY && view.sortOrder === SortOrder.NONE) {
    return SortOrder.ASCEND;
  }
  return view.sortOrder;
}
