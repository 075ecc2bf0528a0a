// kill -9 in the middle of what a member does by itself: self-care, a backup; and in the middle of
// `etcdctl recover`, of the member or of the command. Afterwards the file passes `bbolt check`, and
// HashKV is that of a store that was not killed. QUORATE_MAINTENANCE_KILLS sets how often for each.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { Care } from "../../../src/client/care.ts";
import type { Ports } from "../member-process.ts";
import { BARE_ENVIRONMENT, freePorts, MemberProcess, OUR_ETCD } from "../member-process.ts";
import { Lcg } from "../mixed-load.ts";
import { stockBinaries } from "../stock-binaries.ts";

const KILLS = Number(process.env["QUORATE_MAINTENANCE_KILLS"] ?? 4);
/** Ten times what it takes: a hang is a failure like others, and CI goes on. */
const TIMEOUT_MS = 60_000 + KILLS * 60_000;
const REVISIONS = 12_000;
const KEYS = 1000;
const OFF = ["--self-care=off"];
/** The file is above all watermarks of it. */
const SELF_CARE = ["--quota-backend-bytes", `${20 << 20}`, "--compaction-batch-limit", "500"];
const BIN = dirname(OUR_ETCD);

const root = mkdtempSync(join(tmpdir(), "quorate-care-kill-"));
const full = join(root, "full");
const killed = join(root, "killed");
const backups = join(root, "backups");
const random = new Lcg(Date.now());
/** By the revision below which the history is compacted; -1: it is not. */
const expected = new Map<number, number>();
let ports: Ports;

after(() => rmSync(root, { recursive: true, force: true }));

const start = (dataDir: string, flags: readonly string[]): Promise<MemberProcess> =>
  MemberProcess.start(OUR_ETCD, dataDir, ports, flags);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function fill({ client }: MemberProcess): Promise<void> {
  for (let at = 1; at < REVISIONS; ) {
    const puts: Promise<unknown>[] = [];
    for (; at < REVISIONS && puts.length < 500; at++) {
      const key = Buffer.from(`key ${(at * 7919) % KEYS}`);
      puts.push(client.kv.put({ key, value: Buffer.alloc(600 + (at % 1500), at) }));
    }
    await Promise.all(puts);
  }
}

/** The same data, not killed, compacted by an operator at the same revision. */
async function expectedHash(compactRevision: number): Promise<number> {
  const known = expected.get(compactRevision);
  if (known !== undefined) return known;
  const dataDir = join(root, "reference");
  cpSync(full, dataDir, { recursive: true });
  let member = await start(dataDir, OFF);
  if (compactRevision > 0) {
    await member.client.kv.compact({ revision: compactRevision, physical: true });
    // Its hash may change with a restart, in etcd too; the others are looked at after one.
    await member.stop();
    member = await start(dataDir, OFF);
  }
  const { hash } = await member.client.maintenance.hashKV({ revision: REVISIONS });
  await member.stop();
  rmSync(dataDir, { recursive: true });
  expected.set(compactRevision, hash);
  return hash;
}

/** Starts it once more, looks, and stops it; the revision at which it is compacted. */
async function check(dataDir: string): Promise<number> {
  const member = await start(dataDir, OFF);
  const { maintenance } = member.client;
  // A compaction that was cut is going on.
  await member.client.kv.range({ key: Buffer.from("k"), countOnly: true });
  const { hash, compactRevision } = await maintenance.hashKV({ revision: REVISIONS });
  await member.stop();
  const snap = join(dataDir, "member", "snap");
  assert.deepEqual(
    readdirSync(snap).filter((name) => !name.endsWith(".snap")),
    ["db"],
  );
  const { bbolt } = stockBinaries("3.7");
  const checked = spawnSync(bbolt!, ["check", join(snap, "db")], { encoding: "utf8" });
  assert.equal(checked.stdout.trim(), "OK", checked.stdout + checked.stderr);
  assert.equal(hash, await expectedHash(compactRevision), `compacted at ${compactRevision}`);
  return compactRevision;
}

function forget(): void {
  for (const path of [killed, `${killed}.log`, backups]) {
    rmSync(path, { recursive: true, force: true });
  }
}

/** A copy of the data, without a trace of the round before. */
function fresh(): string {
  forget();
  cpSync(full, killed, { recursive: true });
  mkdirSync(backups);
  return killed;
}

before(async () => {
  ports = await freePorts();
  const member = await start(full, OFF);
  await fill(member);
  await member.stop();
});

