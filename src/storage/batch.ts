// One batch of changes: what becomes one commit. Beside the records there are the few changes of
// the other buckets, newest per key, and the deletions of records that were committed before.

import { latin1 } from "../base/latin1.ts";
import { RecordBatch, type RecordChunks } from "./record-batch.ts";
import { Bucket, MetaKey, revisionBytes, uint64Bytes } from "./schema.ts";

/** A key with its value right behind it, or a key that is to go. */
export interface Change {
  readonly bytes: Uint8Array;
  readonly keySize: number;
  readonly deleted: boolean;
}

/** By key, as latin1: the order of the strings is that of the bytes. */
export type BucketChanges = Map<string, Change>;

export class Batch {
  readonly records: RecordBatch;
  readonly deletedRecords: DeletedRecords = new DeletedRecords();
  readonly buckets: Map<string, BucketChanges> = new Map();
  /** As etcd counts: every put and deletion. */
  changeCount = 0;
  /** Of the other buckets. */
  #changedBytes = 0;
  appliedIndex = 0;
  term = 0;
  #confState: Uint8Array | undefined;
  /** Something came that only a forced commit has to write. */
  hasNews = false;

  constructor(chunks: RecordChunks) {
    this.records = new RecordBatch(chunks);
  }

  get sizeBytes(): number {
    return this.records.sizeBytes + this.#changedBytes;
  }

  change(bucket: string, key: Uint8Array, value: Uint8Array | undefined): void {
    let changes = this.buckets.get(bucket);
    if (changes === undefined) this.buckets.set(bucket, (changes = new Map()));
    changes.set(latin1(key, 0, key.length), newChange(key, value));
    this.#changedBytes += key.length + (value?.length ?? 0);
    this.changeCount++;
  }

  setConfState(json: Uint8Array): void {
    this.#confState = json.slice();
    this.hasNews = true;
  }

  /** To be called when it is cut off: where the log was then becomes part of it. */
  seal(): void {
    const meta = (key: Uint8Array, value: Uint8Array) => this.change(Bucket.meta, key, value);
    if (this.appliedIndex > 0) meta(MetaKey.consistentIndex, uint64Bytes(this.appliedIndex));
    if (this.term > 0) meta(MetaKey.term, uint64Bytes(this.term));
    if (this.#confState !== undefined) meta(MetaKey.confState, this.#confState);
  }
}

function newChange(key: Uint8Array, value: Uint8Array | undefined): Change {
  const bytes = new Uint8Array(key.length + (value?.length ?? 0));
  bytes.set(key);
  if (value !== undefined) bytes.set(value, key.length);
  return { bytes, keySize: key.length, deleted: value === undefined };
}

/** The changes of a bucket in the order of keys. */
export function sortedChanges(changes: BucketChanges): Change[] {
  return [...changes.keys()].sort().map((key) => changes.get(key)!);
}

/** A set of revisions. A compaction deletes thousands, most often one for each main. */
export class DeletedRecords {
  /** Keys, in the order in which they came. */
  readonly keys: Uint8Array[] = [];
  readonly #subs = new Map<number, number | Set<number>>();

  add(main: number, sub: number, tombstone: boolean): void {
    const subs = this.#subs.get(main);
    if (subs === undefined) this.#subs.set(main, sub);
    else if (typeof subs === "number") this.#subs.set(main, new Set([subs, sub]));
    else subs.add(sub);
    this.keys.push(revisionBytes(main, sub, tombstone));
  }

  has(main: number, sub: number): boolean {
    const subs = this.#subs.get(main);
    return typeof subs === "object" ? subs.has(sub) : subs === sub;
  }

  get isEmpty(): boolean {
    return this.keys.length === 0;
  }
}
