// `--force-new-cluster`: what is left of a cluster that has lost its majority goes on as a cluster
// of one. The log is changed before the member starts: entries that may not have been agreed are
// dropped, and after those that were come changes that remove all other members.
//
//   log     … committed │ not committed         ─►   … committed │ remove m2 │ remove m3
//   state   term, vote, commit                       commit = the last of them
//
// The other members must never come back: they would have another history under the same ids.

import type { Logger } from "../base/log.ts";
import type { Clock, Disk } from "../io/io.ts";
import { encodeMember, idText } from "../state/members/member-json.ts";
import { Members } from "../state/members/members.ts";
import { Backend } from "../storage/backend.ts";
import { DataDir } from "../storage/data-dir.ts";
import { validSnapshots } from "../storage/wal/read-log.ts";
import { Wal } from "../storage/wal/wal.ts";
import { decodeMetadata } from "../wire/messages/etcdserver.ts";
import {
  type ConfChangeInit,
  ConfChangeType,
  decodeConfChange,
  type Entry,
  EntryType,
  encodeConfChange,
} from "../wire/messages/raft.ts";
import { type MemberOptions, SERVER_VERSION } from "./options.ts";

export interface ForceParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly options: ForceOptions;
}

export type ForceOptions = Pick<
  MemberOptions,
  "dataDir" | "backendBatchIntervalMs" | "backendBatchLimit" | "backendFreelistType" | "maxLearners"
> & {
  readonly walDir: string | undefined;
  readonly maxSnapshots: number;
  readonly maxWals: number;
};

/** @throws Error (rejects) when the log or the database cannot be used. */
export async function forceNewCluster(parts: ForceParts): Promise<void> {
  const { clock, disk, log, options } = parts;
  const walDir = options.walDir === "" ? undefined : options.walDir;
  const dataDir = DataDir.open(disk, log, { ...options, walDir });
  const backend = openBackend(parts, dataDir);
  try {
    const walOptions = { disk, clock, log, directory: dataDir.walDirectory };
    const snapshot = validSnapshots(disk, dataDir.walDirectory).at(-1);
    if (snapshot === undefined) return;
    const { wal, contents } = Wal.open(walOptions, snapshot);
    try {
      const { nodeID, clusterID } = decodeMetadata(contents.metadata);
      const state = contents.hardState ?? { term: 0, vote: 0n, commit: 0 };
      // The commit index is not synced on its own: what was applied was committed.
      const commit = Math.max(state.commit, backend.appliedIndex, snapshot.index);
      const entries = committed(contents.entries, commit, log);
      const members = membersAt(backend, entries);
      const changes = changesToOne(members, nodeID, state.term, commit);
      const hasRest = entries.length < contents.entries.length;
      const forced = changes.length === 0 && hasRest ? [empty(state.term, commit + 1)] : changes;
      const last = commit + forced.length;
      await append(wal, forced, { ...state, commit: last });
      log.info("forcing restart member", {
        "cluster-id": idText(clusterID),
        "local-member-id": idText(nodeID),
        "wal-commit-index": state.commit,
        "commit-index": last,
      });
    } finally {
      wal.close();
    }
  } finally {
    await new Promise<void>((resolve) => backend.close(resolve));
  }
}

function openBackend({ clock, disk, log, options }: ForceParts, dataDir: DataDir): Backend {
  return Backend.open({
    ...{ clock, disk },
    log: log.named("bbolt"),
    path: dataDir.databasePath,
    batchIntervalMs: options.backendBatchIntervalMs,
    batchLimit: options.backendBatchLimit,
    freelistType: options.backendFreelistType,
    onFatal: (error) => {
      throw error;
    },
  });
}

function committed(entries: readonly Entry[], commit: number, log: Logger): Entry[] {
  const kept = entries.filter(({ index }) => index <= commit);
  const discarded = entries.length - kept.length;
  if (discarded > 0) {
    log.info("discarding uncommitted WAL entries", {
      "entry-index": commit + 1,
      "commit-index-from-wal": commit,
      "number-of-discarded-entries": discarded,
    });
  }
  return kept;
}

/** The members after the last committed entry, by rising id. */
function membersAt(backend: Backend, entries: readonly Entry[]): bigint[] {
  const members = new Members(backend, { maxLearners: Infinity, serverVersion: SERVER_VERSION });
  members.restore();
  const ids = new Set(members.all().map(({ id }) => id));
  for (const { index, type, data } of entries) {
    if (index <= backend.appliedIndex || type !== EntryType.EntryConfChange) continue;
    const change = decodeConfChange(data);
    if (change.type === ConfChangeType.ConfChangeRemoveNode) ids.delete(change.nodeId);
    else if (change.type !== ConfChangeType.ConfChangeUpdateNode) ids.add(change.nodeId);
  }
  return [...ids].sort((a, b) => (a < b ? -1 : 1));
}

/** This member first: raft cannot be without any. */
function changesToOne(ids: readonly bigint[], self: bigint, term: number, commit: number): Entry[] {
  const changes: ConfChangeInit[] = [];
  if (!ids.includes(self)) {
    const peerUrls = ["http://localhost:2380"];
    const member = { id: self, peerUrls, isLearner: false, name: "", clientUrls: [] };
    const context = encodeMember(member);
    changes.push({ type: ConfChangeType.ConfChangeAddNode, nodeId: self, context });
  }
  for (const id of ids) {
    if (id === self) continue;
    changes.push({ type: ConfChangeType.ConfChangeRemoveNode, nodeId: id });
  }
  return changes.map((change, at) => ({
    type: EntryType.EntryConfChange,
    term,
    index: commit + 1 + at,
    data: encodeConfChange(change),
  }));
}

/** Takes the place of what was not agreed. */
function empty(term: number, index: number): Entry {
  return { type: EntryType.EntryNormal, term, index, data: new Uint8Array(0) };
}

function append(
  wal: Wal,
  entries: readonly Entry[],
  hardState: { readonly term: number; readonly vote: bigint; readonly commit: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    wal.append(entries, hardState, true, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
