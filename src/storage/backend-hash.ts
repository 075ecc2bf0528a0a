// Maintenance.Hash: CRC-32C over every bucket's name and every key and value in it, in order,
// except what may differ between members that agree.

import { crc32c } from "../base/crc32c.ts";
import { latin1 } from "../base/latin1.ts";
import type { View } from "./bolt/db.ts";
import { ReusedMemory, scanBucket } from "./bolt/scan.ts";
import { Bucket, MetaKey } from "./schema.ts";
import type { Store } from "./store.ts";

/** Large values count as several entries, so that a step stays short: 0.7 µs each. */
const ENTRY_BYTES = 1024;

const SKIPPED_META_KEYS: ReadonlySet<string> = new Set(
  [MetaKey.consistentIndex, MetaKey.term, MetaKey.storageVersion].map((key) =>
    latin1(key, 0, key.length),
  ),
);

export class HashJob {
  readonly #store: Store;
  readonly #view: View;
  readonly #names: readonly string[];
  readonly #memory = new ReusedMemory();
  #bucket = 0;
  #from: Uint8Array | null = null;
  #crc = 0;
  #isOpen = true;

  constructor(store: Store) {
    this.#store = store;
    this.#view = store.pin();
    this.#names = this.#view.bucketNames();
  }

  /** Looks at about `countMax` entries; true when the hash is complete. */
  step(countMax: number): boolean {
    let left = countMax;
    while (left > 0 && this.#bucket < this.#names.length) left = this.#hashBucket(left);
    if (this.#bucket < this.#names.length) return false;
    this.close();
    return true;
  }

  /** Once `step` has returned true. */
  get value(): number {
    return this.#crc;
  }

  /** Must be called if the job is not brought to its end. */
  close(): void {
    if (this.#isOpen) this.#store.unpin(this.#view);
    this.#isOpen = false;
  }

  /** What is left of `countMax`; more than 0 when the bucket is done. */
  #hashBucket(countMax: number): number {
    const name = this.#names[this.#bucket]!;
    if (this.#from === null) {
      const bytes = Buffer.from(name);
      this.#crc = crc32c(bytes, 0, bytes.length, this.#crc);
    }
    const isMeta = name === Bucket.meta;
    let left = countMax;
    const isComplete = scanBucket(
      this.#view.bucket(name)!,
      this.#from,
      (bytes, keyStart, keySize, valueSize) => {
        const keyEnd = keyStart + keySize;
        if (left <= 0) {
          this.#from = bytes.slice(keyStart, keyEnd);
          return false;
        }
        left -= 1 + Math.floor(valueSize / ENTRY_BYTES);
        if (isMeta && SKIPPED_META_KEYS.has(latin1(bytes, keyStart, keyEnd))) return true;
        this.#crc = crc32c(bytes, keyStart, keyEnd + valueSize, this.#crc);
        return true;
      },
      this.#memory,
    );
    if (!isComplete) return 0;
    this.#bucket++;
    this.#from = null;
    return Math.max(left, 1);
  }
}
