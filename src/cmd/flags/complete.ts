// What may follow a half-typed command line, for the scripts of `completion`: one candidate per
// line, a tab and its description behind it; then `:4`, or `:0` when files are candidates, too.

import { type Command, type CommandPath, find, listed, prepare } from "./command.ts";
import type { Flag } from "./flag-set.ts";

const NO_FILES = ":4\n";
const FILES = ":0\n";

function line(candidate: string, description: string): string {
  return `${candidate}\t${description.split("\n", 1)[0]}\n`;
}

function flagLines(flags: readonly Flag<unknown>[], typed: string): string {
  return flags
    .filter((flag) => !flag.hidden || typed.length > 2)
    .filter((flag) => `--${flag.name}`.startsWith(typed))
    .map((flag) => line(`--${flag.name}`, flag.usage))
    .join("");
}

/** Whether the word before the typed one is a flag that still waits for its value. */
function awaitsValue(word: string | undefined, flags: readonly Flag<unknown>[]): boolean {
  if (word === undefined || !word.startsWith("-") || word.includes("=")) return false;
  const flag = flags.find((one) => word === `--${one.name}` || word === `-${one.short}`);
  return flag !== undefined && flag.implied === "";
}

export async function complete<Context>(
  root: Command<Context>,
  words: readonly string[],
): Promise<string> {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const { path, rest } = find(root, before);
  const { all, body } = await prepare<Context>(path);
  const flags = all.sorted();
  if (awaitsValue(rest.at(-1), flags)) return FILES;
  if (typed.startsWith("-")) return flagLines(flags, typed) + NO_FILES;
  const last = path[path.length - 1]!;
  if (last.commands !== undefined) return commandLines(path, typed) + NO_FILES;
  if (body.values === undefined) return FILES;
  return `${body.values.filter((value) => value.startsWith(typed)).join("\n")}\n${NO_FILES}`;
}

function commandLines<Context>(path: CommandPath<Context>, typed: string): string {
  return listed(path)
    .filter((command) => command.name.startsWith(typed))
    .map((command) => line(command.name, command.short))
    .join("");
}
