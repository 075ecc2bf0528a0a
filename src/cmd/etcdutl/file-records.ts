// The records of a database file for those who only read: changes are refused or forgotten.

import { assert } from "../../base/assert.ts";
import type { RecordStore, RecordVisitor } from "../../state/mvcc/record-store.ts";
import { findRecord, forEachEntry, getValue, scanRecords } from "../../storage/overlay.ts";
import { copyRecords, type RecordCopies } from "../../storage/record-copies.ts";
import { newFoundRecord } from "../../storage/revision-search.ts";
import type { BucketName } from "../../storage/schema.ts";
import type { Store } from "../../storage/store.ts";

const NOTHING = new Uint8Array(0);

export class FileRecords implements RecordStore {
  readonly recordBuffer: Uint8Array = NOTHING;
  readonly appliedIndex = 0;
  readonly #store: Store;
  readonly #found = newFoundRecord();

  constructor(store: Store) {
    this.#store = store;
  }

  get sizeBytes(): number {
    return this.#store.db.sizeBytes;
  }

  get foundBytes(): Uint8Array {
    return this.#found.bytes;
  }

  get foundStart(): number {
    return this.#found.start;
  }

  get foundEnd(): number {
    return this.#found.end;
  }

  findRecord(main: number, sub: number): boolean {
    const found = this.#found;
    return findRecord(this.#store.db.view, [], main, sub, found) && !found.tombstone;
  }

  copyRecords(copies: RecordCopies): void {
    copyRecords(this.#store.db.view, [], copies);
  }

  scanRecords(fromMain: number, fromSub: number, visit: RecordVisitor): void {
    scanRecords(this.#store.db.view, [], fromMain, fromSub, visit);
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return getValue(this.#store.db.view, [], bucket, key);
  }

  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    forEachEntry(this.#store.db.view, [], bucket, visit);
  }

  /** The mark of a compaction that goes on: it is in the file already. */
  put(): void {}

  delete(): void {
    assert(false, "a file that is read is not changed");
  }

  reserveRecord(): number {
    assert(false, "a file that is read is not changed");
  }

  deleteRecord(): void {
    assert(false, "a file that is read is not changed");
  }

  setApplied(): void {
    assert(false, "a file that is read is not changed");
  }

  setConfState(): void {
    assert(false, "a file that is read is not changed");
  }
}
