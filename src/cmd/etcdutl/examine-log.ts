// The write-ahead log and the .snap files of a data directory, read without a lock, and whether
// they belong to the database beside them.

import type { Disk } from "../../io/io.ts";
import { memberPaths } from "../../storage/data-dir.ts";
import { SnapError } from "../../storage/snapshot/snap-file.ts";
import { listSnapshots, readSnapshot } from "../../storage/snapshot/snapshots.ts";
import { readLog, validSnapshots, type WalSnapshot } from "../../storage/wal/read-log.ts";
import { WalError } from "../../storage/wal/wal-error.ts";
import type { Report } from "./report.ts";

const RESTORE = "restore a snapshot into a new data directory, or let the member join anew";

export interface LogLook {
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commit: number;
  readonly term: number;
  readonly isTorn: boolean;
}

export function examineLog(disk: Disk, dataDir: string, report: Report): LogLook | undefined {
  const { wal } = memberPaths({ dataDir, walDir: undefined });
  if (!disk.exists(wal)) {
    report.bad(wal, "there is no write-ahead log", `put it back, or ${RESTORE}`);
    return undefined;
  }
  try {
    const recorded = validSnapshots(disk, wal);
    examineSnapFiles(disk, dataDir, recorded, report);
    const from = recorded.at(-1);
    if (from === undefined) {
      report.bad(wal, "it holds no valid snapshot record, not even that of its beginning", RESTORE);
      return undefined;
    }
    const { contents, tail } = readLog(disk, wal, from);
    const lastIndex = contents.entries.at(-1)?.index ?? from.index;
    const commit = contents.hardState?.commit ?? 0;
    const term = contents.hardState?.term ?? 0;
    if (tail.torn) {
      const text = `a write at byte ${tail.offset} did not come to its end`;
      report.note(wal, text, "nothing: it was not acknowledged and is cut off at the next start");
    }
    if (commit > lastIndex) {
      const text = `entries up to ${commit} are committed, but it ends with ${lastIndex}`;
      report.bad(wal, text, RESTORE);
    }
    report.ok(`log: entries ${from.index + 1} to ${lastIndex}, term ${term}, commit ${commit}`);
    return { firstIndex: from.index + 1, lastIndex, commit, term, isTorn: tail.torn };
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    report.bad(error.path, error.message, RESTORE);
    return undefined;
  }
}

/** Does the log reach from before to behind what the database has applied? */
export function compareLogAndDatabase(
  log: LogLook,
  database: { readonly appliedIndex: number; readonly path: string },
  report: Report,
): void {
  const { appliedIndex, path } = database;
  if (appliedIndex > log.lastIndex) {
    const text = `it has applied entry ${appliedIndex}, but the log ends with ${log.lastIndex}`;
    report.bad(path, `${text}: the log is older than the database`, RESTORE);
  } else if (appliedIndex < log.firstIndex - 1) {
    const text = `it has applied entry ${appliedIndex}, but the log begins with ${log.firstIndex}`;
    report.bad(path, `${text}: the database is older than the log`, RESTORE);
  } else {
    const left = log.lastIndex - appliedIndex;
    report.ok(`index: the database has applied ${appliedIndex}, ${left} entries behind the log`);
  }
}

function examineSnapFiles(
  disk: Disk,
  dataDir: string,
  recorded: readonly WalSnapshot[],
  report: Report,
): void {
  const { snap } = memberPaths({ dataDir, walDir: undefined });
  const names = listSnapshots(disk, snap);
  for (const name of names) {
    const path = `${snap}/${name}`;
    try {
      readSnapshot(disk, path);
    } catch (error) {
      if (!(error instanceof SnapError)) throw error;
      const isNeeded = name === names[0] && recorded.length > 1;
      const advice = isNeeded ? RESTORE : "remove it: the log does not need it";
      report.bad(path, error.message, advice);
    }
  }
  report.ok(`${names.length} raft snapshots`);
}
