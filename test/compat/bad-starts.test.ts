// Starts that must fail: one clear line, an exit code, and nothing damaged.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-bad-"));
const original = join(root, "original");
let ports: Ports;
after(() => rmSync(root, { recursive: true, force: true }));

before(async () => {
  ports = await freePorts();
  const member = await MemberProcess.start(OUR_ETCD, original, ports, ["--snapshot-count", "5"]);
  for (let at = 0; at < 40; at++) {
    await member.client.kv.put({ key: bytes(`k${at}`), value: bytes("x".repeat(600)) });
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  await member.stop();
});

/** Runs to its end; the last line of the log, as far as it is an error. */
function failingStart(dataDir: string, at: Ports = ports): { status: number; error: string } {
  const client = `http://127.0.0.1:${at.client}`;
  const peer = `http://127.0.0.1:${at.peer}`;
  const args = [
    ...["--name", "m1", "--data-dir", dataDir, "--initial-cluster", `m1=${peer}`],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
  ];
  const environment = { PATH: process.env["PATH"] };
  const options = { encoding: "utf8", timeout: 30_000, env: environment } as const;
  const result = spawnSync(OUR_ETCD, args, options);
  const lines = result.stderr.trim().split("\n");
  const last = JSON.parse(lines.at(-1)!) as { level: string; error?: string };
  assert.equal(last.level, "fatal", result.stderr);
  return { status: result.status!, error: last.error ?? "" };
}

function damaged(change: (dataDir: string) => void): string {
  const copy = mkdtempSync(join(root, "copy-"));
  cpSync(original, copy, { recursive: true });
  change(copy);
  return copy;
}

function flip(path: string, offset: number): void {
  const all = readFileSync(path);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.of(all[offset]! ^ 0x10), 0, 1, offset);
}

function first(directory: string, suffix: string): string {
  return join(directory, readdirSync(directory).find((name) => name.endsWith(suffix))!);
}

function contents(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((path) => `${path.slice(directory.length)} ${readFileSync(path).toString("base64")}`);
}

function refuses(dataDir: string, ...words: (string | RegExp)[]): void {
  const before = contents(dataDir);
  const { status, error } = failingStart(dataDir);
  assert.notEqual(status, 0);
  for (const word of words) assert.match(error, word instanceof RegExp ? word : new RegExp(word));
  assert.ok(!error.includes("\n"), "one line");
  assert.deepEqual(contents(dataDir), before, "nothing is changed");
}

test("a flipped bit inside the log", () => {
  const dataDir = damaged((copy) => flip(first(join(copy, "member/wal"), ".wal"), 900));
  refuses(dataDir, /member\/wal\/0000000000000000-0000000000000000\.wal at byte \d+/, "backup");
});

test("a flipped bit in a .snap file", () => {
  const dataDir = damaged((copy) => {
    const snap = join(copy, "member/snap");
    const newest = readdirSync(snap)
      .filter((name) => name.endsWith(".snap"))
      .at(-1)!;
    flip(join(snap, newest), 60);
  });
  refuses(dataDir, /\.snap/, "move the file away");
});

test("both metas of the database", () => {
  const dataDir = damaged((copy) => {
    flip(join(copy, "member/snap/db"), 40);
    flip(join(copy, "member/snap/db"), 4096 + 40);
  });
  refuses(dataDir, /member\/snap\/db/, /offset|byte/);
});

test("a torn end of the log is repaired, loudly", async () => {
  const dataDir = damaged((copy) => {
    const wal = first(join(copy, "member/wal"), ".wal");
    const all = readFileSync(wal);
    let end = all.length;
    while (all[end - 1] === 0) end--;
    const torn = Buffer.alloc(all.length);
    all.copy(torn, 0, 0, end);
    // The length of a record of 1,000 bytes, and nothing of it.
    torn.writeUInt32LE(1000, end + 8 - (end % 8));
    writeFileSync(wal, torn);
  });
  const member = await MemberProcess.start(OUR_ETCD, dataDir, ports);
  const { count } = await member.client.kv.range({ key: bytes("k"), rangeEnd: bytes("l") });
  assert.equal(count, 40);
  await member.stop();
});

test("a port in use, and a data directory in use by us or by etcd", async () => {
  const holder = await MemberProcess.start(OUR_ETCD, join(root, "held"), ports);
  assert.match(failingStart(join(root, "other")).error, /address already in use/);
  const free = await freePorts();
  assert.match(failingStart(join(root, "held"), free).error, /another process|in use|lock/);
  await holder.stop();
  const { etcd } = stockBinaries("3.7");
  const theirs = await MemberProcess.start(etcd!, join(root, "theirs"), ports);
  assert.match(failingStart(join(root, "theirs"), free).error, /another process|in use|lock/);
  await theirs.stop();
});

test("a data directory that cannot be made", () => {
  writeFileSync(join(root, "file"), "");
  assert.match(failingStart(join(root, "file", "data")).error, /data directory|not a directory/);
});
