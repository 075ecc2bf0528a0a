// What really happened: every change in the order of revisions, read from the records of the store
// itself right after it was applied, and so not by the way that watchers take.

import assert from "node:assert/strict";
import type { RecordStore } from "../../src/state/mvcc/record-store.ts";
import { decodeKeyValue, type KeyValue } from "../../src/wire/messages/kv.ts";

export interface Change {
  readonly revision: number;
  readonly key: string;
  /** undefined: the key was deleted. */
  readonly kv: KeyValue | undefined;
  /** What the key was one revision before. */
  readonly previous: KeyValue | undefined;
}

export class History {
  readonly changes: Change[] = [];
  revision = 1;
  #keys = new Map<string, KeyValue>();
  #before = new Map<string, KeyValue>();

  /** Reads what was added since the last look. */
  look(records: RecordStore, currentRevision: number): void {
    assert.ok(currentRevision >= this.revision, `the store went back from ${this.revision}`);
    if (currentRevision === this.revision) return;
    let main = 0;
    records.scanRecords(this.revision + 1, 0, (revision, _sub, tombstone, bytes, start, end) => {
      if (revision > currentRevision) return false;
      if (revision !== main) {
        assert.equal(revision, main === 0 ? this.revision + 1 : main + 1, "revisions are dense");
        main = revision;
        this.#before = new Map(this.#keys);
      }
      const kv = decodeKeyValue(bytes.slice(), start, end);
      const key = Buffer.from(kv.key).toString("latin1");
      const previous = this.#before.get(key);
      const isCreation = !tombstone && kv.createRevision === revision;
      this.changes.push({
        ...{ revision, key },
        kv: tombstone ? undefined : kv,
        previous: isCreation ? undefined : previous,
      });
      if (tombstone) this.#keys.delete(key);
      else this.#keys.set(key, kv);
      return true;
    });
    assert.equal(main, currentRevision, "the newest revision has a record");
    this.revision = currentRevision;
  }
}
