// The files of the log: `<sequence>-<index of the first entry that may be in it>.wal`, both as 16
// hexadecimal digits. A directory holds a gapless run of sequence numbers; others were purged.

import type { Disk } from "../../io/io.ts";
import { WalError } from "./wal-error.ts";

/** etcd's segment size: a write that reaches it begins the next file. */
export const SEGMENT_BYTES = 64_000_000;

export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly firstIndex: number;
}

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function segmentName(sequence: number, firstIndex: number): string {
  return `${hex16(sequence)}-${hex16(firstIndex)}.wal`;
}

export function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}

/** In ascending order; other names are ignored. */
export function listSegments(disk: Disk, directory: string): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const name of disk.list(directory)) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const [, sequence, firstIndex] = match;
    segments.push({
      name,
      sequence: Number.parseInt(sequence!, 16),
      firstIndex: Number.parseInt(firstIndex!, 16),
    });
  }
  return segments;
}

/** Whether a log was ever created there: any file ending .wal counts, as in etcd. */
export function hasWal(disk: Disk, directory: string): boolean {
  return disk.isDirectory(directory) && disk.list(directory).some((name) => name.endsWith(".wal"));
}

/**
 * The segments that hold the entries after `index`: from the last one that begins at or before it.
 * @throws WalError when none does, or when one is missing in between.
 */
export function selectSegments(disk: Disk, directory: string, index: number): SegmentName[] {
  const all = listSegments(disk, directory);
  const start = all.findLastIndex((segment) => segment.firstIndex <= index);
  if (start < 0) {
    throw new WalError(directory, undefined, `no segment holds the entries after index ${index}`);
  }
  const selected = all.slice(start);
  for (let at = 1; at < selected.length; at++) {
    const expected = selected[at - 1]!.sequence + 1;
    if (selected[at]!.sequence === expected) continue;
    throw new WalError(directory, undefined, `the segment with sequence ${expected} is missing`);
  }
  return selected;
}
