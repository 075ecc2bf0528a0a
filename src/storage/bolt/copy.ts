// Copies one committed state into another database, in the order of keys and page after page, so
// that the copy has no free pages and no half-empty ones. It goes through many transactions of
// the target, each as large as the caller allows; the source must be pinned meanwhile.

import type { BucketView, VisitEntry } from "./bucket.ts";
import type { View } from "./db.ts";
import { type ScanMemory, scanBucket } from "./scan.ts";
import type { Tree } from "./tree.ts";
import type { Tx } from "./tx.ts";

/** Entries between two yields. */
const YIELD_ENTRIES = 128;
const YIELD_BYTES = 64 << 10;
/** Fill of the pages: room for some changes. */
const FILL_COPY = 0.9;
const COST_ENTRY = 0.5;
const COST_BYTE = 0.0005;

/**
 * Appends the entries from `from` on until there are no more (returns null) or about `bytesMax`
 * were copied (returns where to go on). Yields what each stretch cost, in microseconds.
 */
export function* copyBucket(
  tree: Tree,
  bucket: BucketView,
  from: Uint8Array | null,
  bytesMax: number,
  memory: ScanMemory,
): Generator<number, Uint8Array | null> {
  let next = from;
  let leftBytes = bytesMax;
  while (leftBytes > 0) {
    let count = 0;
    let copiedBytes = 0;
    const visit: VisitEntry = (bytes, keyStart, keySize, valueSize) => {
      if (count === YIELD_ENTRIES || copiedBytes >= YIELD_BYTES) {
        next = bytes.slice(keyStart, keyStart + keySize);
        return false;
      }
      tree.append(bytes, keyStart, keySize, valueSize);
      copiedBytes += keySize + valueSize;
      count++;
      return true;
    };
    const isComplete = scanBucket(bucket, next, visit, memory);
    if (tree.isRightEndFull) tree.flushFull();
    if (isComplete) return null;
    leftBytes -= copiedBytes;
    yield count * COST_ENTRY + copiedBytes * COST_BYTE;
  }
  return next;
}

export class Copy {
  readonly #view: View;
  readonly #names: readonly string[];
  #bucket = 0;
  #from: Uint8Array | null = null;

  constructor(view: View) {
    this.#view = view;
    this.#names = view.bucketNames();
  }

  get isComplete(): boolean {
    return this.#bucket === this.#names.length;
  }

  /** Appends about `bytesMax` to the target, or what is left of one bucket. */
  *fill(tx: Tx, bytesMax: number): Generator<number, void> {
    const name = this.#names[this.#bucket]!;
    const tree = tx.bucket(name, FILL_COPY);
    const bucket = this.#view.bucket(name)!;
    this.#from = yield* copyBucket(tree, bucket, this.#from, bytesMax, tx.memory);
    if (this.#from === null) this.#bucket++;
  }
}
