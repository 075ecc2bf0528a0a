// HashKV: one number that is equal on all members whose stores are equal, although some of them
// have physically compacted more than others.
//
//   CRC-32C over "key", then key and value of each record in order, except of
//     revisions above the one asked for,
//     revisions up to the compaction that nobody can read any more (not in the keep set) – unless
//       the keep set is empty, then they count,
//     a tombstone exactly at the compaction.
//
// A compaction takes the hash of the state before it deletes, with the compaction before it, and
// keeps the last ten of them: that is what members compare. One quirk follows: a compaction at
// revision 0 leaves an entry for revision 0, which is then the answer for "now" as well.

import { crc32c } from "../../base/crc32c.ts";
import { latin1, latin1Bytes } from "../../base/latin1.ts";
import { Bucket, TOMBSTONE_BYTES, writeRevision } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { Reader } from "../../wire/protobuf/reader.ts";
import type { RpcError } from "../../wire/status.ts";
import { Kept } from "./kept.ts";
import type { Mvcc } from "./mvcc.ts";
import { ALL_REVISIONS } from "./pins.ts";

/** Compactions whose hash is remembered, as etcd's hashStorageMaxSize. */
const STORED_MAX = 10;

const KEY_TAG = (1 << 3) | 2;
const BUCKET_NAME = latin1Bytes(Bucket.key);

export interface KeyValueHash {
  readonly hash: number;
  readonly compactRevision: number;
  /** What was asked for; now when that was 0. */
  readonly revision: number;
}

/** Feeds records, in ascending order, by the rules above. */
export class Hasher {
  readonly #compactRevision: number;
  readonly #revision: number;
  readonly #isKeepEmpty: boolean;
  readonly #key = new Uint8Array(TOMBSTONE_BYTES);
  #crc: number = crc32c(BUCKET_NAME);

  constructor(compactRevision: number, revision: number, isKeepEmpty: boolean) {
    this.#compactRevision = compactRevision;
    this.#revision = revision;
    this.#isKeepEmpty = isKeepEmpty;
  }

  /** Does `add` look at whether a record of `main` is kept? */
  needsKept(main: number): boolean {
    return main <= this.#compactRevision && !this.#isKeepEmpty;
  }

