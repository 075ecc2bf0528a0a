// The command line in the style of Go's flag package, which etcd has: `-name` and `--name` are the
// same, `--name value` and `--name=value` too, booleans take a value only behind `=`, and the first
// word that is no flag ends the flags. The texts of the errors are Go's.

import { ParseError, quote } from "../flags/go-text.ts";
import type { Flag } from "./flag.ts";
import { type FlagValues, findFlag } from "./flag-table.ts";
import { IGNORED_FLAGS } from "./flags-member.ts";

export type ParsedLine =
  | { readonly kind: "parsed"; readonly rest: readonly string[] }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly message: string };

interface Word {
  readonly name: string;
  readonly value: string | undefined;
}

export function parseCommandLine(words: readonly string[], values: FlagValues): ParsedLine {
  let at = 0;
  while (at < words.length) {
    const raw = words[at]!;
    if (raw[0] !== "-" || raw === "-") break;
    at++;
    if (raw === "--") break;
    const word = takeApart(raw);
    if (word === undefined) return { kind: "error", message: `bad flag syntax: ${raw}` };
    if (IGNORED_FLAGS.includes(word.name)) continue;
    const flag = findFlag(word.name);
    if (flag === undefined) {
      if (word.name === "help" || word.name === "h") return { kind: "help" };
      return { kind: "error", message: `flag provided but not defined: -${word.name}` };
    }
    let value = word.value;
    if (value === undefined) {
      value = flag.kind.standsAlone ? "true" : words[at++];
      if (value === undefined) {
        return { kind: "error", message: `flag needs an argument: -${flag.name}` };
      }
    }
    const message = assign(flag, value, values);
    if (message !== undefined) return { kind: "error", message };
  }
  return { kind: "parsed", rest: words.slice(at) };
}

function takeApart(raw: string): Word | undefined {
  const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(raw);
  return match === null ? undefined : { name: match[1]!, value: match[2] };
}

function assign(flag: Flag, value: string, values: FlagValues): string | undefined {
  try {
    values.parse(flag, value);
    return undefined;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return flag.kind.standsAlone
      ? `invalid boolean value ${quote(value)} for -${flag.name}: ${error.message}`
      : `invalid value ${quote(value)} for flag -${flag.name}: ${error.message}`;
  }
}
