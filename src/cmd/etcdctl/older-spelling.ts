// Commands on files that moved from etcdctl to etcdutl; manuals and scripts still call them here.

import { NodeClock } from "../../io/node-clock.ts";
import { NodeDisk } from "../../io/node-disk.ts";
import { runEtcdutl } from "../etcdutl/run.ts";
import type { Body } from "../flags/command.ts";
import { Exit } from "./exit.ts";
import type { Session } from "./session.ts";

/** Runs etcdutl in this process. @throws Exit with its exit code */
export async function runAsEtcdutl(
  session: Session,
  command: readonly string[],
  words: readonly string[],
): Promise<void> {
  session.console.err(`Deprecated: use \`etcdutl ${command.join(" ")}\` instead.\n`);
  const format = `--write-out=${session.globals.writeOut.value}`;
  const world = { console: session.console, disk: new NodeDisk(), clock: new NodeClock() };
  const code = await runEtcdutl([format, ...command, ...words], world);
  if (code !== 0) throw new Exit(code);
}

/** A command of etcdutl with all its flags. `Other` is its own kind of session. */
export function olderSpelling<Other>(command: readonly string[], body: Body<Other>): Body<Session> {
  return {
    prepare(flags) {
      body.prepare(flags);
      return async (session, args) => {
        const given = flags
          .sorted()
          .filter((flag) => flag.changed && flag.name !== "help")
          .map((flag) => `--${flag.name}=${flag.text()}`);
        await runAsEtcdutl(session, command, [...given, "--", ...args]);
      };
    },
  };
}
