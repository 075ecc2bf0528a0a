// Makes the data directory of one member of a new cluster out of a backup: the keys stay, the
// membership is replaced, and a new log begins with the entries that say who the members are.
// Every member of the new cluster is made from the same backup with the same list.
//
//   backup ─► member/snap/db ─► members exchanged, revision raised, applied index n
//          ─► member/wal: conf changes 1 … n, committed, snapshot n
//          ─► member/snap/1-n.snap, for etcd 3.6

import { dirname } from "node:path/posix";
import { latin1Bytes } from "../../base/latin1.ts";
import type { Logger } from "../../base/log.ts";
import type { Clock, Disk } from "../../io/io.ts";
import { encodeMetadata } from "../../wire/messages/etcdserver.ts";
import { ConfChangeType, EntryType, encodeConfChange } from "../../wire/messages/raft.ts";
import { Backend } from "../backend.ts";
import { makeDirectoryDurably, memberPaths } from "../data-dir.ts";
import { Bucket, MetaKey, revisionBytes } from "../schema.ts";
import type { WalEntry } from "../wal/record.ts";
import { Wal } from "../wal/wal.ts";
import { BackupError, copyBackup } from "./backup.ts";
import { writeSnapshot } from "./snapshots.ts";
import type { Membership } from "./v2-store.ts";

/** The log of the new cluster begins in this term. */
const TERM = 1;
/** Of the backend that edits the copy: everything goes into one commit. */
const BATCH = { batchIntervalMs: 60_000, batchLimit: 1_000_000 };

export interface RestoredMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** As members write themselves into the log and the database. */
  readonly json: Uint8Array;
}

export interface RestoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  /** The backup. */
  readonly path: string;
  readonly dataDir: string;
  readonly walDir: string | undefined;
  readonly skipHashCheck: boolean;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** In ascending order of id. */
  readonly members: readonly RestoredMember[];
  /** Added to the last revision; what was before is then compacted. 0: leave it. */
  readonly bumpRevision: number;
}

/**
 * Nothing is left behind when it fails.
 * @throws BackupError, DatabaseDamagedError, or what the disk throws
 */
export async function createRestoredDataDir(options: RestoreOptions): Promise<void> {
  const { disk, dataDir } = options;
  const paths = memberPaths(options);
  if (disk.exists(dataDir) && !isEmptyDirectory(disk, dataDir)) {
    throw new BackupError(`data-dir "${dataDir}" not empty or could not be read`);
  }
  if (disk.exists(paths.wal)) throw new BackupError(`wal-dir "${paths.wal}" exists`);
  const fields = { path: options.path, "wal-dir": paths.wal, "data-dir": dataDir };
  options.log.info("restoring snapshot", { ...fields, "snap-dir": paths.snap });
  const source = disk.open(options.path, { mode: "read" });
  try {
    makeDirectoryDurably(disk, paths.snap);
    copyBackup(disk, source, paths.database, options);
    disk.syncDirectory(paths.snap);
    await editDatabase(options, paths.database);
    await writeLog(options, paths.wal, paths.snap);
  } catch (error) {
    disk.remove(paths.member);
    disk.remove(paths.wal);
    throw error;
  } finally {
    source.close();
  }
  options.log.info("restored snapshot", { ...fields, "snap-dir": paths.snap });
}

function isEmptyDirectory(disk: Disk, path: string): boolean {
  return disk.isDirectory(path) && disk.list(path).length === 0;
}

function editDatabase(options: RestoreOptions, path: string): Promise<void> {
  const { disk, clock, log, members } = options;
  return new Promise((resolve, reject) => {
    const common = { disk, clock, log, path, freelistType: "map" as const };
    const backend = Backend.open({ ...common, ...BATCH, onFatal: reject });
    log.info("Trimming membership information from the backend...");
    for (const bucket of [Bucket.members, Bucket.membersRemoved]) {
      const keys: Uint8Array[] = [];
      backend.forEach(bucket, (key) => keys.push(key.slice()));
      for (const key of keys) backend.delete(bucket, key);
    }
    if (options.bumpRevision > 0) bumpRevision(backend, log, options.bumpRevision);
    for (const { id, json, peerUrls } of members) {
      backend.put(Bucket.members, latin1Bytes(id.toString(16)), json);
      log.info("added member", {
        "cluster-id": options.clusterId.toString(16),
        "local-member-id": "0",
        "added-peer-id": id.toString(16),
        "added-peer-peer-urls": peerUrls,
        "added-peer-is-learner": false,
      });
    }
    backend.setApplied(members.length, TERM);
    backend.close(resolve);
  });
}

/** An empty record at the new revision; everything up to it is to be compacted. */
function bumpRevision(backend: Backend, log: Logger, amount: number): void {
  let latest = 0;
  backend.scanRecords(0, 0, (main) => {
    latest = main;
    return true;
  });
  const revision = latest + amount;
  log.info("bumping latest revision", {
    "latest-revision": latest,
    "bump-amount": amount,
    "new-latest-revision": revision,
  });
  backend.reserveRecord(revision, 0, false, 0);
  log.info("marking revision compacted", { revision });
  backend.put(Bucket.meta, MetaKey.scheduledCompactRev, revisionBytes(revision, 0));
}

async function writeLog(options: RestoreOptions, walDir: string, snapDir: string): Promise<void> {
  const { disk, clock, log, members } = options;
  const metadata = encodeMetadata({ nodeID: options.memberId, clusterID: options.clusterId });
  makeDirectoryDurably(disk, dirname(walDir));
  const wal = Wal.create({ disk, clock, log, directory: walDir }, metadata);
  const entries = members.map(({ id, json }, at): WalEntry => {
    const data = encodeConfChange({
      type: ConfChangeType.ConfChangeAddNode,
      nodeId: id,
      context: json,
    });
    return { type: EntryType.EntryConfChange, term: TERM, index: at + 1, data };
  });
  const index = members.length;
  const state = { term: TERM, vote: members[0]!.id, commit: index };
  const snapshot = { index, term: TERM, confState: { voters: members.map(({ id }) => id) } };
  const membership: Membership = {
    members: members.map(({ id, name, peerUrls }) => {
      return { id, name, peerUrls, isLearner: false, clientUrls: [] };
    }),
    removed: [],
    version: undefined,
  };
  await finished((done) => wal.append(entries, state, true, done));
  await finished((done) => writeSnapshot(disk, snapDir, snapshot, membership, done));
  await finished((done) => wal.saveSnapshot(snapshot, done));
  wal.close();
}

function finished(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error === null ? resolve() : reject(error)));
  });
}