/** Of self-care: done actions, and their names. */
async function actionsOf({ client }: MemberProcess): Promise<string[]> {
  const { actions } = await new Care(client.caller).actions();
  return actions.filter(({ result }) => result === "done").map(({ action }) => action);
}

/** It may begin with either. */
async function untilCaredFor(member: MemberProcess): Promise<void> {
  for (;;) {
    const done = await actionsOf(member);
    if (done.includes("compact") && done.at(-1) === "defragment") return;
    await pause(20);
  }
}

test(`${KILLS} kills in the middle of self-care`, { timeout: TIMEOUT_MS }, async () => {
  const first = await start(fresh(), SELF_CARE);
  const beganMs = performance.now();
  await untilCaredFor(first);
  const wholeMs = performance.now() - beganMs;
  await first.stop();
  assert.ok((await check(killed)) > 0);
  let cutCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const member = await start(fresh(), SELF_CARE);
    await pause(random.spread(kill, KILLS, wholeMs));
    const done = await actionsOf(member);
    await member.kill();
    if (done.at(-1) !== "defragment") cutCount++;
    await check(killed);
  }
  console.log(`# ${KILLS} kills, ${cutCount} before self-care had done all`);
  assert.ok(cutCount > 0, "none of them came in time");
});

/** What has a backup's name can be restored, and is all that there was. */
async function checkBackups(): Promise<number> {
  const names = readdirSync(backups).filter((name) => name.endsWith(".db"));
  for (const name of names) {
    const dataDir = join(root, "restored");
    const at = ["--data-dir", dataDir, "--bump-revision=0"];
    const args = ["snapshot", "restore", join(backups, name), ...at];
    const restored = spawnSync(join(BIN, "etcdutl"), args, { encoding: "utf8" });
    assert.equal(restored.status, 0, restored.stderr);
    const doctor = spawnSync(join(BIN, "etcdutl"), ["hashkv", join(dataDir, "member/snap/db")], {
      encoding: "utf8",
    });
    const [hash] = doctor.stdout.split(",");
    assert.equal(Number(hash), await expectedHash(-1), doctor.stdout);
    rmSync(dataDir, { recursive: true });
  }
  return names.length;
}

test(`${KILLS} kills in the middle of a backup`, { timeout: TIMEOUT_MS }, async () => {
  const flags = [...OFF, "--backup-dir", backups, "--backup-interval", "1h"];
  await start(fresh(), flags).then(async (member) => {
    while ((await checkBackups()) === 0) await pause(50);
    await member.stop();
  });
  let cutCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const member = await start(fresh(), flags);
    await pause(random.spread(kill, KILLS, 800));
    await member.kill();
    if ((await checkBackups()) === 0) cutCount++;
    await check(killed);
  }
  console.log(`# ${KILLS} kills, ${cutCount} before the backup had its name`);
  assert.ok(cutCount > 0, "none of them came in time");
});

function recover(member: MemberProcess): ChildProcess {
  const args = ["--endpoints", member.endpoint, "recover", `--snapshot=${join(backups, "r.db")}`];
  return spawn(join(BIN, "etcdctl"), args, { stdio: "ignore", env: BARE_ENVIRONMENT });
}

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once("exit", (code) => resolve(code)));

test(`${KILLS} kills in the middle of a recovery`, { timeout: TIMEOUT_MS }, async () => {
  let member = await start(fresh(), OFF);
  const beganMs = performance.now();
  assert.equal(await ended(recover(member)), 0);
  const wholeMs = performance.now() - beganMs;
  await member.stop();
  assert.equal(await check(killed), REVISIONS);
  let cutCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    member = await start(fresh(), OFF);
    const command = recover(member);
    await pause(random.spread(kill, KILLS, wholeMs));
    if (kill % 2 === 0) await member.kill();
    else command.kill("SIGKILL");
    if ((await ended(command)) !== 0) cutCount++;
    if (kill % 2 === 1) await member.kill();
    await check(killed);
    // Once more, and it ends well.
    member = await start(killed, OFF);
    rmSync(join(backups, "r.db"), { force: true });
    assert.equal(await ended(recover(member)), 0);
    await member.stop();
  }
  console.log(`# ${KILLS} kills, ${cutCount} recoveries did not come to their end`);
  assert.ok(cutCount > 0, "none of them was cut");
  assert.ok(existsSync(join(backups, "r.db")));
});
