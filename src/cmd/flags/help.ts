// Help and usage texts in the layout of cobra.

import { type Command, type CommandPath, listed, type Prepared } from "./command.ts";
import type { Flag } from "./flag-set.ts";

/** Lists of commands are at least this wide, so that short lists look alike. */
const NAME_WIDTH_MIN = 11;

/** The name of a flag's value: a word in backquotes in its usage, or the name of its type. */
function valueName(flag: Flag<unknown>): { name: string; usage: string } {
  const match = /`([^`]*)`/.exec(flag.usage);
  if (match === null) return { name: flag.typeName, usage: flag.usage };
  return { name: match[1]!, usage: flag.usage.replace(match[0], match[1]!) };
}

/** One line per flag, usages in one column; also the body of `etcdctl options`. */
export function flagTable(flags: readonly Flag<unknown>[]): string {
  const rows = flags.map((flag) => {
    const { name, usage } = valueName(flag);
    const start = flag.short === "" ? "      " : `  -${flag.short}, `;
    const end = flag.defaultText === "" ? "" : ` (default ${flag.defaultText})`;
    return { left: `${start}--${flag.name}${name === "" ? "" : ` ${name}`}`, right: usage + end };
  });
  const width = Math.max(0, ...rows.map((row) => row.left.length));
  return rows.map((row) => `${row.left.padEnd(width)}   ${row.right}\n`).join("");
}

function commandTable<Context>(commands: readonly Command<Context>[], width: number): string {
  return commands.map((one) => `  ${one.name.padEnd(width)} ${one.listed ?? one.short}\n`).join("");
}

function commandLists<Context>(path: CommandPath<Context>): string {
  const commands = listed(path);
  if (commands.length === 0 || path[path.length - 1]!.commands === undefined) return "";
  const width = Math.max(NAME_WIDTH_MIN, ...commands.map((one) => one.name.length));
  const groups = path[0].groups;
  if (path.length > 1 || groups === undefined) {
    return `\nAvailable Commands:\n${commandTable(commands, width)}`;
  }
  let text = "";
  for (const [i, group] of groups.entries()) {
    // What belongs to no group (help) goes to the last one.
    const members = commands.filter((one) =>
      one.group === undefined ? i === groups.length - 1 : one.group === group.id,
    );
    text += `\n${group.title}\n${commandTable(members, width)}`;
  }
  return text;
}

/** From "Usage:" on; ends with a newline. */
export function usageText<Context>(
  path: CommandPath<Context>,
  prepared: Prepared<Context>,
): string {
  const command = path[path.length - 1]!;
  const name = path.map((one) => one.name).join(" ");
  let text = "Usage:\n";
  if (command.load !== undefined) {
    const words = command.arguments === undefined ? "" : ` ${command.arguments}`;
    text += `  ${name}${words}${command.withoutFlagsInUsage === true ? "" : " [flags]"}\n`;
  }
  if (command.commands !== undefined) text += `  ${name} [command]\n`;
  const example = prepared.body.example ?? command.example;
  if (example !== undefined) text += `\nExamples:\n${example}\n`;
  text += commandLists(path);
  const isVisible = (flag: Flag<unknown>): boolean => !flag.hidden;
  const own = prepared.own.sorted();
  const parents = prepared.all.sorted().filter((flag) => !own.includes(flag));
  const shared = parents.filter(isVisible);
  if (path.length > 1) {
    text += `\nFlags:\n${flagTable(own.filter(isVisible))}`;
    if (shared.length > 0) text += `\nGlobal Flags:\n${flagTable(shared)}`;
  } else if (shared.length > 0) {
    text += `\nFlags:\n${flagTable([...own, ...shared].filter(isVisible).sort(byName))}`;
  }
  if (command.commands !== undefined) {
    text += `\nUse "${name} [command] --help" for more information about a command.\n`;
  }
  return text;
}

function byName(a: Flag<unknown>, b: Flag<unknown>): number {
  return a.name < b.name ? -1 : 1;
}

export function helpText<Context>(path: CommandPath<Context>, prepared: Prepared<Context>): string {
  const command = path[path.length - 1]!;
  const long = prepared.body.long ?? command.long ?? command.short;
  const footer = path[0].footer;
  const usage = usageText(path, prepared);
  return `${long.trimEnd()}\n\n${usage}${footer === undefined ? "" : `${footer}\n`}`;
}
