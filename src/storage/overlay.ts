// Reading through layers: the last committed state, on it the batch being committed, on it the
// open batch. Records of a later layer are all newer than those of an earlier one, so a record is
// looked for in the one layer that can have it; the small buckets ask the newest layer first.

import { latin1, latin1Bytes } from "../base/latin1.ts";
import type { Batch, Change } from "./batch.ts";
import type { VisitEntry } from "./bolt/bucket.ts";
import type { View } from "./bolt/db.ts";
import { type ScanMemory, scanBucket } from "./bolt/scan.ts";
import { type FoundRecord, findRevision } from "./revision-search.ts";
import { Bucket, readRevision, revisionBytes, TOMBSTONE_BYTES } from "./schema.ts";

/** The value is at [start, end), the 17 or 18 bytes of the key right before it. */
export type RecordVisitor = (
  main: number,
  sub: number,
  tombstone: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
) => boolean;

/** @param batches oldest first */
export function findRecord(
  view: View,
  batches: readonly Batch[],
  main: number,
  sub: number,
  found: FoundRecord,
): boolean {
  for (let i = batches.length - 1; i >= 0; i--) {
    const { records, deletedRecords } = batches[i]!;
    if (main >= records.firstMain) {
      const index = records.find(main, sub);
      const keySize = index < 0 ? 0 : records.keySizeAt(index);
      if (keySize === 0) return false;
      found.bytes = records.bytesAt(index);
      found.keyStart = records.startAt(index);
      found.start = found.keyStart + keySize;
      found.end = records.endAt(index);
      found.tombstone = keySize === TOMBSTONE_BYTES;
      return true;
    }
    if (!deletedRecords.isEmpty && deletedRecords.has(main, sub)) return false;
  }
  const bucket = view.bucket(Bucket.key);
  return bucket !== undefined && findRevision(bucket, main, sub, found);
}

/**
 * Records from a revision on until the visitor returns false. What it sees stays as it is while
 * it is referenced, unless the scan is given memory to use again and again.
 */
export function scanRecords(
  view: View,
  batches: readonly Batch[],
  fromMain: number,
  fromSub: number,
  visit: RecordVisitor,
  memory?: ScanMemory,
): void {
  const isDeleted = (main: number, sub: number, from: number) => {
    for (let i = from; i < batches.length; i++) {
      const { deletedRecords } = batches[i]!;
      if (!deletedRecords.isEmpty && deletedRecords.has(main, sub)) return true;
    }
    return false;
  };
  const bucket = view.bucket(Bucket.key);
  const from = revisionBytes(fromMain, fromSub);
  const visitEntry: VisitEntry = (bytes, keyStart, keySize, valueSize) => {
    const { main, sub } = readRevision(bytes, keyStart);
    if (isDeleted(main, sub, 0)) return true;
    const start = keyStart + keySize;
    return visit(main, sub, keySize === TOMBSTONE_BYTES, bytes, start, start + valueSize);
  };
  if (bucket !== undefined && !scanBucket(bucket, from, visitEntry, memory)) return;
  for (let i = 0; i < batches.length; i++) {
    const { records } = batches[i]!;
    for (let r = records.lowerBound(fromMain, fromSub); r < records.count; r++) {
      const keySize = records.keySizeAt(r);
      const [main, sub] = [records.mainAt(r), records.subAt(r)];
      if (keySize === 0 || isDeleted(main, sub, i + 1)) continue;
      const start = records.startAt(r) + keySize;
      const tombstone = keySize === TOMBSTONE_BYTES;
      if (!visit(main, sub, tombstone, records.bytesAt(r), start, records.endAt(r))) return;
    }
  }
}

export function getValue(
  view: View,
  batches: readonly Batch[],
  bucket: string,
  key: Uint8Array,
): Uint8Array | undefined {
  const name = latin1(key, 0, key.length);
  for (let i = batches.length - 1; i >= 0; i--) {
    const change = batches[i]!.buckets.get(bucket)?.get(name);
    if (change !== undefined) return valueIn(change);
  }
  return view.bucket(bucket)?.get(key);
}

/** Every entry of a small bucket, in the order of keys. */
export function forEachEntry(
  view: View,
  batches: readonly Batch[],
  bucket: string,
  visit: (key: Uint8Array, value: Uint8Array) => void,
): void {
  const changes = new Map<string, Change>();
  for (const batch of batches) {
    for (const [key, change] of batch.buckets.get(bucket) ?? []) changes.set(key, change);
  }
  const changed = [...changes.keys()].sort();
  let next = 0;
  const visitChangesUntil = (end: string | null) => {
    while (next < changed.length && (end === null || changed[next]! <= end)) {
      const key = changed[next]!;
      const value = valueIn(changes.get(key)!);
      if (value !== undefined) visit(latin1Bytes(key), value);
      next++;
    }
  };
  const committed = view.bucket(bucket);
  if (committed !== undefined) {
    scanBucket(committed, null, (bytes, keyStart, keySize, valueSize) => {
      const valueStart = keyStart + keySize;
      const key = latin1(bytes, keyStart, valueStart);
      visitChangesUntil(key);
      if (changes.has(key)) return true;
      visit(
        bytes.subarray(keyStart, valueStart),
        bytes.subarray(valueStart, valueStart + valueSize),
      );
      return true;
    });
  }
  visitChangesUntil(null);
}

function valueIn(change: Change): Uint8Array | undefined {
  return change.deleted ? undefined : change.bytes.subarray(change.keySize);
}
