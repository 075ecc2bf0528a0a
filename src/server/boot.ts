// From a data directory to the parts of a member, for a first start and for every later one.
//
//   no WAL   ids from the configuration ─► WAL with metadata ─► raft.bootstrap
//            or from the cluster that is joined (join.ts): an empty log, which its leader fills
//   WAL      newest valid snapshot record ─► entries after it ─► raft, applied = backend's index
//
// The database may be ahead of the log's commit index, which is not synced on its own; it is never
// behind the snapshot record, because the database is committed first.

import type { Logger } from "../base/log.ts";
import type { Clock, World } from "../io/io.ts";
import { Raft } from "../raft/raft.ts";
import type { Entry } from "../raft/ready.ts";
import type { Member as ClusterMember } from "../state/members/member-json.ts";
import { encodeMember, idText } from "../state/members/member-json.ts";
import type { ChangesHook } from "../state/mvcc/changes.ts";
import { State, type StateOptions } from "../state/state.ts";
import { Backend } from "../storage/backend.ts";
import { DataDir } from "../storage/data-dir.ts";
import { Bucket, MetaKey } from "../storage/schema.ts";
import {
  parseStorageVersion,
  STORAGE_VERSION,
  storageVersionProblem,
} from "../storage/storage-version.ts";
import { NO_SNAPSHOT, readLog, validSnapshots, type WalSnapshot } from "../storage/wal/read-log.ts";
import { Wal, type WalOptions } from "../storage/wal/wal.ts";
import { checkWritable } from "../storage/writable.ts";
import { decodeMetadata, encodeMetadata } from "../wire/messages/etcdserver.ts";
import { defragmentAtStart } from "./bootstrap-defrag.ts";
import { QUOTA_KEYS } from "./care/quota-keys.ts";
import { clusterIdOf, memberIdOf } from "./identity.ts";
import { checkLearners } from "./join.ts";
import {
  checkBeginning,
  checkHasDatabase,
  checkIsNew,
  checkRest,
  takeReceivedDatabase,
} from "./log-and-database.ts";
import { type MemberOptions, minLeaseTtlSeconds, SERVER_VERSION } from "./options.ts";

/** Entries to one message; also the committed entries of one Ready. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
const INFLIGHT_MESSAGES_MAX = 512;
/** Between two lines about a restoration. */
const PROGRESS_MS = 1000;

export interface Booted {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly wal: Wal;
  readonly backend: Backend;
  readonly state: State;
  readonly raft: Raft;
  readonly dataDir: DataDir;
  /** Of the newest snapshot record. */
  readonly snapshotIndex: number;
  /** Of the cluster that is joined: the log will bring them. */
  readonly remotes: readonly ClusterMember[];
  /** Of a new cluster: this member and all others. */
  readonly founders: readonly ClusterMember[];
}

export interface BootParts {
  readonly world: Pick<World, "clock" | "disk" | "random">;
  readonly log: Logger;
  readonly options: MemberOptions;
  readonly isAwaited: (idHigh: number, idLow48: number) => boolean;
  readonly onChanges: ChangesHook;
  readonly onFatal: (error: Error) => void;
}

