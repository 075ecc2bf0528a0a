// The checksum that `etcdctl endpoint hashkv` asks of a server, computed from a file. The file is
// only read. A compaction that was begun but not finished counts as done, as on a server.

import { silentLogger } from "../../base/log.ts";
import { Compaction } from "../../state/mvcc/compaction.ts";
import { HashJob, hashError, type KeyValueHash, StoredHashes } from "../../state/mvcc/hash.ts";
import { KeyIndex } from "../../state/mvcc/key-index.ts";
import { Mvcc } from "../../state/mvcc/mvcc.ts";
import { Restore } from "../../state/mvcc/restore.ts";
import { BackupError } from "../../storage/snapshot/backup.ts";
import { DatabaseDamagedError, type Store } from "../../storage/store.ts";
import { Errors } from "../../wire/errors.ts";
import type { RpcError } from "../../wire/status.ts";
import { Exit } from "../etcdctl/exit.ts";
import { field } from "../etcdctl/printers/fields.ts";
import { drawTable } from "../etcdctl/printers/table.ts";
import type { View } from "../etcdctl/printers/view.ts";
import type { Body } from "../flags/command.ts";
import { FileRecords } from "./file-records.ts";
import { PANIC_EXIT, type Session } from "./session.ts";

const STEP = 10_000;
const COMPACTION_BATCH = 1000;
/** Places keys in a table; changes no result. */
const HASH_SEED = 1;

const noLeases = { isAnyAttached: false, attach: () => {}, detach: () => {} };

function hashAt(store: Store, revision: number): KeyValueHash | RpcError {
  const records = new FileRecords(store);
  const index = new KeyIndex(HASH_SEED);
  const mvcc = new Mvcc({ records, leases: noLeases, index, onChanges: () => {} });
  const restore = new Restore(mvcc, silentLogger);
  while (!restore.step(STEP));
  const scheduled = restore.finish(noLeases, () => true);
  const compaction = new Compaction(mvcc, new StoredHashes(), COMPACTION_BATCH);
  if (scheduled > 0) compaction.resume(scheduled);
  const error = hashError(mvcc, revision);
  if (error !== null) return error;
  const job = new HashJob(mvcc, revision);
  while (!job.step(STEP));
  return job.result();
}

function hashView({ hash, revision, compactRevision }: KeyValueHash): View {
  const cells = [hash, revision, compactRevision].map(String);
  return {
    simple: () => [`${cells.join(", ")}\n`],
    json: () => [
      `{"hash":${hash},"hashRevision":${revision},"compactRevision":${compactRevision}}\n`,
    ],
    table: () => [drawTable(["hash", "hash revision", "compact revision"], [cells])],
    fields: () => [
      field("Hash", hash),
      field("Hash revision", revision),
      field("Compact revision", compactRevision),
    ],
  };
}

/** A file that is no database ends the program as one that cannot be opened for changes. */
async function open(session: Session, path: string): Promise<Store> {
  try {
    return await session.openToRead(path);
  } catch (error) {
    if (!(error instanceof BackupError || error instanceof DatabaseDamagedError)) throw error;
    throw new Exit(PANIC_EXIT, `failed to open database: ${error.message}`);
  }
}

export const body: Body<Session> = {
  validate: (args) => (args.length === 1 ? undefined : `accepts 1 arg(s), received ${args.length}`),
  prepare(flags) {
    const rev = flags.integer("rev", 0n, "up to this revision (default: the latest)");
    return async (session, [path]) => {
      session.checkFormat();
      session.checkExists(path!);
      const store = await open(session, path!);
      const hash = hashAt(store, Number(rev.value));
      if (hash === Errors.Compacted)
        throw new Exit(1, "mvcc: required revision has been compacted");
      if (!("hash" in hash)) throw new Exit(1, "mvcc: required revision is a future revision");
      store.retire();
      session.show(hashView(hash));
    };
  },
};
