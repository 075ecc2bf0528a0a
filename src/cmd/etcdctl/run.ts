// Runs one command line of etcdctl in a given world. Loads the command that is asked for only.

import { execute } from "../flags/execute.ts";
import { Exit, ExitCode } from "./exit.ts";
import { rootCommand } from "./root.ts";
import { Session, type World } from "./session.ts";

/** Returns the exit code. */
export async function runEtcdctl(words: readonly string[], world: World): Promise<number> {
  const { root, globals } = rootCommand();
  const { console } = world;
  const sessions: Session[] = [];
  try {
    return await execute(root, words, console, (path, flags) => {
      const alsoKnown = path.at(-1)?.name === "watch" ? watchVariables : [];
      const session = new Session(world, globals, flags, { alsoKnown });
      sessions.push(session);
      return session;
    });
  } catch (error) {
    return await explain(error, world);
  } finally {
    for (const session of sessions) session.close();
  }
}

const watchVariables = ["ETCDCTL_WATCH_KEY", "ETCDCTL_WATCH_RANGE_END"];

async function explain(error: unknown, world: World): Promise<number> {
  if (error instanceof Exit) {
    if (error.text !== undefined) world.console.err(`Error: ${error.text}\n`);
    return error.code;
  }
  const { RpcError } = await import("../../wire/status.ts");
  if (!(error instanceof RpcError)) throw error;
  const { errorText } = await import("../../client/errors.ts");
  world.console.err(`Error: ${errorText(error)}\n`);
  return ExitCode.Error;
}