export function boot(parts: BootParts): Booted {
  const { world, options, log } = parts;
  checkWritable(world.disk, options);
  const dataDir = DataDir.open(world.disk, log, options);
  const walOptions = {
    disk: world.disk,
    clock: world.clock,
    log,
    directory: dataDir.walDirectory,
    durable: !options.unsafeNoFsync,
  };
  const hasTaken = takeReceivedDatabase(walOptions, dataDir);
  if (!hasTaken) checkHasDatabase(walOptions, dataDir);
  const backend = Backend.open({
    disk: world.disk,
    clock: world.clock,
    log: log.named("bbolt"),
    path: dataDir.databasePath,
    batchIntervalMs: options.backendBatchIntervalMs,
    batchLimit: options.backendBatchLimit,
    freelistType: options.backendFreelistType,
    onFatal: parts.onFatal,
  });
  checkVersion(backend, dataDir.databasePath);
  defragmentAtStart(backend, options, log);
  const stateOptions: StateOptions = {
    records: backend,
    log,
    quotaBytes: options.quotaBackendBytes,
    pinnedPrefixes: [QUOTA_KEYS],
    minLeaseTtl: minLeaseTtlSeconds(options),
    maxLearners: options.maxLearners,
    compactionBatchLimit: options.compactionBatchLimit,
    serverVersion: SERVER_VERSION,
    hashSeed: world.random.below(2 ** 32),
    isAwaited: parts.isAwaited,
    onChanges: parts.onChanges,
  };
  const state = State.open(stateOptions, restoreProgress(world.clock, log, backend));
  checkLearners(state.members.all(), options.maxLearners);
  log.info("kvstore restored", { "current-rev": state.mvcc.currentRevision });
  const booted =
    dataDir.hasWal && !canBeginAgain(walOptions, backend, options)
      ? restart(parts, walOptions, { backend, state, dataDir })
      : begin(parts, walOptions, { backend, dataDir });
  return { ...booted, backend, state, dataDir };
}

/** A line now and then while the index is made from millions of records. */
function restoreProgress(
  clock: Clock,
  log: Logger,
  { sizeInUseBytes }: Backend,
): (recordCount: number) => void {
  let toldMs = clock.monotonicMs();
  return (recordCount) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - toldMs < PROGRESS_MS) return;
    toldMs = nowMs;
    log.info("restoring kvstore", { records: recordCount, "db-size-in-use": sizeInUseBytes });
  };
}

/**
 * What a later version has written may mean something else than it says here.
 * @throws Error
 */
function checkVersion(backend: Backend, path: string): void {
  const bytes = backend.get(Bucket.meta, MetaKey.storageVersion);
  if (bytes === undefined) return;
  const current = parseStorageVersion(Buffer.from(bytes).toString("latin1"));
  const problem = current && storageVersionProblem(current, STORAGE_VERSION);
  if (problem === undefined) return;
  throw new Error(
    `${problem}: ${path} was written by another version of etcd; start that one, and let it come ` +
      'down with "etcdctl downgrade" or "etcdutl migrate"',
  );
}

type Agreement = Pick<
  Booted,
  "memberId" | "clusterId" | "wal" | "raft" | "snapshotIndex" | "remotes" | "founders"
>;

/**
 * The first start of a member of a new cluster that a crash cut short: nothing was agreed, so it
 * is made again. Who joins a cluster gets his log from the others anyway.
 */
function canBeginAgain(
  { disk, directory }: WalOptions,
  backend: Backend,
  options: MemberOptions,
): boolean {
  if (backend.appliedIndex > 0) return false;
  // The log may begin with a leader's snapshot, and then it cannot be read from its beginning.
  if ((validSnapshots(disk, directory).at(-1)?.index ?? 0) > 0) return false;
  const { metadata, hardState, snapshots } = readLog(disk, directory, NO_SNAPSHOT).contents;
  if ((hardState !== undefined && hardState.term > 0) || snapshots.length > 1) return false;
  const own = initialMembers(options).find((member) => member.name === options.name);
  return own?.id === decodeMetadata(metadata).nodeID;
}

function begin(
  parts: BootParts,
  walOptions: WalOptions,
  { backend, dataDir }: Pick<Booted, "backend" | "dataDir">,
): Agreement {
  const { options, log } = parts;
  checkIsNew(backend.appliedIndex, dataDir);
  log.info("bootstrapping cluster");
  const { joined } = options;
  const members = initialMembers(options);
  const clusterId = joined?.clusterId ?? clusterIdOf(members.map((member) => member.id));
  const memberId = joined?.memberId ?? members.find(({ name }) => name === options.name)!.id;
  const wal = Wal.create(walOptions, encodeMetadata({ nodeID: memberId, clusterID: clusterId }));
  const raft = newRaft(parts, memberId, NEW, []);
  if (joined === undefined) {
    raft.bootstrap(members.map((member) => ({ id: member.id, context: encodeMember(member) })));
  }
  log.info("starting local member", {
    "local-member-id": idText(memberId),
    "cluster-id": idText(clusterId),
  });
  const others =
    joined === undefined
      ? { founders: members, remotes: [] }
      : { founders: [], remotes: joined.members };
  return { memberId, clusterId, wal, raft, snapshotIndex: 0, ...others };
}

