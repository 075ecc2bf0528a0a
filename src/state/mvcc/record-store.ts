// What the state needs of the backend: records of bucket "key" by revision, and small buckets.
// `storage/backend.ts` is it in production; tests also run on one that lives in memory.

import type { RecordCopies } from "../../storage/record-copies.ts";
import type { BucketName } from "../../storage/schema.ts";

export interface RecordStore {
  /** Room for one record of bucket "key", to be filled at once; returns the offset. */
  reserveRecord(main: number, sub: number, tombstone: boolean, valueBytes: number): number;
  /** Where `reserveRecord` made room; read it anew each time. */
  readonly recordBuffer: Uint8Array;
  /** Finds a record that is no tombstone; its value is then in the found fields. */
  findRecord(main: number, sub: number): boolean;
  readonly foundBytes: Uint8Array;
  readonly foundStart: number;
  readonly foundEnd: number;
  /** Copies many at once; all of them exist and are no tombstones. */
  copyRecords(copies: RecordCopies): void;
  /** Records in the order of revisions, from a revision on, until `visit` returns false. */
  scanRecords(fromMain: number, fromSub: number, visit: RecordVisitor): void;
  deleteRecord(main: number, sub: number, tombstone: boolean): void;

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined;
  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void;
  delete(bucket: BucketName, key: Uint8Array): void;
  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void;

  /** These two travel in the batch of the entry. */
  setApplied(index: number, term: number): void;
  setConfState(json: Uint8Array): void;
  readonly appliedIndex: number;
  readonly sizeBytes: number;
}

export type RecordVisitor = (
  main: number,
  sub: number,
  tombstone: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
) => boolean;
