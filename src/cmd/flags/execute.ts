// Runs the command that a command line names, and tells what is wrong with it.

import {
  type Command,
  type CommandPath,
  find,
  firstName,
  helpCommand,
  inherited,
  last,
  prepare,
} from "./command.ts";
import { FlagError, type FlagSet } from "./flag-set.ts";
import { quote } from "./go-text.ts";
import { helpText, usageText } from "./help.ts";

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

/** A suggestion differs by at most this many letters. */
const SUGGESTION_DISTANCE_MAX = 2;

/** Hidden command that lists what may follow, for the scripts of `completion`. */
const COMPLETE = "__complete";

/**
 * Runs the command that `words` name. Returns 0, or 1 after an error of usage; what the command
 * itself throws is passed on. `context` is made once the flags are known.
 */
export async function execute<Context>(
  root: Command<Context>,
  words: readonly string[],
  streams: Streams,
  context: (path: CommandPath<Context>, flags: FlagSet) => Context,
): Promise<number> {
  const { path, rest } = find(root, words);
  if (path.length === 1) {
    const flags = inherited(path);
    flags.boolean("help", false, "", { short: "h" });
    const at = firstName(rest, flags);
    if (at >= 0) return other(root, rest, at, streams);
  }
  return run(path, rest, streams, context);
}

async function run<Context>(
  path: CommandPath<Context>,
  rest: readonly string[],
  streams: Streams,
  context: (path: CommandPath<Context>, flags: FlagSet) => Context,
): Promise<number> {
  const prepared = await prepare(path);
  const { body, all } = prepared;
  let problem: string | undefined;
  try {
    all.parse(rest);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    problem = error.message;
  }
  const runnable = last(path).load !== undefined;
  if (problem === undefined && (all.lookup("help")?.value === true || !runnable)) {
    streams.out(helpText(path, prepared));
    return 0;
  }
  problem ??= body.validate?.(all.args, all);
  if (problem !== undefined) {
    streams.err(`Error: ${problem}\n${usageText(path, prepared)}\n`);
    return 1;
  }
  await prepared.run(context(path, all), all.args);
  return 0;
}

/** A word that is no command of the root: `help`, or a mistake. */
async function other<Context>(
  root: Command<Context>,
  rest: readonly string[],
  at: number,
  streams: Streams,
): Promise<number> {
  const name = rest[at]!;
  if (name === COMPLETE) {
    const { complete } = await import("./complete.ts");
    streams.out(await complete(root, rest.slice(at + 1)));
    return 0;
  }
  if (name !== "help") {
    streams.err(`Error: ${unknownCommand(root, name)}\nRun '${root.name} --help' for usage.\n`);
    return 1;
  }
  return help(root, [...rest.slice(0, at), ...rest.slice(at + 1)], streams);
}

async function help<Context>(
  root: Command<Context>,
  words: readonly string[],
  streams: Streams,
): Promise<number> {
  const asked = words.includes("-h") || words.includes("--help");
  if (asked || words[0] === "help") {
    const path: CommandPath<Context> = [root, helpCommand];
    streams.out(helpText(path, await prepare(path)));
    return 0;
  }
  const found = find(root, words);
  if (found.path.length === 1 && words.length > 0) {
    const topic = words.map((word) => `\`${word}\``).join(" ");
    const usage = usageText(found.path, await prepare(found.path));
    streams.err(`Unknown help topic [${topic}]\n${usage}`);
    return 0;
  }
  streams.out(helpText(found.path, await prepare(found.path)));
  return 0;
}

/** How many letters must be put in, taken out or changed to make one word of the other. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

function unknownCommand<Context>(root: Command<Context>, name: string): string {
  const typed = name.toLowerCase();
  const similar = (root.commands ?? []).filter((command) => {
    if (command.hidden === true) return false;
    const candidate = command.name.toLowerCase();
    const { suggestionDistance = SUGGESTION_DISTANCE_MAX } = command;
    return candidate.startsWith(typed) || editDistance(typed, candidate) <= suggestionDistance;
  });
  const line = `unknown command ${quote(name)} for ${quote(root.name)}`;
  if (similar.length === 0) return line;
  return `${line}\n\nDid you mean this?\n${similar.map((one) => `\t${one.name}\n`).join("")}`;
}
