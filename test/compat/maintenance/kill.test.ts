// kill -9 in the middle of a compaction and of a defragmentation: the next start goes on, the file
// passes `bbolt check`, nothing is left lying about, and HashKV is that of a store that was not
// killed. QUORATE_MAINTENANCE_KILLS sets how often, for each of the two.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "../member-process.ts";
import { Lcg } from "../mixed-load.ts";
import { stockBinaries } from "../stock-binaries.ts";

const KILLS = Number(process.env["QUORATE_MAINTENANCE_KILLS"] ?? 6);
/** Ten times what it takes: a hang is a failure like others, and CI goes on. */
const TIMEOUT_MS = 60_000 + KILLS * 60_000;
const REVISIONS = 20_000;
const KEYS = 3000;
const COMPACT_AT = 19_000;
/** Paced as a busy server's: the whole takes some hundred milliseconds. */
const FLAGS = [
  "--self-care=off",
  "--compaction-batch-limit",
  "500",
  "--compaction-sleep-interval",
  "5ms",
];
const ENDED = /finished scheduled compaction/;
/** A file that is being written, not the spare one. */
const COPY = /^db\.tmp\.\d/;
const RESUMED = /resume scheduled compaction/;

const root = mkdtempSync(join(tmpdir(), "quorate-maintenance-"));
const full = join(root, "full");
const compacted = join(root, "compacted");
const random = new Lcg(Date.now());
let ports: Ports;
let expectedHash = 0;
let compactionMs = 0;
let defragmentationMs = 0;

after(() => rmSync(root, { recursive: true, force: true }));

async function start(dataDir: string): Promise<MemberProcess> {
  return MemberProcess.start(OUR_ETCD, dataDir, ports, FLAGS);
}

async function fill({ client }: MemberProcess): Promise<void> {
  for (let at = 1; at < REVISIONS; ) {
    const puts: Promise<unknown>[] = [];
    for (; at < REVISIONS && puts.length < 500; at++) {
      const key = Buffer.from(`key ${(at * 7919) % KEYS}`);
      puts.push(client.kv.put({ key, value: Buffer.alloc(600 + (at % 900), at) }));
    }
    await Promise.all(puts);
  }
}

async function hashOf({ client }: MemberProcess): Promise<number> {
  const { hash, compactRevision } = await client.maintenance.hashKV({ revision: REVISIONS });
  assert.equal(compactRevision, COMPACT_AT);
  return hash;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function logOf(dataDir: string): string {
  return existsSync(`${dataDir}.log`) ? readFileSync(`${dataDir}.log`, "utf8") : "";
}

function checkFile(dataDir: string): void {
  const snap = join(dataDir, "member", "snap");
  const names = readdirSync(snap).filter((name) => !name.endsWith(".snap"));
  assert.deepEqual(names, ["db"]);
  const { bbolt } = stockBinaries("3.7");
  const checked = spawnSync(bbolt!, ["check", join(snap, "db")], { encoding: "utf8" });
  assert.equal(checked.stdout.trim(), "OK", checked.stdout + checked.stderr);
}

before(async () => {
  ports = await freePorts();
  let member = await start(full);
  await fill(member);
  await member.stop();
  cpSync(full, compacted, { recursive: true });
  member = await start(compacted);
  let beganMs = performance.now();
  await member.client.kv.compact({ revision: COMPACT_AT, physical: true });
  compactionMs = performance.now() - beganMs;
  expectedHash = await hashOf(member);
  await member.stop();
  const defragmented = join(root, "defragmented");
  cpSync(compacted, defragmented, { recursive: true });
  member = await start(defragmented);
  beganMs = performance.now();
  await member.client.maintenance.defragment();
  defragmentationMs = performance.now() - beganMs;
  assert.equal(await hashOf(member), expectedHash);
  await member.stop();
  checkFile(defragmented);
});

/** Begins on a copy, kills, starts again; `finish` waits for the end and says if it was cut. */
async function killAndCheck(
  from: string,
  begin: (member: MemberProcess) => Promise<unknown>,
  delayMs: number,
  finish: (member: MemberProcess, dataDir: string) => Promise<boolean>,
): Promise<boolean> {
  const dataDir = join(root, "killed");
  cpSync(from, dataDir, { recursive: true });
  let member = await start(dataDir);
  const begun = begin(member).catch(() => {});
  await pause(delayMs);
  await member.kill();
  await begun;
  const left = readdirSync(join(dataDir, "member", "snap")).some((name) => COPY.test(name));
  rmSync(`${dataDir}.log`);
  member = await start(dataDir);
  const wasCut = (await finish(member, dataDir)) || left;
  assert.equal(await hashOf(member), expectedHash);
  await member.stop();
  checkFile(dataDir);
  rmSync(dataDir, { recursive: true });
  rmSync(`${dataDir}.log`);
  return wasCut;
}

const compact = ({ client }: MemberProcess): Promise<unknown> =>
  client.kv.compact({ revision: COMPACT_AT, physical: true });

test(`${KILLS} kills in the middle of a compaction`, { timeout: TIMEOUT_MS }, async () => {
  let cutCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const delayMs = random.spread(kill, KILLS, compactionMs);
    const wasCut = await killAndCheck(full, compact, delayMs, async (member, dataDir) => {
      // It may not have got into the log.
      await compact(member).catch((error: Error) => {
        assert.equal(error.message, "etcdserver: mvcc: required revision has been compacted");
      });
      const wasResumed = RESUMED.test(logOf(dataDir));
      while (wasResumed && !ENDED.test(logOf(dataDir))) await pause(5);
      return wasResumed;
    });
    if (wasCut) cutCount++;
  }
  console.log(`# ${KILLS} kills, ${cutCount} compactions went on after the restart`);
  assert.ok(cutCount > 0, "none of them was cut");
});

test(`${KILLS} kills in the middle of a defragmentation`, { timeout: TIMEOUT_MS }, async () => {
  let cutCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const delayMs = random.spread(kill, KILLS, defragmentationMs);
    const begin = ({ client }: MemberProcess): Promise<unknown> => client.maintenance.defragment();
    if (await killAndCheck(compacted, begin, delayMs, async () => false)) cutCount++;
  }
  console.log(`# ${KILLS} kills, ${cutCount} defragmentations were cut`);
  assert.ok(cutCount > 0, "none of them was cut");
});
