// What a database says of itself when it is opened.

import { ALL_BUCKETS, Bucket, MetaKey, readRevision, readUint64 } from "./schema.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

export interface StoreContents {
  /** A database that has them all was made by a member, not just by bolt. */
  readonly missingBuckets: readonly string[];
  /** The last entry of the log that is in it, and its term; 0 when it does not say. */
  readonly appliedIndex: number;
  readonly term: number;
  /** The newest revision of bucket key. */
  readonly lastMain: number;
}

export function contentsOf(store: Store): StoreContents {
  const { view } = store.db;
  const meta = view.bucket(Bucket.meta);
  const numberAt = (key: Uint8Array) => readUint64(meta?.get(key) ?? new Uint8Array(8));
  return {
    missingBuckets: ALL_BUCKETS.filter((name) => view.bucket(name) === undefined),
    appliedIndex: numberAt(MetaKey.consistentIndex),
    term: numberAt(MetaKey.term),
    lastMain: lastMainOf(store),
  };
}

/**
 * The last entry that the database at `path` contains; 0 when it does not say.
 * @throws DatabaseDamagedError, DatabaseLockedError
 */
export function appliedIndexOf(options: StoreOptions): number {
  const store = openStore(options);
  try {
    return contentsOf(store).appliedIndex;
  } finally {
    store.retire();
  }
}

function lastMainOf(store: Store): number {
  let page = store.db.view.bucket(Bucket.key)?.rootPage();
  while (page !== undefined && !page.isLeaf) page = store.db.cache.page(page.child(page.count - 1));
  if (page === undefined || page.count === 0) return 0;
  return readRevision(page.bytes, page.keyStart(page.count - 1)).main;
}
