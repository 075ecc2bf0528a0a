// The backend as the state sees it, in plain Maps: for tests of what lies above it.

import { assert } from "../../src/base/assert.ts";
import type { RecordStore, RecordVisitor } from "../../src/state/mvcc/record-store.ts";
import type { RecordCopies } from "../../src/storage/record-copies.ts";
import type { BucketName } from "../../src/storage/schema.ts";

interface MemoryRecord {
  readonly main: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

const PAGE_BYTES = 1 << 16;

export class MemoryStore implements RecordStore {
  recordBuffer: Uint8Array = new Uint8Array(PAGE_BYTES);
  foundBytes: Uint8Array = this.recordBuffer;
  foundStart = 0;
  foundEnd = 0;
  appliedIndex = 0;
  term = 0;
  sizeBytes = 0;
  confState: Uint8Array | undefined;

  /** In the order of revisions. */
  #records: MemoryRecord[] = [];
  #buckets = new Map<BucketName, Map<string, Uint8Array>>();
  #used = 0;

  /** What a crash now would leave behind, if all was on disk. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    copy.appliedIndex = this.appliedIndex;
    copy.term = this.term;
    copy.sizeBytes = this.sizeBytes;
    copy.confState = this.confState;
    copy.#records = this.#records.slice();
    for (const [name, bucket] of this.#buckets) copy.#buckets.set(name, new Map(bucket));
    return copy;
  }

  get recordCount(): number {
    return this.#records.length;
  }

  reserveRecord(main: number, sub: number, tombstone: boolean, valueBytes: number): number {
    const last = this.#records.at(-1);
    assert(
      last === undefined || main > last.main || (main === last.main && sub > last.sub),
      "revisions only grow",
    );
    if (this.#used + valueBytes > this.recordBuffer.length) {
      this.recordBuffer = new Uint8Array(Math.max(PAGE_BYTES, valueBytes));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += valueBytes;
    const end = this.#used;
    this.#records.push({ main, sub, tombstone, bytes: this.recordBuffer, start, end });
    this.sizeBytes += valueBytes;
    return start;
  }

  findRecord(main: number, sub: number): boolean {
    const record = this.#records[this.#place(main, sub)];
    if (record === undefined || record.main !== main || record.sub !== sub) return false;
    if (record.tombstone) return false;
    this.foundBytes = record.bytes;
    this.foundStart = record.start;
    this.foundEnd = record.end;
    return true;
  }

  copyRecords({ count, mains, subs, targets, bytes }: RecordCopies): void {
    for (let at = 0; at < count; at++) {
      if (!this.findRecord(mains[at]!, subs[at]!)) throw new Error(`no record ${mains[at]}`);
      bytes.set(this.foundBytes.subarray(this.foundStart, this.foundEnd), targets[at]);
    }
  }

  scanRecords(fromMain: number, fromSub: number, visit: RecordVisitor): void {
    for (let at = this.#place(fromMain, fromSub); at < this.#records.length; at++) {
      const record = this.#records[at]!;
      const { main, sub, tombstone, bytes, start, end } = record;
      if (!visit(main, sub, tombstone, bytes, start, end)) return;
    }
  }

  deleteRecord(main: number, sub: number, tombstone: boolean): void {
    const at = this.#place(main, sub);
    const record = this.#records[at];
    assert(
      record?.main === main && record.sub === sub && record.tombstone === tombstone,
      "only records that exist are deleted",
    );
    this.#records.splice(at, 1);
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.#buckets.get(bucket)?.get(text(key));
  }

  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void {
    let entries = this.#buckets.get(bucket);
    if (entries === undefined) this.#buckets.set(bucket, (entries = new Map()));
    entries.set(text(key), value.slice());
  }

  delete(bucket: BucketName, key: Uint8Array): void {
    this.#buckets.get(bucket)?.delete(text(key));
  }

  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    const entries = [...(this.#buckets.get(bucket) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of entries) visit(Buffer.from(key, "latin1"), value);
  }

  setApplied(index: number, term: number): void {
    this.appliedIndex = index;
    this.term = term;
  }

  setConfState(json: Uint8Array): void {
    this.confState = json;
  }

  /** The first record not before the revision. */
  #place(main: number, sub: number): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const record = this.#records[middle]!;
      if (record.main < main || (record.main === main && record.sub < sub)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
