// Prepares the data of a stopped member for another minor version of etcd: the version of the
// storage is one field of the database, unknown before 3.6. Down is possible only while the log has
// no entries that the older version does not know.

import { memberPaths } from "../../storage/data-dir.ts";
import { Bucket, MetaKey } from "../../storage/schema.ts";
import {
  FIRST_WRITTEN_MINOR,
  type StorageVersion,
  storageVersionProblem,
  storageVersionText,
} from "../../storage/storage-version.ts";
import { readLog, validSnapshots } from "../../storage/wal/read-log.ts";
import { decodeInternalRaftRequest } from "../../wire/messages/raft-internal.ts";
import { badArguments, Exit } from "../etcdctl/exit.ts";
import type { Body } from "../flags/command.ts";
import { requireFlags } from "./required.ts";
import type { Session } from "./session.ts";

const MINIMUM: StorageVersion = { major: 3, minor: 5 };

const short = ({ major, minor }: StorageVersion): string => `${major}.${minor}`;

function parseTarget(text: string): StorageVersion {
  const match = /^(\d+)\.(\d+)$/.exec(text);
  if (match === null) {
    throw badArguments(`wrong target version format, expected "X.Y", got "${text}"`);
  }
  const target = { major: Number(match[1]), minor: Number(match[2]) };
  if (target.major < MINIMUM.major || (target.major === 3 && target.minor < MINIMUM.minor)) {
    throw badArguments(`target version "${text}" not supported. Minimal "${short(MINIMUM)}"`);
  }
  return target;
}

/** From the field that etcd 3.6 introduced, or by what 3.5 introduced. */
function detect(version: Uint8Array | undefined, term: Uint8Array | undefined): StorageVersion {
  if (version === undefined) {
    if (term === undefined) {
      throw new Exit(1, "cannot detect storage schema version: missing term information");
    }
    return MINIMUM;
  }
  const [major, minor] = new TextDecoder().decode(version).split(".").map(Number);
  return { major: major ?? 0, minor: minor ?? 0 };
}

/** The oldest version that can read the entries of the log. */
function versionOfLog(session: Session, dataDir: string): StorageVersion {
  const { disk } = session.world;
  const directory = memberPaths({ dataDir, walDir: undefined }).wal;
  const snapshot = validSnapshots(disk, directory).at(-1);
  if (snapshot === undefined) throw new Exit(1, `no valid snapshot is recorded in ${directory}`);
  let newest = MINIMUM;
  for (const { type, data } of readLog(disk, directory, snapshot).contents.entries) {
    if (type !== 0 || data.length === 0) continue;
    const test = decodeInternalRaftRequest(data).downgradeVersionTest;
    if (test === undefined) continue;
    const [major = 0, minor = 0] = test.ver.split(".").map(Number);
    newest = { major, minor: Math.max(newest.minor, minor, FIRST_WRITTEN_MINOR) };
  }
  return newest;
}

async function migrate(
  session: Session,
  dataDir: string,
  target: StorageVersion,
  options: { readonly force: boolean },
): Promise<void> {
  const path = memberPaths({ dataDir, walDir: undefined }).database;
  session.checkExists(path);
  const backend = await session.openToWrite(path);
  try {
    const written = backend.get(Bucket.meta, MetaKey.storageVersion);
    const current = detect(written, backend.get(Bucket.meta, MetaKey.term));
    if (short(current) === short(target)) {
      session.log.info("storage version up-to-date", { "storage-version": short(target) });
      return;
    }
    const problem = findProblem(session, dataDir, current, target);
    if (problem !== undefined && !options.force) throw new Exit(1, problem);
    if (problem !== undefined) {
      session.log.info("normal migrate failed, trying with force", { error: problem });
    }
    const text = new TextEncoder().encode(storageVersionText(target));
    if (target.minor >= FIRST_WRITTEN_MINOR) backend.put(Bucket.meta, MetaKey.storageVersion, text);
    else backend.delete(Bucket.meta, MetaKey.storageVersion);
    session.log.info("updated storage version", {
      "new-storage-version": storageVersionText(target),
    });
  } finally {
    await new Promise<void>((resolve) => backend.close(resolve));
  }
}

function findProblem(
  session: Session,
  dataDir: string,
  current: StorageVersion,
  target: StorageVersion,
): string | undefined {
  const unplanned = storageVersionProblem(current, target);
  if (unplanned !== undefined) return `cannot create migration plan: ${unplanned}`;
  if (target.minor > current.minor) return undefined;
  const needed = versionOfLog(session, dataDir);
  if (needed.minor <= target.minor) return undefined;
  return (
    "cannot downgrade storage, WAL contains newer entries, as the target version " +
    `(${storageVersionText(target)}) is lower than the version (${storageVersionText(needed)}) detected from WAL logs`
  );
}

export const body: Body<Session> = {
  validate: requireFlags("data-dir", "target-version"),
  prepare(flags) {
    const dataDir = flags.string("data-dir", "", "the data directory of a stopped member");
    const version = flags.string(
      "target-version",
      "",
      'version of etcd to prepare for, as "X.Y", at least 3.5',
    );
    const force = flags.boolean("force", false, "also if it is not known to be possible");
    return async (session) => {
      const target = parseTarget(version.value);
      await migrate(session, dataDir.value, target, { force: force.value });
    };
  },
};
