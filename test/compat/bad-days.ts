// What the tests of bad days share: a member that must refuse to start, and what may not change
// meanwhile.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../src/base/log.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { NodeDisk } from "../../src/io/node-disk.ts";
import { Backend } from "../../src/storage/backend.ts";
import { Bucket, MetaKey } from "../../src/storage/schema.ts";
import { BARE_ENVIRONMENT, memberFlags, OUR_ETCD, type Ports } from "./member-process.ts";

/** Far longer than a refusal takes: who runs on is ended. */
const END_TIMEOUT_MS = 30_000;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly error?: string;
  readonly stacktrace?: string;
  readonly [field: string]: unknown;
}

/** How a process ended: exit code or signal, and what it said. */
export interface Ended {
  readonly how: number | NodeJS.Signals;
  readonly text: string;
}

export function runToEnd(
  program: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: BARE_ENVIRONMENT,
      timeout: END_TIMEOUT_MS,
      killSignal: "SIGKILL",
      ...options,
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
    }
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ how: code ?? signal!, text }));
  });
}

export function logLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LogLine);
}

/** One clear line at the end, and no other that is alarming. Returns its error. */
export function lastWords({ how, text }: Ended): string {
  assert.equal(how, 1, `it ended with ${how}: ${text}`);
  const lines = logLines(text);
  const alarming = lines.filter(({ level }) => ["error", "panic", "fatal"].includes(level));
  assert.equal(alarming.length, 1, `one alarming line: ${JSON.stringify(alarming)}`);
  assert.equal(alarming[0], lines.at(-1), "it is the last");
  assert.equal(alarming[0]!.stacktrace, undefined, "a stack is for faults of the program");
  return alarming[0]!.error!;
}

/** Starts our member, which must refuse and leave the directory as it was. Returns its error. */
export async function refused(
  dataDir: string,
  ports: Ports,
  flags: readonly string[] = [],
  program: string = OUR_ETCD,
  seenHereAs: string = dataDir,
): Promise<string> {
  const before = fingerprint(seenHereAs);
  const words = await failedStart(dataDir, ports, flags, program);
  assert.deepEqual(fingerprint(seenHereAs), before, "nothing has changed on disk");
  return words;
}

/** The same where there is nothing yet that could be damaged: beginnings may stay. */
export async function failedStart(
  dataDir: string,
  ports: Ports,
  flags: readonly string[],
  program: string,
): Promise<string> {
  return lastWords(await runToEnd(program, [...memberFlags(dataDir, ports), ...flags]));
}

/** All files below with their permissions and a digest; none if there is no such directory. */
export function fingerprint(directory: string): string[] {
  if (!isDirectory(directory)) return [];
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const path = join(directory, name);
    const stat = statSync(path);
    const mode = stat.mode.toString(8);
    if (stat.isDirectory()) return `${name} ${mode}`;
    const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
    return `${name} ${mode} ${stat.size} ${digest}`;
  });
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Something that no member would do to its database, while it is down. */
export function changeDatabase(path: string, change: (backend: Backend) => void): Promise<void> {
  const backend = Backend.open({
    ...{ clock: new NodeClock(), disk: new NodeDisk(), log: silentLogger, path },
    ...{ batchIntervalMs: 100, batchLimit: 1000, freelistType: "map" },
    onFatal: (error) => {
      throw error;
    },
  });
  change(backend);
  return new Promise((resolve) => backend.close(resolve));
}

/** As if etcd of this version had written it. */
export function setStorageVersion(path: string, version: string): Promise<void> {
  return changeDatabase(path, (backend) => {
    backend.put(Bucket.meta, MetaKey.storageVersion, Buffer.from(version));
  });
}
