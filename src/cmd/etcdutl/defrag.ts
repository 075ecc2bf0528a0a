import { memberPaths } from "../../storage/data-dir.ts";
import { Exit } from "../etcdctl/exit.ts";
import type { Body } from "../flags/command.ts";
import { requireFlags } from "./required.ts";
import type { Session } from "./session.ts";

/** Also the older spelling `etcdctl defrag --data-dir`. */
export async function defragment(session: Session, dataDir: string): Promise<void> {
  const path = memberPaths({ dataDir, walDir: undefined }).database;
  const describe = (reason: string): string =>
    `Failed to defragment etcd data[${dataDir}] (${reason})`;
  session.checkExists(path, describe);
  const backend = await session.openToWrite(path);
  const error = await new Promise<Error | null>((resolve) => backend.defragment(resolve));
  await new Promise<void>((resolve) => backend.close(resolve));
  if (error !== null) throw new Exit(1, describe(error.message));
}

export const body: Body<Session> = {
  validate: requireFlags("data-dir"),
  prepare(flags) {
    const dataDir = flags.string("data-dir", "", "the data directory; no etcd may be using it");
    return async (session) => defragment(session, dataDir.value);
  },
};
