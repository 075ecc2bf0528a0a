// A tree of commands with the manners of cobra, which etcdctl and etcdutl are known by: flags may
// stand before, between and after the names of commands; a group without a name of a command in it
// prints its help; errors of usage are followed by the usage; a misspelt command gets suggestions.
//
//     words ──find──► command, words without its names ──load──► body ──parse──► run(context, args)
//
// The tree itself knows only what lists of commands show, so that a start costs one small module;
// the body of a command (its flags and its code) is loaded when that command is the one asked for.

import { type Flag, FlagError, FlagSet } from "./flag-set.ts";
import { quote } from "./go-text.ts";
import { helpText, usageText } from "./help.ts";

export interface CommandGroup {
  readonly id: string;
  readonly title: string;
}

export interface Body<Context> {
  /** The first paragraph of the help; the short text when missing. */
  readonly long?: string;
  readonly example?: string;
  /** What is wrong with the arguments or flags, as a line followed by the usage. */
  readonly validate?: (args: readonly string[], flags: FlagSet) => string | undefined;
  /** What the arguments can be, for completion; files when missing. */
  readonly values?: readonly string[];
  /** Defines the flags, and returns what to do with them. */
  prepare(flags: FlagSet): (context: Context, args: string[]) => Promise<void>;
}

export interface Command<Context> {
  readonly name: string;
  /** What follows the name in the usage: `[options] <key>`. */
  readonly arguments?: string;
  readonly short: string;
  /** The short text in lists of commands, when it says more than the help has to. */
  readonly listed?: string;
  readonly long?: string;
  readonly example?: string;
  readonly aliases?: readonly string[];
  readonly group?: string;
  readonly hidden?: boolean;
  /** Flags of this command and of all below it. */
  readonly persistent?: FlagSet;
  /** A group has these; only the root also has `groups`. */
  readonly commands?: readonly Command<Context>[];
  readonly groups?: readonly CommandGroup[];
  /** The last line of each help. */
  readonly footer?: string;
  readonly withoutFlagsInUsage?: boolean;
  readonly load?: () => Promise<Body<Context>>;
}

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

/** A command with its parents, the root first. */
export type CommandPath<Context> = readonly [Command<Context>, ...Command<Context>[]];

/** A suggestion differs by at most this many letters. */
const SUGGESTION_DISTANCE_MAX = 2;

function last<Context>(path: CommandPath<Context>): Command<Context> {
  return path[path.length - 1]!;
}

/** Flags that are known at this command without loading it. */
function inherited<Context>(path: CommandPath<Context>): FlagSet {
  const flags = new FlagSet();
  for (let i = path.length - 1; i >= 0; i--) {
    const persistent = path[i]!.persistent;
    if (persistent !== undefined) flags.addAll(persistent);
  }
  return flags;
}

function takesNextWord(word: string, flags: FlagSet): boolean {
  if (word.includes("=")) return false;
  let flag: Flag<unknown> | undefined;
  if (word.startsWith("--")) {
    if (word.length <= 2) return false;
    flag = flags.lookup(word.slice(2));
  } else {
    // Of grouped letters only a single one can take the next word.
    if (word.length !== 2) return false;
    flag = flags.lookupShort(word[1]!);
  }
  // A flag that nobody knows is taken to have a value.
  return flag === undefined || flag.implied === "";
}

/** Where in `words` the first word stands that is neither a flag nor the value of one; -1: none. */
function firstName(words: readonly string[], flags: FlagSet): number {
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") return -1;
    if (word[0] === "-" && word.length > 1) {
      if (takesNextWord(word, flags)) i++;
    } else if (word !== "") return i;
  }
  return -1;
}

function child<Context>(command: Command<Context>, name: string): Command<Context> | undefined {
  return command.commands?.find((one) => one.name === name || one.aliases?.includes(name));
}

export function find<Context>(
  root: Command<Context>,
  words: readonly string[],
): { path: CommandPath<Context>; rest: readonly string[] } {
  let path: CommandPath<Context> = [root];
  let rest = words;
  for (;;) {
    const flags = inherited(path);
    flags.boolean("help", false, "", { short: "h" });
    const at = firstName(rest, flags);
    const next = at < 0 ? undefined : child(last(path), rest[at]!);
    if (next === undefined) return { path, rest };
    path = [...path, next];
    rest = [...rest.slice(0, at), ...rest.slice(at + 1)];
  }
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
    return candidate.startsWith(typed) || editDistance(typed, candidate) <= SUGGESTION_DISTANCE_MAX;
  });
  const line = `unknown command ${quote(name)} for ${quote(root.name)}`;
  if (similar.length === 0) return line;
  return `${line}\n\nDid you mean this?\n${similar.map((one) => `\t${one.name}\n`).join("")}`;
}

/** The flags of a command as its body defines them, with those of its parents and `--help`. */
export interface Prepared<Context> {
  readonly body: Body<Context>;
  readonly own: FlagSet;
  readonly all: FlagSet;
  readonly run: (context: Context, args: string[]) => Promise<void>;
}

const groupBody: Body<unknown> = {
  prepare: () => () => Promise.resolve(),
};

export async function prepare<Context>(path: CommandPath<Context>): Promise<Prepared<Context>> {
  const command = last(path);
  const body = command.load === undefined ? groupBody : await command.load();
  const own = new FlagSet();
  const parents = inherited(path);
  const run = body.prepare(own);
  if (command.persistent !== undefined && path.length > 1) own.addAll(command.persistent);
  own.boolean("help", false, `help for ${command.name}`, { short: "h" });
  const all = new FlagSet();
  all.addAll(own);
  all.addAll(parents);
  return { body, own, all, run };
}

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

const helpCommand: Command<unknown> = {
  name: "help",
  arguments: "[command]",
  short: "Help about any command",
  long: "Shows the help of a command: `help [path to command]`.",
  load: () => Promise.resolve(groupBody),
};

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

/** The commands of `command` as lists show them: sorted, and with `help` at the root. */
export function listed<Context>(path: CommandPath<Context>): Command<Context>[] {
  const visible = (last(path).commands ?? []).filter((command) => command.hidden !== true);
  const all: Command<Context>[] = path.length === 1 ? [...visible, helpCommand] : [...visible];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}
