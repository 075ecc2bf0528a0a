import { formatDuration } from "../../base/duration-text.ts";
import { errorText } from "../../client/errors.ts";
import { Maintenance } from "../../client/maintenance.ts";
import type { Body } from "../flags/command.ts";
import { endpointsOf } from "./endpoints.ts";
import { Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  long: `Gives free space of the database files back to the file system, one member after the other.

A member does not serve while its database is rewritten.`,
  prepare(flags) {
    const cluster = flags.boolean("cluster", false, "all members instead of the endpoints");
    const dataDir = flags.string("data-dir", "", "files of a stopped member", { hidden: true });
    return async (session) => {
      if (dataDir.value !== "") {
        const { runAsEtcdutl } = await import("./older-spelling.ts");
        await runAsEtcdutl(session, ["defrag"], [`--data-dir=${dataDir.value}`]);
        return;
      }
      let failed = false;
      for (const endpoint of await endpointsOf(session, { cluster: cluster.value })) {
        const maintenance = new Maintenance(await session.callerOf(endpoint));
        const startMs = session.world.nowMs();
        const took = (): string => formatDuration((session.world.nowMs() - startMs) * 1e6);
        try {
          await maintenance.defragment(session.callOptions);
          session.print(`Finished defragmenting etcd member[${endpoint}]. took ${took()}\n`);
        } catch (error) {
          failed = true;
          session.console.err(
            `Failed to defragment etcd member[${endpoint}]. took ${took()}. ` +
              `(${errorText(error)})\n`,
          );
        }
      }
      if (failed) throw new Exit(ExitCode.Error);
    };
  },
};
