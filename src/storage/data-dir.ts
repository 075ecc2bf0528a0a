// The data directory of a member, as etcd lays it out:
//
//   <data-dir>/member/snap/db                      the database
//                         /<term>-<index>.snap     log snapshots
//                         /<index>.snap.db         databases received from a leader
//                    /wal/<seq>-<index>.wal        the write-ahead log, or in --wal-dir
//
// Directories are 0700. What an interrupted run left half made (tmp…, db.tmp…) goes at the start;
// what was set aside as `.broken` stays.

import { dirname } from "node:path/posix";
import type { Logger } from "../base/log.ts";
import type { Disk, Done } from "../io/io.ts";
import type { LogSnapshot } from "./snapshot/snap-file.ts";
import {
  checkSnapshots,
  databaseName,
  purgeSnapshots,
  removeDatabasesBefore,
  writeSnapshot,
} from "./snapshot/snapshots.ts";
import type { Membership } from "./snapshot/v2-store.ts";
import { hasWal } from "./wal/segment.ts";

export interface DataDirOptions {
  readonly dataDir: string;
  /** undefined: `<dataDir>/member/wal`. */
  readonly walDir: string | undefined;
}

export function memberPaths({ dataDir, walDir }: DataDirOptions): {
  member: string;
  snap: string;
  database: string;
  wal: string;
} {
  const member = `${dataDir}/member`;
  return {
    member,
    snap: `${member}/snap`,
    database: `${member}/snap/db`,
    wal: walDir ?? `${member}/wal`,
  };
}

export class DataDir {
  readonly snapDirectory: string;
  readonly databasePath: string;
  readonly walDirectory: string;
  /** Whether this member has run before. */
  readonly hasWal: boolean;
  readonly hadDatabase: boolean;
  readonly #disk: Disk;
  readonly #log: Logger;

  /** @throws Error that says what cannot be made or written. */
  static open(disk: Disk, log: Logger, options: DataDirOptions): DataDir {
    const { snap } = memberPaths(options);
    try {
      makeDirectoryDurably(disk, snap);
      removeLeftovers(disk, log, snap);
    } catch (error) {
      const reason = (error as Error).message;
      throw new Error(`cannot use data directory ${options.dataDir}: ${reason}`, { cause: error });
    }
    return new DataDir(disk, log, options);
  }

  private constructor(disk: Disk, log: Logger, options: DataDirOptions) {
    const { snap, database, wal } = memberPaths(options);
    this.#disk = disk;
    this.#log = log;
    this.snapDirectory = snap;
    this.databasePath = database;
    this.walDirectory = wal;
    this.hasWal = hasWal(disk, wal);
    this.hadDatabase = disk.exists(database);
  }

  saveSnapshot(snapshot: LogSnapshot, membership: Membership | Uint8Array, done: Done): void {
    writeSnapshot(this.#disk, this.snapDirectory, snapshot, membership, done);
  }

  /**
   * @param recorded the snapshots that the log knows of
   * @throws SnapError when one of their files is damaged.
   */
  checkSnapshots(recorded: readonly { readonly index: number; readonly term: number }[]): void {
    checkSnapshots(this.#disk, this.#log, this.snapDirectory, recorded);
  }

  purgeSnapshots(countMax: number): void {
    purgeSnapshots(this.#disk, this.#log, this.snapDirectory, countMax);
  }

  /** Where the database that came with the log snapshot at `index` is, or is to be. */
  receivedDatabasePath(index: number): string {
    return `${this.snapDirectory}/${databaseName(index)}`;
  }

  /**
   * Puts the received database in the place of the present one, which must not be open.
   * @returns false when none was received for this index.
   */
  useReceivedDatabase(index: number): boolean {
    const path = this.receivedDatabasePath(index);
    if (!this.#disk.exists(path)) return false;
    this.#disk.rename(path, this.databasePath);
    this.#disk.syncDirectory(this.snapDirectory);
    return true;
  }

  removeDatabasesBefore(index: number): void {
    removeDatabasesBefore(this.#disk, this.#log, this.snapDirectory, index);
  }
}

/** Makes it and its parents, so that they outlive a crash. */
export function makeDirectoryDurably(disk: Disk, path: string): void {
  const made: string[] = [];
  for (let at = path; !disk.exists(at) && at !== dirname(at); at = dirname(at)) made.push(at);
  disk.makeDirectory(path);
  for (const directory of made.reverse()) disk.syncDirectory(dirname(directory));
}

function removeLeftovers(disk: Disk, log: Logger, snap: string): void {
  for (const name of disk.list(snap)) {
    if (!name.startsWith("tmp") && !name.startsWith("db.tmp")) continue;
    disk.remove(`${snap}/${name}`);
    log.info("removed temp file", { path: `${snap}/${name}` });
  }
}
