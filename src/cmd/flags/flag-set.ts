// Flags in the POSIX style of pflag, which etcdctl and etcdutl are known by: `--name=value`,
// `--name value`, `-n value`, `-nvalue`, `-abc`, and `--` to end them. Flags and arguments may mix.
// The texts of the errors are what scripts see, so they are pflag's.

import { formatDuration } from "../../base/duration-text.ts";
import {
  ParseError,
  parseBool,
  parseDuration,
  parseInt64,
  parseUint64,
  quote,
  quoteCharacter,
} from "./go-text.ts";

/** A wrong command line; `message` is what the user is told. */
export class FlagError extends Error {
  override name = "FlagError";
}

export interface FlagOptions {
  readonly short?: string;
  /** Works, but is not listed. */
  readonly hidden?: boolean;
}

/** A flag and its value. Commands keep the handle that the definition returned. */
export interface Flag<Value> {
  readonly name: string;
  readonly short: string;
  readonly usage: string;
  readonly hidden: boolean;
  /** As listed behind the name; "" for a boolean. */
  readonly typeName: string;
  /** As listed behind the usage; "" when the default is the zero value. */
  readonly defaultText: string;
  /** The value without an argument ("true" for booleans); "" when one is required. */
  readonly implied: string;
  value: Value;
  /** Given on the command line or by the environment. */
  changed: boolean;
  /** @throws ParseError */
  set(text: string): void;
  /** The value as text, as `--debug` lists it. */
  text(): string;
}

interface Kind<Value> {
  readonly typeName: string;
  readonly implied: string;
  readonly zero: (value: Value) => boolean;
  readonly parse: (text: string, before: Value, changed: boolean) => Value;
  readonly show: (value: Value) => string;
  readonly showDefault: (value: Value) => string;
}

const booleans: Kind<boolean> = {
  typeName: "",
  implied: "true",
  zero: (value) => !value,
  parse: parseBool,
  show: String,
  showDefault: String,
};

const strings: Kind<string> = {
  typeName: "string",
  implied: "",
  zero: (value) => value === "",
  parse: (text) => text,
  show: (value) => value,
  showDefault: quote,
};

/** One CSV record: fields may be quoted to hold commas. */
function splitList(text: string): string[] {
  if (text === "") return [];
  if (!text.includes('"')) return text.split(",");
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(text);
    if (match === null) throw new ParseError(`parse error on line 1: bare " in non-quoted field`);
    fields.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    if (match[3] === "") return fields;
  }
}

const lists: Kind<readonly string[]> = {
  typeName: "strings",
  implied: "",
  zero: (value) => value.length === 0,
  // The first use replaces the default, later ones add.
  parse: (text, before, changed) => (changed ? [...before, ...splitList(text)] : splitList(text)),
  show: (value) => `[${value.join(",")}]`,
  showDefault: (value) => `[${value.join(",")}]`,
};

const integers: Kind<bigint> = {
  typeName: "int",
  implied: "",
  zero: (value) => value === 0n,
  parse: (text) => parseInt64(text, 0),
  show: String,
  showDefault: String,
};

const unsigned: Kind<bigint> = { ...integers, typeName: "uint", parse: (t) => parseUint64(t, 0) };

/** Values are nanoseconds. */
const durations: Kind<number> = {
  typeName: "duration",
  implied: "",
  zero: (value) => value === 0,
  parse: parseDuration,
  show: formatDuration,
  showDefault: formatDuration,
};

export class FlagSet {
  readonly #flags = new Map<string, Flag<unknown>>();
  readonly #shorts = new Map<string, Flag<unknown>>();
  /** What is left after parsing. */
  args: string[] = [];
  /** How many of `args` stood before `--`; -1 without one. */
  argsBeforeDash = -1;

