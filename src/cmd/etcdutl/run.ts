// Runs one command line of etcdutl in a given world. Loads the command that is asked for only.

import { Exit, ExitCode } from "../etcdctl/exit.ts";
import { execute } from "../flags/execute.ts";
import { rootCommand } from "./root.ts";
import { Session, type World } from "./session.ts";

const UNKNOWN_COMMAND = /^Error: unknown command .*\n/;

/** Returns the exit code. */
export async function runEtcdutl(words: readonly string[], world: World): Promise<number> {
  const { root, globals } = rootCommand();
  const { console } = world;
  const streams = {
    out: (text: string) => console.out(text),
    // An unknown command is told twice, as by etcdutl.
    err: (text: string) => console.err(text + (UNKNOWN_COMMAND.exec(text)?.[0] ?? "")),
  };
  try {
    return await execute(root, words, streams, () => new Session(world, globals));
  } catch (error) {
    const exit = error instanceof Exit ? error : new Exit(ExitCode.Error, (error as Error).message);
    if (exit.text !== undefined) console.err(`Error: ${exit.text}\n`);
    return exit.code;
  }
}