/** The members of a new cluster: their ids follow from their addresses and the token. */
export function initialMembers(
  options: Pick<MemberOptions, "initialCluster" | "initialClusterToken">,
): ClusterMember[] {
  return [...options.initialCluster].map(([name, urls]) => {
    const peerUrls = [...urls].sort();
    const id = memberIdOf(peerUrls, options.initialClusterToken);
    return { id, peerUrls, isLearner: false, name, clientUrls: [] };
  });
}

function restart(
  parts: BootParts,
  walOptions: WalOptions,
  { backend, state, dataDir }: Pick<Booted, "backend" | "state" | "dataDir">,
): Agreement {
  const { log } = parts;
  const recorded = validSnapshots(walOptions.disk, walOptions.directory);
  const { appliedIndex } = backend;
  const snapshot = checkBeginning(recorded, appliedIndex, state, dataDir);
  dataDir.checkSnapshots(recorded);
  const { wal, contents } = Wal.open(walOptions, snapshot);
  const { nodeID, clusterID } = decodeMetadata(contents.metadata);
  const lastIndex = snapshot.index + contents.entries.length;
  checkRest(contents, lastIndex, appliedIndex, state, dataDir);
  const hardState = contents.hardState ?? NEW.hardState;
  const commit = Math.max(hardState.commit, snapshot.index);
  const { voters, learners } = state.members.confState();
  const restored = {
    hardState: { ...hardState, commit },
    confState: { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false },
    snapshot,
    applied: Math.max(appliedIndex, snapshot.index),
  };
  const raft = newRaft(parts, nodeID, restored, contents.entries as Entry[]);
  log.info("restarting local member", {
    "cluster-id": idText(clusterID),
    "local-member-id": idText(nodeID),
    "commit-index": commit,
  });
  return {
    ...{ memberId: nodeID, clusterId: clusterID, wal, raft, snapshotIndex: snapshot.index },
    ...{ remotes: [], founders: [] },
  };
}

interface Restored {
  readonly hardState: { readonly term: number; readonly vote: bigint; readonly commit: number };
  readonly confState: {
    readonly voters: bigint[];
    readonly learners: bigint[];
    readonly votersOutgoing: bigint[];
    readonly learnersNext: bigint[];
    readonly autoLeave: boolean;
  };
  readonly snapshot: WalSnapshot;
  readonly applied: number;
}

const NEW: Restored = {
  hardState: { term: 0, vote: 0n, commit: 0 },
  confState: { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
  snapshot: { index: 0, term: 0, confState: undefined },
  applied: 0,
};

function newRaft(
  { world, options, log }: BootParts,
  id: bigint,
  { hardState, confState, snapshot, applied }: Restored,
  entries: readonly Entry[],
): Raft {
  const { random } = world;
  return new Raft({
    id,
    electionTicks: Math.floor(options.electionMs / options.tickMs),
    heartbeatTicks: 1,
    preVote: options.preVote,
    checkQuorum: true,
    maxSizePerMessageBytes: MESSAGE_BYTES_MAX,
    inflightCountMax: INFLIGHT_MESSAGES_MAX,
    inflightBytesMax: 0,
    uncommittedBytesMax: 0,
    randomBelow: (bound) => random.below(bound),
    log: log.named("raft"),
    restored: {
      hardState,
      confState,
      snapshotIndex: snapshot.index,
      snapshotTerm: snapshot.term,
      entries,
      applied,
    },
  });
}
