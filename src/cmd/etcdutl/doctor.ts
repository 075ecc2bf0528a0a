import { humanSize } from "../../base/human-size.ts";
import { memberPaths } from "../../storage/data-dir.ts";
import { BackupError } from "../../storage/snapshot/backup.ts";
import { DatabaseDamagedError } from "../../storage/store.ts";
import { Exit } from "../etcdctl/exit.ts";
import type { View } from "../etcdctl/printers/view.ts";
import type { Body } from "../flags/command.ts";
import { type DatabaseLook, type DirectorySize, examineDatabase } from "./examine-database.ts";
import { compareLogAndDatabase, examineLog } from "./examine-log.ts";
import { type Found, Report } from "./report.ts";
import type { Session } from "./session.ts";

const DIRECTORIES_MAX = 10;

interface Examination {
  readonly path: string;
  readonly report: Report;
  readonly database: DatabaseLook | undefined;
}

function directoryLine({ prefix, keys, liveBytes, historyBytes, records }: DirectorySize): string {
  const held = humanSize(liveBytes + historyBytes).padStart(9);
  const live = humanSize(liveBytes).padStart(9);
  const name = prefix === "" ? "(all)" : prefix;
  return `${held} ${live} live ${String(keys).padStart(8)} keys ${String(records).padStart(9)} revisions  ${name}\n`;
}

function foundLine({ level, where, what, advice }: Found): string {
  return `${level === "bad" ? "BAD " : "note"} ${where}\n     ${what}\n     → ${advice}\n`;
}

function databaseText(look: DatabaseLook): string {
  const { sizeBytes, freeBytes, revision, compactRevision, keys, records, tombstones } = look;
  return (
    `database: ${humanSize(sizeBytes)}, ${humanSize(freeBytes)} free; revision ${revision}, ` +
    `compacted ${compactRevision}; ${keys} keys, ${records} records, ${tombstones} tombstones; ` +
    `${humanSize(look.liveBytes)} live, ${humanSize(look.historyBytes)} history\n`
  );
}

function view({ path, report, database }: Examination): View {
  const directories = database?.directories.slice(0, DIRECTORIES_MAX) ?? [];
  const verdict = report.isBad ? "something is wrong" : "healthy";
  return {
    simple: () => [
      ...(database === undefined ? [] : [databaseText(database)]),
      ...directories.map(directoryLine),
      ...report.good.map((text) => `ok   ${text}\n`),
      ...report.found.map(foundLine),
      `${path}: ${verdict}\n`,
    ],
    json: () => [`${jsonText(path, report, database)}\n`],
  };
}

function jsonText(path: string, report: Report, database: DatabaseLook | undefined): string {
  const { found, good, isBad } = report;
  const directories = database?.directories.slice(0, DIRECTORIES_MAX);
  const look = database === undefined ? null : { ...database, directories };
  return JSON.stringify({ path, healthy: !isBad, found, good, database: look });
}

async function examineFile(
  session: Session,
  path: string,
  report: Report,
): Promise<DatabaseLook | undefined> {
  if (!session.world.disk.exists(path)) {
    report.bad(path, "there is no database", "put it back, or restore from a snapshot");
    return undefined;
  }
  try {
    const store = await session.openToRead(path);
    try {
      const look = examineDatabase(store, path, report);
      if (!report.found.some(({ level, where }) => level === "bad" && where === path)) {
        report.ok(`pages, records and index of ${path}`);
      }
      return look;
    } finally {
      store.retire();
    }
  } catch (error) {
    if (!(error instanceof BackupError || error instanceof DatabaseDamagedError)) throw error;
    report.bad(path, error.message, "restore from a snapshot: etcdutl snapshot restore");
    return undefined;
  }
}

async function examine(session: Session, path: string): Promise<Examination> {
  const report = new Report();
  const { disk } = session.world;
  if (!disk.isDirectory(path)) {
    return { path, report, database: await examineFile(session, path, report) };
  }
  const { database: databasePath, member } = memberPaths({ dataDir: path, walDir: undefined });
  if (!disk.exists(member)) {
    report.bad(path, "it is no data directory: there is no member/ in it", "give another path");
    return { path, report, database: undefined };
  }
  const log = examineLog(disk, path, report);
  const database = await examineFile(session, databasePath, report);
  if (log !== undefined && database !== undefined) {
    compareLogAndDatabase(log, { ...database, path: databasePath }, report);
  }
  return { path, report, database };
}

export const body: Body<Session> = {
  long: `Reads a data directory or a snapshot and says what is wrong with it, where, and what to do:
log, snapshots, pages, every record, the index made from them, sizes and history. Nothing is changed;
the member must not run. Ends with 1 when something is wrong.`,
  validate: (args) => (args.length === 1 ? undefined : `accepts 1 arg(s), received ${args.length}`),
  prepare: () => async (session, args) => {
    session.checkFormat();
    const path = args[0]!;
    session.checkExists(path);
    const examination = await examine(session, path);
    session.show(view(examination));
    if (examination.report.isBad) throw new Exit(1);
  },
};
