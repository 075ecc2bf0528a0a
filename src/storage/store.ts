// One database file that is open: its lock, its length, and the bolt state over it. Readers pin
// it; a file that was replaced by a defragmentation is closed when the last of them leaves.

import type { Disk, File } from "../io/io.ts";
import { checkState } from "./bolt/check.ts";
import { Db, emptyFile, type View } from "./bolt/db.ts";
import type { FreelistType, Span } from "./bolt/free-spans.ts";
import { decodeMeta } from "./bolt/meta.ts";
import { BoltError, PAGE_SIZE_DEFAULT } from "./bolt/page.ts";

/** What the file grows by beyond what is needed: etcd's AllocSize. A smaller one doubles. */
const GROWTH_BYTES = 16 << 20;
const SMALL_BYTES = 32 << 10;
const INITIAL_PAGES = 4;

/** Another process has the database open; one may try again. */
export class DatabaseLockedError extends Error {
  override name = "DatabaseLockedError";
}

/** The file cannot be used; the text names it, the place and what to do. */
export class DatabaseDamagedError extends Error {
  override name = "DatabaseDamagedError";
}

export interface StoreOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly freelistType: FreelistType;
}

export class Store {
  readonly file: File;
  readonly db: Db;
  #fileSizeBytes: number;
  #pinCount = 0;
  /** What becomes of the file after the last reader; undefined while the store is in use. */
  #release: ((file: File) => void) | undefined;

  /** @throws DatabaseDamagedError */
  constructor(file: File, freelistType: FreelistType) {
    this.file = file;
    this.db = soundDb(file, freelistType);
    this.#fileSizeBytes = file.sizeBytes();
  }

  get pinCount(): number {
    return this.#pinCount;
  }

  /** Makes the file long enough for `pageCount` pages, and somewhat longer. */
  growTo(pageCount: number): void {
    const neededBytes = (pageCount + 1) * this.db.pageSize;
    if (neededBytes <= this.#fileSizeBytes) return;
    this.#fileSizeBytes = neededBytes + GROWTH_BYTES;
    if (neededBytes < GROWTH_BYTES) {
      this.#fileSizeBytes = SMALL_BYTES;
      while (this.#fileSizeBytes < neededBytes) this.#fileSizeBytes *= 2;
    }
    this.file.truncate(this.#fileSizeBytes);
  }

  pin(): View {
    this.#pinCount++;
    return this.db.pin();
  }

  unpin(view: View): void {
    this.#pinCount--;
    this.db.unpin(view);
    if (this.#pinCount === 0) this.#release?.(this.file);
  }

  /** Lets the file go, after the last reader. Nothing is being written any more. */
  retire(release: (file: File) => void = (file) => file.close()): void {
    this.#release = release;
    if (this.#pinCount === 0) release(this.file);
  }

  /** What `bbolt check` would say of the last committed state; for tests and tools. */
  problems(): string[] {
    const free: Span[] = [];
    this.db.freelist.forEachUnused((start, count) => free.push({ start, count }));
    return checkState(this.file, this.db.view.meta, free);
  }
}

/**
 * Opens and locks the database, and makes an empty one where there is none.
 * @throws DatabaseLockedError, DatabaseDamagedError, or what the disk throws
 */
export function openStore(options: StoreOptions): Store {
  const { disk, path, freelistType } = options;
  const exists = disk.exists(path);
  const file = disk.open(path, { mode: exists ? "write" : "create" });
  try {
    if (!file.tryLock("exclusive")) {
      throw new DatabaseLockedError(`cannot lock ${path}: another process has it open`);
    }
    if (isUnborn(file)) writeEmpty(file);
    // Also when it exists. A process that was killed may have left its last commit in the
    // system's cache only; we go on from what we read there, so it must not vanish any more.
    file.syncNow();
    disk.syncDirectory(directoryOf(path));
    return new Store(file, freelistType);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * A file that does not exist yet, for a copy; it is locked so that a rename keeps it locked. One
 * that is `prepared` is locked and empty already.
 */
export function createStore(options: StoreOptions, prepared?: File): Store {
  const file = prepared ?? options.disk.open(options.path, { mode: "create" });
  try {
    if (prepared === undefined && !file.tryLock("exclusive")) {
      throw new DatabaseLockedError(`cannot lock ${options.path}: another process has it open`);
    }
    file.writeNow(emptyFile(), 0);
    return new Store(file, options.freelistType);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Copies that a defragmentation left when it was killed. */
export function removeLeftovers(disk: Disk, path: string): string[] {
  const directory = directoryOf(path);
  const prefix = `${path.slice(path.lastIndexOf("/") + 1)}.tmp`;
  const names = disk.list(directory).filter((name) => name.startsWith(prefix));
  for (const name of names) disk.remove(`${directory}/${name}`);
  return names;
}

export function directoryOf(path: string): string {
  const end = path.lastIndexOf("/");
  if (end < 0) return ".";
  return end === 0 ? "/" : path.slice(0, end);
}

/**
 * What the metas refer to first, then meta 1, then meta 0: so a half-made file either has a meta
 * that is true or has nothing in its first page.
 */
function writeEmpty(file: File): void {
  const bytes = emptyFile();
  file.truncate(0);
  for (const [first, end] of [
    [2, INITIAL_PAGES],
    [1, 2],
    [0, 1],
  ] as const) {
    const position = first * PAGE_SIZE_DEFAULT;
    file.writeNow(bytes.subarray(position, end * PAGE_SIZE_DEFAULT), position);
    file.syncNow();
  }
}

/** New, or its creation was cut short. The first commit makes a file longer than this. */
function isUnborn(file: File): boolean {
  const sizeBytes = file.sizeBytes();
  if (sizeBytes > INITIAL_PAGES * PAGE_SIZE_DEFAULT) return false;
  const bytes = new Uint8Array(sizeBytes);
  file.read(bytes, 0);
  const isFirstPageEmpty = bytes.subarray(0, PAGE_SIZE_DEFAULT).every((byte) => byte === 0);
  return isFirstPageEmpty && typeof decodeMeta(bytes, PAGE_SIZE_DEFAULT) === "string";
}

function soundDb(file: File, freelistType: FreelistType): Db {
  try {
    return new Db(file, { freelistType });
  } catch (error) {
    if (!(error instanceof BoltError)) throw error;
    throw new DatabaseDamagedError(
      `the database ${file.path} is damaged: ${error.message}; restore it from a snapshot, ` +
        "or remove this member and add it again",
    );
  }
}
