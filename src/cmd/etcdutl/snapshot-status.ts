import { humanSize } from "../../base/human-size.ts";
import { type BackupStatus, backupStatus } from "../../storage/snapshot/backup.ts";
import { badArguments } from "../etcdctl/exit.ts";
import { field } from "../etcdctl/printers/fields.ts";
import { drawTable } from "../etcdctl/printers/table.ts";
import type { View } from "../etcdctl/printers/view.ts";
import type { Body } from "../flags/command.ts";
import type { Session } from "./session.ts";

const HEADS = ["hash", "revision", "total keys", "total size", "version"];

export function statusView(status: BackupStatus): View {
  const { hash, revision, totalKey, totalSizeBytes, version } = status;
  const hashText = hash.toString(16);
  const size = humanSize(totalSizeBytes);
  const cells = [hashText, String(revision), String(totalKey), size, version];
  return {
    simple: () => [`${cells.join(", ")}\n`],
    json: () => [
      `{"hash":${hash},"revision":${revision},"totalKey":${totalKey},` +
        `"totalSize":${totalSizeBytes},"version":${JSON.stringify(version)}}\n`,
    ],
    table: () => [drawTable(HEADS, [cells])],
    fields: () => [
      field("Hash", hash),
      field("Revision", revision),
      field("Keys", totalKey),
      field("Size", totalSizeBytes),
      field("Version", version),
    ],
  };
}

/** Also the older spelling `etcdctl snapshot status`. */
export async function readStatus(session: Session, path: string): Promise<BackupStatus> {
  session.checkExists(path);
  const store = await session.openToRead(path);
  try {
    return backupStatus(store);
  } finally {
    store.retire();
  }
}

export const body: Body<Session> = {
  long: `Checks a backup and says what is in it.

The output of each format: hash (of everything in the file), revision, number of keys, size, version
of the storage.`,
  prepare: () => async (session, args) => {
    const [path] = args;
    if (path === undefined || args.length > 1) {
      throw badArguments("snapshot status requires exactly one argument");
    }
    session.checkFormat();
    session.show(statusView(await readStatus(session, path)));
  },
};
