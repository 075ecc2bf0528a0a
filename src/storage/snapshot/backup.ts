// A backup file: the database as it was, and the SHA-256 of it behind it. The pages of a database
// are a multiple of 512 bytes long, so that a file without the hash can be told from one with it.

import { createHash } from "node:crypto";
import { crc32c } from "../../base/crc32c.ts";
import { latin1, latin1Bytes } from "../../base/latin1.ts";
import type { Disk, File } from "../../io/io.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import type { View } from "../bolt/db.ts";
import { PAGE_SIZE_DEFAULT } from "../bolt/page.ts";
import { scanBucket } from "../bolt/scan.ts";
import { Bucket, MetaKey, readRevision, TOMBSTONE_BYTES } from "../schema.ts";
import { Store } from "../store.ts";

const HASH_BYTES = 32;
const HASH_GRANULE_BYTES = 512;
const COPY_BYTES = 1024 * 1024;

/** A backup that cannot be used; the texts are etcd's. */
export class BackupError extends Error {
  override readonly name: string = "BackupError";
}

/**
 * Copies the database out of a backup into a new file, durably, and checks it against its hash.
 * @throws BackupError
 */
export function copyBackup(
  disk: Disk,
  source: File,
  target: string,
  options: { readonly skipHashCheck: boolean },
): void {
  const sizeBytes = source.sizeBytes();
  const hasHash = sizeBytes % HASH_GRANULE_BYTES === HASH_BYTES;
  if (!hasHash && !options.skipHashCheck) {
    throw new BackupError("snapshot missing hash but --skip-hash-check=false");
  }
  const databaseBytes = hasHash ? sizeBytes - HASH_BYTES : sizeBytes;
  const digest = createHash("sha256");
  const file = disk.open(target, { mode: "create" });
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < databaseBytes; ) {
      const wanted = Math.min(COPY_BYTES, databaseBytes - at);
      const piece = buffer.subarray(0, source.read(buffer.subarray(0, wanted), at));
      digest.update(piece);
      file.writeNow(piece, at);
      at += piece.length;
    }
    file.syncNow();
  } finally {
    file.close();
  }
  if (!hasHash || options.skipHashCheck) return;
  const expected = new Uint8Array(HASH_BYTES);
  source.read(expected, databaseBytes);
  const actual = digest.digest();
  if (Buffer.compare(expected, actual) === 0) return;
  throw new BackupError(`expected sha256 [${expected.join(" ")}], got [${actual.join(" ")}]`);
}

export interface BackupStatus {
  /** CRC-32C over everything in it. */
  readonly hash: number;
  readonly revision: number;
  /** Keys that exist at that revision. */
  readonly totalKey: number;
  /** Of the database without unused space at its end. */
  readonly totalSizeBytes: number;
  /** As "3.7.0"; empty when it was written by etcd before 3.6. */
  readonly version: string;
}

/** Opens a database for reading. @throws BackupError, DatabaseDamagedError */
export function openDatabase(file: File): Store {
  const sizeBytes = file.sizeBytes();
  // What bbolt comes to say when it tries to make a database of it.
  if (sizeBytes === 0) throw new BackupError(`write ${file.path}: bad file descriptor`);
  if (sizeBytes < 2 * PAGE_SIZE_DEFAULT) throw new BackupError(`file size too small ${sizeBytes}`);
  return new Store(file, "map");
}

/** @throws BackupError when the database is not consistent in itself. */
export function backupStatus(store: Store): BackupStatus {
  const problems = store.problems();
  if (problems.length > 0) {
    throw new BackupError(
      `snapshot file integrity check failed. ${problems.length} errors found.\n` +
        problems.join("\n"),
    );
  }
  const { view } = store.db;
  const version = view.bucket(Bucket.meta)?.get(MetaKey.storageVersion);
  return {
    hash: hashAll(view),
    ...countKeys(view),
    totalSizeBytes: store.db.sizeBytes,
    version: version === undefined ? "" : new TextDecoder().decode(version),
  };
}

function hashAll(view: View): number {
  let crc = 0;
  for (const name of view.bucketNames()) {
    const nameBytes = latin1Bytes(name);
    crc = crc32c(nameBytes, 0, nameBytes.length, crc);
    scanBucket(view.bucket(name)!, null, (bytes, keyStart, keySize, valueSize) => {
      crc = crc32c(bytes, keyStart, keyStart + keySize + valueSize, crc);
      return true;
    });
  }
  return crc;
}

function countKeys(view: View): { revision: number; totalKey: number } {
  const keys = new Set<string>();
  const record = new KeyValueView();
  let revision = 0;
  const bucket = view.bucket(Bucket.key);
  if (bucket === undefined) return { revision, totalKey: 0 };
  scanBucket(bucket, null, (bytes, keyStart, keySize, valueSize) => {
    revision = readRevision(bytes, keyStart).main;
    const valueStart = keyStart + keySize;
    viewKeyValue(bytes, valueStart, valueStart + valueSize, record);
    const key = latin1(bytes, record.keyStart, record.keyEnd);
    if (keySize === TOMBSTONE_BYTES) keys.delete(key);
    else keys.add(key);
    return true;
  });
  return { revision, totalKey: keys.size };
}
