// A write that the power cut short leaves the log torn behind its last good record. Nobody was
// told that it was done, so it may go; a copy of the file stays beside it, in case.

import type { Logger } from "../../base/log.ts";
import type { Disk, File } from "../../io/io.ts";
import type { WalTail } from "./read-log.ts";

const COPY_BYTES = 1024 * 1024;

/** Cuts the last file of the log behind its last good record, durably. */
export function repairTail(disk: Disk, log: Logger, directory: string, tail: WalTail): void {
  const path = `${directory}/${tail.segment.name}`;
  const copyPath = `${path}.broken`;
  const file = disk.open(path, { mode: "write" });
  try {
    copyFile(disk, file, copyPath);
    disk.syncDirectory(directory);
    file.truncate(tail.offset);
    file.syncNow();
  } finally {
    file.close();
  }
  log.warn("repaired the write-ahead log: its last write was torn by a crash", {
    path,
    offset: tail.offset,
    copy: copyPath,
  });
}

function copyFile(disk: Disk, source: File, path: string): void {
  disk.remove(path);
  const copy = disk.open(path, { mode: "create" });
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    let at = 0;
    for (;;) {
      const length = source.read(buffer, at);
      if (length === 0) break;
      const piece = buffer.subarray(0, length);
      // Zeros, most of such a file, need not be written.
      if (piece.some((byte) => byte !== 0)) copy.writeNow(piece, at);
      at += length;
    }
    copy.truncate(at);
    copy.syncNow();
  } finally {
    copy.close();
  }
}
