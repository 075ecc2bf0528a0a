// What `watch` and the lines of `watch -i` ask for.
//
//   watch [key] [range_end] [-- program args…]      the key may come from the environment

import { bytes } from "../../client/bytes.ts";
import { EVERYTHING_AFTER, prefixEnd } from "../../client/keys.ts";
import type { WatchCreate } from "../../client/watcher.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import { quote } from "../flags/go-text.ts";
import { badArguments } from "./exit.ts";

export const WATCH_KEY = "ETCDCTL_WATCH_KEY";
export const WATCH_RANGE_END = "ETCDCTL_WATCH_RANGE_END";

export interface WatchArguments {
  readonly create: WatchCreate;
  /** A program to run for each event; empty for none. */
  readonly program: readonly string[];
}

export type WatchEnvironment = Readonly<Record<string, string | undefined>>;

/** What parsing flags has left. */
export type Words = Pick<FlagSet, "args" | "argsBeforeDash">;

function keysAndProgram(
  { args, argsBeforeDash }: Words,
  environment: WatchEnvironment,
): { keys: readonly string[]; program: readonly string[] } {
  const keys = argsBeforeDash < 0 ? args : args.slice(0, argsBeforeDash);
  const program = argsBeforeDash < 0 ? [] : args.slice(argsBeforeDash);
  const key = environment[WATCH_KEY] ?? "";
  const rangeEnd = environment[WATCH_RANGE_END] ?? "";
  if (key === "" && rangeEnd !== "") {
    throw badArguments(`${WATCH_KEY} is empty but got ${WATCH_RANGE_END}=${quote(rangeEnd)}`);
  }
  if (key !== "" && keys.length > 0) {
    throw badArguments("bad number of arguments (found conflicting environment key)");
  }
  if (argsBeforeDash >= 0 && program.length === 0) {
    throw badArguments("bad number of arguments (found separator --, but no commands)");
  }
  if (key === "" && keys.length === 0) throw badArguments("bad number of arguments");
  if (key === "") return { keys, program };
  return { keys: rangeEnd === "" ? [key] : [key, rangeEnd], program };
}

/** Defines the flags; the result reads them and the arguments. @throws Exit */
export function watchArguments(
  flags: FlagSet,
): (words: Words, environment: WatchEnvironment) => WatchArguments {
  const rev = flags.integer("rev", 0n, "from this revision on");
  const prefix = flags.boolean("prefix", false, "all keys that begin with the key");
  const prevKv = flags.boolean("prev-kv", false, "also print what the key was before");
  const progress = flags.boolean("progress-notify", false, "tell when nothing happens, too");
  return (words, environment) => {
    const { keys, program } = keysAndProgram(words, environment);
    const key = bytes(keys[0] ?? "");
    if (prefix.value && keys.length === 2) {
      throw badArguments("`range_end` and `--prefix` are mutually exclusive");
    }
    const range = { key, rangeEnd: keys.length === 2 ? bytes(keys[1]!) : new Uint8Array(0) };
    if (prefix.value) {
      range.key = key.length === 0 ? EVERYTHING_AFTER : key;
      range.rangeEnd = prefixEnd(key);
    }
    const create = {
      ...range,
      startRevision: Number(rev.value),
      prevKv: prevKv.value,
      progressNotify: progress.value,
    };
    return { create, program };
  };
}
