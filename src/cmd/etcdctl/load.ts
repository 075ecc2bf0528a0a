// A load of puts for `check`: many workers, one statistic.

import { randomBytes } from "node:crypto";
import { bytes } from "../../client/bytes.ts";
import type { Caller } from "../../client/caller.ts";
import { errorText } from "../../client/errors.ts";
import { prefixEnd } from "../../client/keys.ts";
import { Kv } from "../../client/kv.ts";
import { Maintenance } from "../../client/maintenance.ts";
import { quote } from "../flags/go-text.ts";
import { Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

/** More connections than this would measure this program rather than the cluster. */
const CONNECTIONS_MAX = 50;

/** As many different tails of keys as anybody can write. */
const RANDOM_KEY_BYTES = 9;

export interface Statistics {
  readonly count: number;
  readonly perSecond: number;
  readonly slowestSeconds: number;
  readonly stddevSeconds: number;
  /** How often each error came. */
  readonly errors: ReadonlyMap<string, number>;
}

export class Recorder {
  #count = 0;
  #sum = 0;
  #squares = 0;
  #slowest = 0;
  readonly #errors = new Map<string, number>();

  add(seconds: number): void {
    this.#count++;
    this.#sum += seconds;
    this.#squares += seconds * seconds;
    this.#slowest = Math.max(this.#slowest, seconds);
  }

  fail(error: unknown): void {
    const text = errorText(error);
    this.#errors.set(text, (this.#errors.get(text) ?? 0) + 1);
  }

  /** What came out in `elapsedSeconds`. */
  finish(elapsedSeconds: number): Statistics {
    const count = Math.max(1, this.#count);
    const mean = this.#sum / count;
    return {
      count: this.#count,
      perSecond: elapsedSeconds > 0 ? this.#count / elapsedSeconds : 0,
      slowestSeconds: this.#slowest,
      stddevSeconds: Math.sqrt(Math.max(0, this.#squares / count - mean * mean)),
      errors: this.#errors,
    };
  }
}

/** The connections of a load. @throws Exit */
export async function openCallers(
  session: Session,
  clients: number,
  endpoints: readonly string[],
): Promise<Caller[]> {
  const config = { ...(await session.config()), endpoints };
  const count = Math.min(clients, CONNECTIONS_MAX);
  const opening = Array.from({ length: count }, () => session.openCaller(config, "client"));
  return Promise.all(opening);
}

/** A load must not mix with keys that were there before. @throws Exit */
export async function refuseUsedPrefix(
  session: Session,
  kv: Kv,
  prefix: string,
  remedy: string,
): Promise<void> {
  const key = bytes(prefix);
  const range = { key, rangeEnd: prefixEnd(key), limit: 1 };
  const { kvs } = await kv.range(range, session.callOptions);
  if (kvs.length === 0) return;
  const text = `prefix ${quote(prefix)} has keys. Delete with ${remedy} first`;
  throw new Exit(ExitCode.InvalidInput, text);
}

export interface Put {
  readonly prefix: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
}

/** Runs `workers` loops of puts; `next` grants each put, or ends a loop by false. */
export async function runLoad(
  session: Session,
  callers: readonly Caller[],
  options: Put & { readonly workers: number; readonly next: () => Promise<boolean> },
): Promise<Statistics> {
  const { nowMs } = session.world;
  const recorder = new Recorder();
  const prefix = bytes(options.prefix);
  const value = new Uint8Array(options.valueBytes);
  const startMs = nowMs();
  const worker = async (kv: Kv): Promise<void> => {
    while (await options.next()) {
      const key = new Uint8Array(prefix.length + options.keyBytes);
      key.set(prefix);
      key.set(randomBytes(RANDOM_KEY_BYTES), prefix.length);
      const sentMs = nowMs();
      try {
        await kv.put({ key, value });
        recorder.add((nowMs() - sentMs) / 1000);
      } catch (error) {
        recorder.fail(error);
      }
    }
  };
  const kvs = callers.map((caller) => new Kv(caller));
  const loops = Array.from({ length: options.workers }, (_, i) => worker(kvs[i % kvs.length]!));
  await Promise.all(loops);
  return recorder.finish((nowMs() - startMs) / 1000);
}

/** Deletes the keys of the load, and with the flags what they have left behind. */
export async function cleanUp(
  session: Session,
  caller: Caller,
  options: { prefix: string; compact: boolean; defrag: boolean },
): Promise<void> {
  const kv = new Kv(caller);
  const key = bytes(options.prefix);
  try {
    const { header } = await kv.deleteRange({ key, rangeEnd: prefixEnd(key) });
    if (options.compact) {
      const revision = header?.revision ?? 0;
      session.print(`Compacting with revision ${revision}\n`);
      await kv.compact({ revision, physical: true });
      session.print(`Compacted with revision ${revision}\n`);
    }
  } catch (error) {
    session.print(`FAIL: Cleanup failed during key deletion: ERROR(${errorText(error)})\n`);
    throw new Exit(ExitCode.Error);
  }
  if (!options.defrag) return;
  for (const endpoint of caller.endpoints) {
    session.print(`Defragmenting ${quote(endpoint)}\n`);
    await new Maintenance(await session.callerOf(endpoint)).defragment();
    session.print(`Defragmented ${quote(endpoint)}\n`);
  }
}

/** Whether there were errors, which are printed. */
export function reportErrors(session: Session, { errors }: Statistics): boolean {
  if (errors.size === 0) return false;
  session.print("FAIL: too many errors\n");
  for (const [text, count] of errors) session.print(`FAIL: ERROR(${text}) -> ${count}\n`);
  return true;
}
