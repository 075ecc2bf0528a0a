// The language of `etcdctl txn`: three blocks of lines, each ended by an empty line.
//
//   value("key1") = "11"        compares:  target("key") operator "value"
//   mod("key1") > "0"
//                               (empty line)
//   put key1 "two words"        requests if all compares hold: get, put, del
//
//   get key1                    requests otherwise
//
// Compares are read as Go's fmt.Sscanf reads `%q) %s %q`, so that the same lines are accepted.

import {
  type CompareInit,
  CompareResult,
  CompareTarget,
  type RequestOpInit,
} from "../../wire/messages/rpc-kv.ts";
import { prepare } from "../flags/command.ts";
import { FlagError, FlagSet } from "../flags/flag-set.ts";
import { ParseError, parseInt64, quote, unquote } from "../flags/go-text.ts";
import { usageText } from "../flags/help.ts";
import { deleteRequest } from "./del.ts";
import { Exit, ExitCode } from "./exit.ts";
import { getFlags } from "./get.ts";
import { putRequest } from "./put.ts";
import type { World } from "./session.ts";

function invalid(text: string): Exit {
  return new Exit(ExitCode.InvalidInput, text);
}

/** What etcdctl does with a compare that its own checks let pass: it dies of it. */
function panic(world: World, text: string): Exit {
  world.console.err(`panic: ${text}\n\ngoroutine 1 [running]:\n`);
  return new Exit(2);
}

const results: Readonly<Record<string, CompareResult>> = {
  "=": CompareResult.EQUAL,
  "!=": CompareResult.NOT_EQUAL,
  ">": CompareResult.GREATER,
  "<": CompareResult.LESS,
};

type Target = "version" | "create" | "mod" | "value" | "lease";

const targets: Readonly<Record<string, Target>> = {
  ver: "version",
  version: "version",
  c: "create",
  create: "create",
  m: "mod",
  mod: "mod",
  val: "value",
  value: "value",
  lease: "lease",
};

const targetNumbers: Readonly<Record<Target, CompareTarget>> = {
  version: CompareTarget.VERSION,
  create: CompareTarget.CREATE,
  mod: CompareTarget.MOD,
  value: CompareTarget.VALUE,
  lease: CompareTarget.LEASE,
};

interface Scanned {
  readonly key: Uint8Array;
  readonly operator: string;
  readonly value: Uint8Array;
  /** Of the three: how many were found. */
  readonly count: number;
}

const nothing = new Uint8Array(0);

/** A quoted string at the start of `text`, with what follows it. */
function scanQuoted(text: string): { value: Uint8Array; rest: string } | undefined {
  const start = text.replace(/^[ \t]+/, "");
  const literal = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`)/.exec(start)?.[0];
  const value = literal === undefined ? undefined : unquote(literal);
  return value === undefined ? undefined : { value, rest: start.slice(literal!.length) };
}

function scanCompare(text: string): Scanned {
  const key = scanQuoted(text);
  if (key === undefined) return { key: nothing, operator: "", value: nothing, count: 0 };
  const found = { key: key.value, operator: "", value: nothing, count: 1 };
  const middle = /^\)[ \t]+(\S+)/.exec(key.rest);
  if (middle === null) return found;
  found.operator = middle[1]!;
  found.count = 2;
  const after = key.rest.slice(middle[0].length);
  const value = /^[ \t]/.test(after) ? scanQuoted(after) : undefined;
  if (value === undefined) return found;
  return { ...found, value: value.value, count: 3 };
}

/** @throws Exit */
export function parseCompare(world: World, line: string): CompareInit {
  const open = line.indexOf("(");
  if (open < 0) throw invalid(`malformed comparison: ${line}`);
  const name = line.slice(0, open);
  const { key, operator, value, count } = scanCompare(line.slice(open + 1));
  if (count < 3) {
    const got = `${name}(${quote(key)}) ${operator} ${quote(value)}`;
    throw invalid(`malformed comparison: ${line}; got ${got}`);
  }
  const target = targets[name];
  if (target === undefined) {
    throw invalid(`malformed comparison: ${line} (unknown target ${name})`);
  }
  const result = results[operator];
  const text = Buffer.from(value).toString();
  const number = target === "value" || target === "lease" ? 0 : parseNumber(line, text);
  if (result === undefined) throw panic(world, "Unknown result op");
  // A lease is compared with a number, but only texts can be written here.
  if (target === "lease") throw panic(world, "bad value");
  return {
    key,
    result,
    target: targetNumbers[target],
    version: target === "version" ? number : undefined,
    createRevision: target === "create" ? number : undefined,
    modRevision: target === "mod" ? number : undefined,
    value: target === "value" ? value : undefined,
  };
}

function parseNumber(line: string, text: string): number {
  try {
    return Number(parseInt64(text));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw invalid(`invalid txn compare request: ${line}`);
  }
}

/** Words of a line; quotes keep spaces together. @throws Exit */
export function splitWords(line: string): string[] {
  const words = line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*[^'"\s]?/g) ?? [];
  return words.map((word) => {
    if (word[0] === "'") return word.slice(1, -1);
    if (word[0] !== '"') return word;
    const value = unquote(word);
    if (value === undefined) throw invalid("invalid syntax");
    return Buffer.from(value).toString();
  });
}

type Operation = (flags: FlagSet) => (world: World, args: string[]) => Promise<RequestOpInit>;

const operations: Readonly<Record<string, Operation>> = {
  put: (flags) => {
    const request = putRequest(flags);
    // Standard input is taken by the transaction.
    const noValue = async (): Promise<Uint8Array> => nothing;
    return async (_world, args) => ({ requestPut: await request(noValue, args) });
  },
  get: (flags) => {
    const { request } = getFlags(flags);
    return async (_world, args) => ({ requestRange: request(args) });
  },
  del: (flags) => {
    const request = deleteRequest(flags);
    return async (world, args) => ({ requestDeleteRange: await request(world, args) });
  },
};

/** @throws Exit */
export async function parseOperation(world: World, line: string): Promise<RequestOpInit> {
  const words = splitWords(line);
  if (words.length < 2) throw invalid(`invalid txn compare request: ${line}`);
  const operation = operations[words[0]!];
  if (operation === undefined) throw invalid(`invalid txn request: ${line}`);
  const flags = new FlagSet();
  const request = operation(flags);
  try {
    flags.parse(words.slice(1));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    world.console.err(`${await usageOf(words[0]!, operation)}\n`);
    throw invalid(`invalid txn request: ${line}`);
  }
  return request(world, flags.args);
}

async function usageOf(name: string, operation: Operation): Promise<string> {
  const path = [
    {
      name,
      arguments: "[options] <key> …",
      short: "",
      load: () =>
        Promise.resolve({
          prepare(flags: FlagSet) {
            operation(flags);
            return () => Promise.resolve();
          },
        }),
    },
  ] as const;
  // A usage has no list of flags at the root, so the command is put below one.
  const below = [{ name: "txn", short: "" }, path[0]] as const;
  return usageText(below, await prepare(below));
}
