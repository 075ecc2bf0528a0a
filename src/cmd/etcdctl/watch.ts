import type { Caller } from "../../client/caller.ts";
import { Watcher } from "../../client/watcher.ts";
import { Errors } from "../../wire/errors.ts";
import type { WatchResponse } from "../../wire/messages/rpc-watch.ts";
import type { Body } from "../flags/command.ts";
import { FlagError, FlagSet } from "../flags/flag-set.ts";
import { quote } from "../flags/go-text.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";
import { splitWords } from "./txn-parser.ts";
import { WATCH_KEY, type WatchArguments, watchArguments } from "./watch-arguments.ts";
import { eventType, watchView } from "./watch-view.ts";

/** Runs the program for each event, which it finds in its environment. @throws Exit */
async function runFor(
  session: Session,
  response: WatchResponse,
  program: readonly string[],
): Promise<void> {
  const { runProgram } = await import("./run-program.ts");
  for (const event of response.events) {
    const result = runProgram(program, {
      ...session.world.environment,
      ETCD_WATCH_REVISION: String(response.header?.revision ?? 0),
      ETCD_WATCH_EVENT_TYPE: quote(eventType(event)),
      ETCD_WATCH_KEY: quote(event.kv?.key ?? ""),
      ETCD_WATCH_VALUE: quote(event.kv?.value ?? ""),
    });
    if (result.error === "") continue;
    const words = program.map((word) => quote(word)).join(" ");
    session.console.err(`command [${words}] error (${result.error})\n`);
    throw new Exit(ExitCode.Error);
  }
}

function cancelText(response: WatchResponse): string {
  if (response.compactRevision !== 0) return Errors.Compacted.message;
  return response.cancelReason === "" ? Errors.FutureRev.message : response.cancelReason;
}

/** Shows what happens until the server ends the watch. @throws Exit */
async function follow(
  session: Session,
  watcher: Watcher,
  program: readonly string[],
): Promise<void> {
  for (let next = await watcher.next(); next !== undefined; next = await watcher.next()) {
    if (next.canceled) session.console.err(`watch was canceled (${cancelText(next)})\n`);
    session.show(watchView(next));
    if (program.length > 0) await runFor(session, next, program);
  }
}

function watch(caller: Caller, { create }: WatchArguments): Watcher {
  return new Watcher(caller, create, { requireLeader: true });
}

interface Line {
  readonly args: WatchArguments | "progress";
}

/** A line of `watch -i`, or undefined after telling what is wrong with it. @throws Exit */
function parseLine(session: Session, line: string): Line | undefined {
  const { environment } = session.world;
  const words = splitWords(line);
  const refuse = (why: string): undefined => {
    session.console.err(`Invalid command ${line} (${why})\n`);
  };
  if (words.length === 0) {
    session.console.err(`Invalid command: ${line} (watch and progress supported)\n`);
    return undefined;
  }
  if (words[0] === "progress") return { args: "progress" };
  if (words[0] !== "watch") return refuse("only support watch");
  if (words.length < 2 && (environment[WATCH_KEY] ?? "") === "") {
    return refuse("command type or key is not provided");
  }
  const flags = new FlagSet();
  const parse = watchArguments(flags);
  try {
    flags.parse(words.slice(1));
    return { args: parse(flags, environment) };
  } catch (error) {
    if (error instanceof FlagError) throw badArguments(error.message);
    if (error instanceof Exit) return refuse(error.text ?? "");
    throw error;
  }
}

async function watchInteractively(session: Session, caller: Caller): Promise<void> {
  const watchers: Watcher[] = [];
  await new Promise<never>((_, fail) => {
    const read = async (): Promise<never> => {
      for (;;) {
        const line = await session.console.readLine();
        if (!line.endsWith("\n")) {
          throw new Exit(ExitCode.InvalidInput, "error reading watch request line: EOF");
        }
        const parsed = parseLine(session, line.trim());
        if (parsed === undefined) continue;
        if (parsed.args === "progress") for (const one of watchers) one.requestProgress();
        else {
          const watcher = watch(caller, parsed.args);
          watchers.push(watcher);
          follow(session, watcher, parsed.args.program).catch(fail);
        }
      }
    };
    read().catch(fail);
  });
}

export const body: Body<Session> = {
  long: `Prints the changes of a key, of a range of keys or of all keys with a prefix as they happen.

After '--' follows a program that is run for each change; it finds the change in the variables
ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and ETCD_WATCH_VALUE.

With -i, lines such as 'watch foo --prefix' and 'progress' are read from standard input.`,
  prepare(flags) {
    const interactive = flags.boolean("interactive", false, "read what to watch from lines", {
      short: "i",
    });
    const parse = watchArguments(flags);
    return async (session) => {
      if (interactive.value) {
        await watchInteractively(session, await session.caller());
        return;
      }
      const args = parse(session.flags, session.world.environment);
      await follow(session, watch(await session.caller(), args), args.program);
      throw new Exit(ExitCode.Interrupted, "watch is canceled by the server");
    };
  },
};
