// Log and database of a data directory must be of one member and of one history. Somebody may have
// removed one of them, or put in the place of one what a backup of another day or of another member
// held; a member that started on that would answer wrongly and then write over what is right.
//
//   log        ├── newest snapshot record ──────────────┤ last entry
//   database            applied index: nowhere but here ┘ … or between the two

import { idText } from "../state/members/member-json.ts";
import type { State } from "../state/state.ts";
import type { DataDir } from "../storage/data-dir.ts";
import { appliedIndexOf } from "../storage/store-contents.ts";
import { validSnapshots, type WalContents, type WalSnapshot } from "../storage/wal/read-log.ts";
import type { WalOptions } from "../storage/wal/wal.ts";
import { decodeMetadata } from "../wire/messages/etcdserver.ts";
import { EntryType } from "../wire/messages/raft.ts";

const RESTORE =
  "restore a snapshot of the database into a new data directory (etcdutl snapshot restore)";

type Places = Pick<DataDir, "databasePath" | "walDirectory">;

/**
 * The log begins behind a snapshot from the leader, but a crash came before its database was put in
 * place: it is done now. False when there is nothing to be done.
 */
export function takeReceivedDatabase(
  { disk, log, directory }: WalOptions,
  dataDir: DataDir,
): boolean {
  if (!dataDir.hasWal) return false;
  const index = validSnapshots(disk, directory).at(-1)?.index ?? 0;
  if (index === 0 || !disk.exists(dataDir.receivedDatabasePath(index))) return false;
  const path = dataDir.databasePath;
  const has = dataDir.hadDatabase ? appliedIndexOf({ disk, path, freelistType: "map" }) : 0;
  if (has >= index) return false;
  log.info("Recovering from snapshot backend", { path: dataDir.receivedDatabasePath(index) });
  return dataDir.useReceivedDatabase(index);
}

/**
 * Asked before an empty database is made: who looks then should still see that it was not there.
 * @throws Error when the log cannot make it again
 */
export function checkHasDatabase({ disk }: WalOptions, dataDir: DataDir): void {
  if (!dataDir.hasWal || dataDir.hadDatabase) return;
  const snapshot = validSnapshots(disk, dataDir.walDirectory).at(-1);
  if (snapshot === undefined || snapshot.index === 0) return;
  throw new Error(
    `there is no database ${dataDir.databasePath}, and the log in ${dataDir.walDirectory} begins ` +
      `behind entry ${snapshot.index}: put the database back, or ${RESTORE}`,
  );
}

/** The log is not there. @throws Error */
export function checkIsNew(appliedIndex: number, { databasePath, walDirectory }: Places): void {
  if (appliedIndex === 0) return;
  throw new Error(
    `the database ${databasePath} has applied entries up to ${appliedIndex}, but there is no ` +
      `write-ahead log in ${walDirectory}: put the log back, or ${RESTORE}`,
  );
}

/** The newest of the snapshots in the log: entries after it follow. @throws Error */
export function checkBeginning(
  recorded: readonly WalSnapshot[],
  appliedIndex: number,
  state: State,
  { databasePath, walDirectory }: Places,
): WalSnapshot {
  const snapshot = recorded.at(-1);
  if (snapshot === undefined) {
    throw new Error(
      `the log in ${walDirectory} holds no valid snapshot record, not even that of its beginning: ` +
        `put the log back, or ${RESTORE}`,
    );
  }
  // etcd before 3.5 restored databases with keys and without an applied index.
  const isRestored = appliedIndex === 0 && state.mvcc.currentRevision > 1;
  if (appliedIndex < snapshot.index && !isRestored) {
    throw new Error(
      `the database ${databasePath} has applied entries up to ${appliedIndex} only, but the log in ` +
        `${walDirectory} begins behind entry ${snapshot.index}: the database is older than the log; ` +
        `put back the one that belongs to it, or ${RESTORE}`,
    );
  }
  return snapshot;
}

/** @throws Error */
export function checkRest(
  contents: WalContents,
  lastIndex: number,
  appliedIndex: number,
  state: State,
  { databasePath, walDirectory }: Places,
): void {
  if (appliedIndex > lastIndex) {
    throw new Error(
      `the database ${databasePath} has applied entries up to ${appliedIndex}, but the log in ` +
        `${walDirectory} ends with entry ${lastIndex}: the log is older than the database; put back ` +
        `the one that belongs to it, or ${RESTORE}`,
    );
  }
  const { nodeID, clusterID } = decodeMetadata(contents.metadata);
  if (isChanging(contents, appliedIndex) || !isForeign(state, nodeID)) return;
  throw new Error(
    `the log in ${walDirectory} is of member ${idText(nodeID)} of cluster ${idText(clusterID)}, ` +
      `whom the database ${databasePath} does not know: they belong to different clusters; put back ` +
      `the one that belongs to the other, or ${RESTORE}`,
  );
}

/** The log may still bring the member itself. */
function isChanging({ entries }: WalContents, appliedIndex: number): boolean {
  return entries.some(({ index, type }) => index > appliedIndex && type !== EntryType.EntryNormal);
}

/** Whether members are known, and this one never was among them. */
function isForeign({ members }: State, id: bigint): boolean {
  const isKnown = members.find(id) !== undefined || members.removed().includes(id);
  return !isKnown && members.all().length > 0;
}
