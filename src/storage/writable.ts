// Can a member make files where it will have to? Better a refusal now than a member that ends days
// later, when it needs its next log segment.

import type { Disk } from "../io/io.ts";
import { type DataDirOptions, memberPaths } from "./data-dir.ts";

/** The file that etcd tries it with, too. */
const PROBE_NAME = ".touch";

/**
 * Directories that do not exist are somebody else's concern.
 * @throws Error with etcd's words
 */
export function checkWritable(disk: Disk, options: DataDirOptions): void {
  const { member, snap, wal } = memberPaths(options);
  probe(disk, options.dataDir, "data");
  probe(disk, member, "member");
  probe(disk, snap, "snapshot");
  probe(disk, wal, "wal");
}

function probe(disk: Disk, directory: string, name: string): void {
  if (!disk.exists(directory)) return;
  const path = `${directory}/${PROBE_NAME}`;
  try {
    // A start that was killed right here has left it.
    if (disk.exists(path)) disk.remove(path);
    disk.open(path, { mode: "create" }).close();
    disk.remove(path);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`cannot access ${name} directory: ${reason}`, { cause: error });
  }
}
