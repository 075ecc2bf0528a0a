// The `.snap` files of a directory, and the databases received from a leader beside them.
//
//   <term>-<index>.snap     written by every log snapshot; newest first by name
//   <index>.snap.db         a database that belongs to the log snapshot at this index; becomes `db`
//   tmp…                    one that is still being received
//   ….broken                what could not be read

import type { Logger } from "../../base/log.ts";
import type { Disk, Done } from "../../io/io.ts";
import { hex16 } from "../wal/segment.ts";
import {
  decodeSnapFile,
  encodeSnapFile,
  type LoadedSnapshot,
  type LogSnapshot,
  parseSnapName,
  SnapError,
  snapName,
} from "./snap-file.ts";
import type { Membership } from "./v2-store.ts";

const DATABASE_NAME = /^([0-9a-f]{16})\.snap\.db$/;
/** As etcd creates them; the umask has its say. */
const PERMISSIONS = 0o666;

/** Names of the `.snap` files, newest first. */
export function listSnapshots(disk: Disk, directory: string): string[] {
  const names = disk.list(directory).filter((name) => parseSnapName(name) !== undefined);
  return names.reverse();
}

/** Written aside and renamed: complete or absent. Durable when done. */
export function writeSnapshot(
  disk: Disk,
  directory: string,
  snapshot: LogSnapshot,
  membership: Membership | Uint8Array,
  done: Done,
): void {
  const name = snapName(snapshot);
  const temporary = `${directory}/tmp-${name}`;
  const bytes = encodeSnapFile(snapshot, membership);
  const fail = (error: Error): void => {
    removeQuietly(disk, temporary);
    done(error);
  };
  try {
    disk.remove(temporary);
    const file = disk.open(temporary, { mode: "create", durable: true, permissions: PERMISSIONS });
    file.write(bytes, 0, (error) => {
      file.close();
      if (error !== null) fail(error);
      else putInPlace(disk, directory, temporary, name, done, fail);
    });
  } catch (error) {
    fail(error as Error);
  }
}

function putInPlace(
  disk: Disk,
  directory: string,
  temporary: string,
  name: string,
  done: Done,
  fail: (error: Error) => void,
): void {
  try {
    disk.rename(temporary, `${directory}/${name}`);
    disk.syncDirectory(directory, done);
  } catch (error) {
    fail(error as Error);
  }
}

/** @throws SnapError when it is damaged. */
export function readSnapshot(disk: Disk, path: string): LoadedSnapshot {
  const file = disk.open(path, { mode: "read" });
  try {
    const bytes = new Uint8Array(file.sizeBytes());
    file.read(bytes, 0);
    return decodeSnapFile(path, bytes);
  } finally {
    file.close();
  }
}

/** The newest that can be read; others are set aside. */
export function loadSnapshot(
  disk: Disk,
  log: Logger,
  directory: string,
): LoadedSnapshot | undefined {
  for (const name of listSnapshots(disk, directory)) {
    const path = `${directory}/${name}`;
    try {
      return readSnapshot(disk, path);
    } catch (error) {
      if (!(error instanceof SnapError)) throw error;
      setAside(disk, log, path, error);
    }
  }
  return undefined;
}

/**
 * Reads all of them. One that the log knows of was whole once; one that it does not know of may be
 * the beginning of one, and is set aside.
 * @throws SnapError when one that was whole is damaged.
 */
export function checkSnapshots(
  disk: Disk,
  log: Logger,
  directory: string,
  recorded: readonly { readonly index: number; readonly term: number }[],
): void {
  for (const name of listSnapshots(disk, directory)) {
    const path = `${directory}/${name}`;
    const { index, term } = parseSnapName(name)!;
    try {
      readSnapshot(disk, path);
    } catch (error) {
      const isRecorded = recorded.some((one) => one.index === index && one.term === term);
      if (isRecorded || !(error instanceof SnapError)) throw error;
      setAside(disk, log, path, error);
    }
  }
}

function setAside(disk: Disk, log: Logger, path: string, error: SnapError): void {
  log.warn("failed to read a snap file", { path, error });
  disk.rename(path, `${path}.broken`);
  log.warn("renamed to a broken snap file", { path: `${path}.broken` });
}

export function databaseName(index: number): string {
  return `${hex16(index)}.snap.db`;
}

/** Removes databases that log snapshots before `index` came with: a newer one is in place. */
export function removeDatabasesBefore(
  disk: Disk,
  log: Logger,
  directory: string,
  index: number,
): void {
  for (const name of disk.list(directory)) {
    const match = DATABASE_NAME.exec(name);
    if (match === null || Number.parseInt(match[1]!, 16) >= index) continue;
    const path = `${directory}/${name}`;
    disk.remove(path);
    log.info("found orphaned .snap.db file; deleting", { path });
  }
}

/** Removes the oldest `.snap` files and received databases, of each while there are too many. */
export function purgeSnapshots(disk: Disk, log: Logger, directory: string, countMax: number): void {
  const names = disk.list(directory);
  for (const isOne of [(name: string) => parseSnapName(name) !== undefined, isDatabase]) {
    for (const name of names.filter(isOne).slice(0, -countMax)) {
      const path = `${directory}/${name}`;
      disk.remove(path);
      log.info("purged", { path });
    }
  }
}

function isDatabase(name: string): boolean {
  return DATABASE_NAME.test(name);
}

function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch {
    // Its name begins with tmp: it goes at the next start.
  }
}