  add(
    main: number,
    sub: number,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    isKept: boolean,
  ): void {
    if (main > this.#revision) return;
    if (this.needsKept(main) && !isKept) return;
    if (tombstone && main === this.#compactRevision) return;
    const length = writeRevision(this.#key, 0, main, sub, tombstone);
    this.#crc = crc32c(bytes, start, end, crc32c(this.#key, 0, length, this.#crc));
  }

  result(): KeyValueHash {
    return {
      hash: this.#crc >>> 0,
      compactRevision: this.#compactRevision,
      revision: this.#revision,
    };
  }
}

/** The hashes of the last compactions, for as long as the process lives. */
export class StoredHashes {
  #hashes: KeyValueHash[] = [];

  store(hash: KeyValueHash): void {
    this.#hashes.push(hash);
    this.#hashes.sort((a, b) => a.revision - b.revision);
    if (this.#hashes.length > STORED_MAX) this.#hashes = this.#hashes.slice(-STORED_MAX);
  }

  find(revision: number): KeyValueHash | undefined {
    return this.#hashes.find((hash) => hash.revision === revision);
  }

  /** In ascending order of revision. */
  all(): readonly KeyValueHash[] {
    return this.#hashes;
  }
}

/** Hashes the store at a revision in steps. Until `step` is true, compaction waits. */
export class HashJob {
  readonly #mvcc: Mvcc;
  readonly #compactRevision: number;
  readonly #revision: number;
  readonly #kept: Kept;
  readonly #slots = new Uint32Array(1024);
  /** Undefined while it is not yet known whether any revision is kept. */
  #hasher: Hasher | undefined;
  #fromKey = "";
  #fromMain = 1;
  #fromSub = 0;
  #isOpen = true;

  /** The revision must have passed `hashError`. */
  constructor(mvcc: Mvcc, revision: number) {
    this.#mvcc = mvcc;
    this.#compactRevision = mvcc.compactRevision;
    this.#revision = revision === 0 ? mvcc.currentRevision : revision;
    this.#kept = new Kept(mvcc.index, this.#revision, false);
    // Without compaction there is no record that the keep set could decide about.
    if (this.#compactRevision <= 0) this.#begin(true);
    mvcc.pins.add(ALL_REVISIONS);
  }

  /** Looks at about `budget` keys or records; true when done. */
  step(budget: number): boolean {
    if (!this.#isOpen) return true;
    const isDone = this.#hasher === undefined ? this.#lookForKept(budget) : this.#scan(budget);
    if (isDone) this.close();
    return isDone;
  }

  result(): KeyValueHash {
    return this.#hasher!.result();
  }

  close(): void {
    if (this.#isOpen) this.#mvcc.pins.remove(ALL_REVISIONS);
    this.#isOpen = false;
  }

  #begin(isKeepEmpty: boolean): void {
    this.#hasher = new Hasher(this.#compactRevision, this.#revision, isKeepEmpty);
  }

  #lookForKept(budget: number): false {
    const index = this.#mvcc.index;
    const slots = this.#slots;
    for (let left = budget; left > 0; left -= slots.length) {
      const count = index.collect(this.#fromKey, undefined, slots, slots.length);
      for (let i = 0; i < count; i++) {
        if (!this.#kept.hasAnyOf(slots[i]!)) continue;
        this.#begin(false);
        return false;
      }
      if (count < slots.length) {
        this.#begin(true);
        return false;
      }
      this.#fromKey = `${index.keyOf(slots[count - 1]!)}\0`;
    }
    return false;
  }

  #scan(budget: number): boolean {
    const hasher = this.#hasher!;
    let left = budget;
    let isDone = true;
    this.#mvcc.records.scanRecords(
      this.#fromMain,
      this.#fromSub,
      (main, sub, tombstone, bytes, start, end) => {
        if (main > this.#revision) return false;
        if (left-- <= 0) {
          isDone = false;
          this.#fromMain = main;
          this.#fromSub = sub;
          return false;
        }
        const isKept =
          hasher.needsKept(main) && isRecordKept(this.#kept, main, sub, bytes, start, end);
        hasher.add(main, sub, tombstone, bytes, start, end, isKept);
        return true;
      },
    );
    return isDone;
  }
}

/** Why the store cannot be hashed at `revision`, or null. */
export function hashError(mvcc: Mvcc, revision: number): RpcError | null {
  if (revision > mvcc.currentRevision) return Errors.FutureRev;
  return revision > 0 && revision < mvcc.compactRevision ? Errors.Compacted : null;
}

const reader = new Reader(new Uint8Array(0), 0, 0);

/** `Kept.has` for the key inside an encoded KeyValue. */
export function isRecordKept(
  kept: Kept,
  main: number,
  sub: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const keyEnd = findKey(bytes, start, end);
  return kept.has(bytes, foundKeyStart, keyEnd, main, sub);
}

/** The key inside an encoded KeyValue, as text. */
export function keyOfRecord(bytes: Uint8Array, start: number, end: number): string {
  const keyEnd = findKey(bytes, start, end);
  return latin1(bytes, foundKeyStart, keyEnd);
}

let foundKeyStart = 0;

/** The key is the first field; a record without one has the empty key. Returns its end. */
function findKey(bytes: Uint8Array, start: number, end: number): number {
  foundKeyStart = start;
  if (start === end || bytes[start] !== KEY_TAG) return start;
  reader.reset(bytes, start + 1, end);
  const length = reader.length();
  foundKeyStart = reader.at;
  return foundKeyStart + length;
}
