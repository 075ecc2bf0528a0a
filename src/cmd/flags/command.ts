// A tree of commands with the manners of cobra, which etcdctl and etcdutl are known by: flags may
// stand before, between and after the names of commands; a group without a name of a command in it
// prints its help; errors of usage are followed by the usage; a misspelt command gets suggestions.
//
//     words ──find──► command, words without its names ──load──► body ──parse──► run(context, args)
//
// The tree itself knows only what lists of commands show, so that a start costs one small module;
// the body of a command (its flags and its code) is loaded when that command is the one asked for.

import { type Flag, FlagSet } from "./flag-set.ts";

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
  /** How far from its name a word may be for which it is suggested. */
  readonly suggestionDistance?: number;
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

/** A command with its parents, the root first. */
export type CommandPath<Context> = readonly [Command<Context>, ...Command<Context>[]];

export function last<Context>(path: CommandPath<Context>): Command<Context> {
  return path[path.length - 1]!;
}

/** Flags that are known at this command without loading it. */
export function inherited<Context>(path: CommandPath<Context>): FlagSet {
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
export function firstName(words: readonly string[], flags: FlagSet): number {
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

/** The command that every root has. */
export const helpCommand: Command<unknown> = {
  name: "help",
  arguments: "[command]",
  short: "Help about any command",
  long: "Shows the help of a command: `help [path to command]`.",
  load: () => Promise.resolve(groupBody),
};

/** The commands of `command` as lists show them: sorted, and with `help` at the root. */
export function listed<Context>(path: CommandPath<Context>): Command<Context>[] {
  const visible = (last(path).commands ?? []).filter((command) => command.hidden !== true);
  const all: Command<Context>[] = path.length === 1 ? [...visible, helpCommand] : [...visible];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}
