// One option of the server: its name, how its value is written, its default and its help. The same
// definition serves the command line (`--max-wals 3`), the environment (`ETCD_MAX_WALS=3`) and the
// configuration file (`max-wals: 3`).

import { formatDuration } from "../../base/duration-text.ts";
import {
  ParseError,
  parseBool,
  parseDuration,
  parseInt64,
  parseUint64,
  quote,
} from "../flags/go-text.ts";
import { type GateSettings, parseGates, showGates } from "./feature-gates.ts";
import { type EtcdUrl, parseUniqueUrls } from "./urls.ts";

export interface Kind<Value> {
  /** As the errors of the configuration file name it. */
  readonly goType: string;
  /** A boolean needs no argument: `--pre-vote`. */
  readonly standsAlone: boolean;
  /** @throws ParseError */
  readonly parse: (text: string, before: Value) => Value;
  readonly show: (value: Value) => string;
}

export interface Flag {
  readonly name: string;
  /** Of the values of this flag, whatever their type is: no others ever reach it. */
  readonly kind: Kind<unknown>;
  readonly initial: unknown;
  readonly help: string;
  /** Why it is refused for now, when set to anything but its default. */
  readonly later: string | undefined;
}

export function flag<Value>(
  name: string,
  kind: Kind<Value>,
  initial: Value,
  help: string,
  later?: string,
): Flag {
  return { name, kind: kind as Kind<unknown>, initial, help, later };
}

/** The variable of a flag: ETCD_MAX_WALS for max-wals. */
export function environmentName(flagName: string): string {
  return `ETCD_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

function kind<Value>(
  goType: string,
  parse: (text: string, before: Value) => Value,
  show: (value: Value) => string,
): Kind<Value> {
  return { goType, standsAlone: goType === "bool", parse, show };
}

/** Go's flag package does not tell what is wrong with a value, only whether it is out of range. */
function terse<Value>(parse: (text: string) => Value): (text: string) => Value {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      const outOfRange = error.message.endsWith("value out of range");
      throw new ParseError(outOfRange ? "value out of range" : "parse error");
    }
  };
}

const shown = (value: number): string => BigInt(value).toString();

export const text: Kind<string> = kind(
  "string",
  (value) => value,
  (value) => value,
);
export const truth: Kind<boolean> = kind("bool", terse(parseBool), String);
/** Nanoseconds. */
export const duration: Kind<number> = kind("time.Duration", terse(parseDuration), formatDuration);
export const int: Kind<number> = kind(
  "int",
  terse((value) => Number(parseInt64(value, 0))),
  shown,
);
export const int64: Kind<number> = { ...int, goType: "int64" };
export const uint: Kind<number> = kind(
  "uint",
  terse((value) => Number(parseUint64(value, 0))),
  shown,
);
export const uint64: Kind<number> = { ...uint, goType: "uint64" };
export const uint32: Kind<number> = kind("uint32", parseUint32, shown);

function parseUint32(value: string): number {
  const parsed = parseUint64(value, 0);
  if (parsed > 0xffff_ffffn) {
    throw new ParseError(`strconv.ParseUint: parsing ${quote(value)}: value out of range`);
  }
  return Number(parsed);
}

/** An empty list leaves the default, as etcd has it: a listener cannot be switched off with "". */
export const urls: Kind<readonly EtcdUrl[]> = kind<readonly EtcdUrl[]>(
  "string",
  (list, before) => (list === "" ? before : parseUniqueUrls(list)),
  (value) => value.map((url) => url.text).join(","),
);

/** Origins are URLs too, or a star. */
export const origins: Kind<readonly string[]> = kind<readonly string[]>(
  "string",
  (list) => (list === "*" ? ["*"] : parseUniqueUrls(list).map((url) => url.text)),
  (value) => value.join(","),
);

export const list: Kind<readonly string[]> = kind<readonly string[]>(
  "[]string",
  (value) => value.split(","),
  (value) => value.join(","),
);

export const sortedList: Kind<readonly string[]> = {
  ...list,
  parse: (value) => [...new Set(value.split(","))].sort(),
};

/** Names in the file as one string, not as a list. */
export const sortedText: Kind<readonly string[]> = { ...sortedList, goType: "string" };

export const gates: Kind<GateSettings> = kind("string", parseGates, showGates);

/** A text that `check` does not throw a ParseError for. */
export function checkedText(check: (value: string) => unknown): Kind<string> {
  return kind<string>(
    "string",
    (value) => {
      check(value);
      return value;
    },
    (value) => value,
  );
}

/** One of a few words. */
export function choice<Word extends string>(...words: readonly Word[]): Kind<Word> {
  return kind<Word>(
    "string",
    (value) => {
      const word = words.find((one) => one === value);
      if (word === undefined) throw new ParseError("invalid value");
      return word;
    },
    (value) => value,
  );
}

/** Some of a few words; says which one is wrong. */
export function choices(...words: readonly string[]): Kind<readonly string[]> {
  return kind<readonly string[]>(
    "string",
    (value) => {
      const chosen = value.split(",");
      const wrong = chosen.find((one) => !words.includes(one));
      if (wrong !== undefined) throw new ParseError(`invalid value ${quote(wrong)}`);
      return chosen.sort();
    },
    (value) => value.join(","),
  );
}