  #define<Value>(
    kind: Kind<Value>,
    name: string,
    value: Value,
    usage: string,
    options: FlagOptions = {},
  ): Flag<Value> {
    const flag: Flag<Value> = {
      name,
      short: options.short ?? "",
      usage,
      hidden: options.hidden ?? false,
      typeName: kind.typeName,
      defaultText: kind.zero(value) ? "" : kind.showDefault(value),
      implied: kind.implied,
      value,
      changed: false,
      set(text) {
        this.value = kind.parse(text, this.value, this.changed);
        this.changed = true;
      },
      text() {
        return kind.show(this.value);
      },
    };
    this.add(flag as Flag<unknown>);
    return flag;
  }

  boolean(name: string, value: boolean, usage: string, options?: FlagOptions): Flag<boolean> {
    return this.#define(booleans, name, value, usage, options);
  }
  string(name: string, value: string, usage: string, options?: FlagOptions): Flag<string> {
    return this.#define(strings, name, value, usage, options);
  }
  strings(
    name: string,
    value: readonly string[],
    usage: string,
    options?: FlagOptions,
  ): Flag<readonly string[]> {
    return this.#define(lists, name, value, usage, options);
  }
  integer(name: string, value: bigint, usage: string, options?: FlagOptions): Flag<bigint> {
    return this.#define(integers, name, value, usage, options);
  }
  unsigned(name: string, value: bigint, usage: string, options?: FlagOptions): Flag<bigint> {
    return this.#define(unsigned, name, value, usage, options);
  }
  /** Nanoseconds, because that is what Go's durations count. */
  durationNs(name: string, value: number, usage: string, options?: FlagOptions): Flag<number> {
    return this.#define(durations, name, value, usage, options);
  }

  /** Shares a flag of another set, as a command does with the flags of its parents. */
  add(flag: Flag<unknown>): void {
    if (this.#flags.has(flag.name)) return;
    this.#flags.set(flag.name, flag);
    if (flag.short !== "") this.#shorts.set(flag.short, flag);
  }

  addAll(other: FlagSet): void {
    for (const flag of other.#flags.values()) this.add(flag);
  }

  lookup(name: string): Flag<unknown> | undefined {
    return this.#flags.get(name);
  }
  lookupShort(letter: string): Flag<unknown> | undefined {
    return this.#shorts.get(letter);
  }

  /** All flags, by name. */
  sorted(): Flag<unknown>[] {
    const flags = [...this.#flags.values()];
    return flags.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** @throws FlagError */
  parse(words: readonly string[]): void {
    const rest = [...words];
    this.args = [];
    this.argsBeforeDash = -1;
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      if (word[0] !== "-" || word.length === 1) {
        this.args.push(word);
      } else if (word === "--") {
        this.argsBeforeDash = this.args.length;
        this.args.push(...rest);
        return;
      } else if (word[1] === "-") {
        this.#parseLong(word, rest);
      } else {
        this.#parseShorts(word.slice(1), rest);
      }
    }
  }

  #parseLong(word: string, rest: string[]): void {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    if (name === "" || name[0] === "-") throw new FlagError(`bad flag syntax: ${word}`);
    const flag = this.#flags.get(name);
    if (flag === undefined) throw new FlagError(`unknown flag: --${name}`);
    if (equals >= 0) assign(flag, word.slice(equals + 1));
    else if (flag.implied !== "") assign(flag, flag.implied);
    else {
      const value = rest.shift();
      if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
      assign(flag, value);
    }
  }

  #parseShorts(letters: string, rest: string[]): void {
    for (let left = letters; left !== ""; ) {
      const letter = String.fromCodePoint(left.codePointAt(0)!);
      const after = left.slice(letter.length);
      const flag = this.#shorts.get(letter);
      if (flag === undefined) {
        throw new FlagError(`unknown shorthand flag: ${quoteCharacter(letter)} in -${left}`);
      }
      left = "";
      if (after.length > 1 && after[0] === "=") assign(flag, after.slice(1));
      else if (flag.implied !== "") {
        assign(flag, flag.implied);
        left = after;
      } else if (after !== "") assign(flag, after);
      else {
        const value = rest.shift();
        if (value === undefined) {
          throw new FlagError(`flag needs an argument: ${quoteCharacter(letter)} in -${letter}`);
        }
        assign(flag, value);
      }
    }
  }
}

function assign(flag: Flag<unknown>, text: string): void {
  try {
    flag.set(text);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const name = flag.short === "" ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    throw new FlagError(
      `invalid argument ${quote(text)} for ${quote(name)} flag: ${error.message}`,
    );
  }
}
