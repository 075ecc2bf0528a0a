// What goes wrong on a Sunday: a quota below what is there, alarms over restarts, compactions and
// defragmentations at once, files that are in use or damaged.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { bytes } from "../../../src/client/bytes.ts";
import { AlarmAction, AlarmType } from "../../../src/wire/messages/rpc-maintenance.ts";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "../member-process.ts";

const NO_SPACE = { message: "etcdserver: mvcc: database space exceeded" };
const COMPACTED = { message: "etcdserver: mvcc: required revision has been compacted" };
const FUTURE = { message: "etcdserver: mvcc: required revision is a future revision" };
const PAGE_BYTES = 4096;

const root = mkdtempSync(join(tmpdir(), "quorate-bad-days-"));
const full = join(root, "full");
const tools = dirname(OUR_ETCD);
let ports: Ports;
let revision = 0;

after(() => rmSync(root, { recursive: true, force: true }));

before(async () => {
  ports = await freePorts();
  const member = await start(full);
  for (let round = 0; round < 20; round++) {
    const puts = Array.from({ length: 100 }, (_, at) =>
      member.client.kv.put({ key: bytes(`key ${at}`), value: Buffer.alloc(4000, round) }),
    );
    await Promise.all(puts);
  }
  revision = (await member.client.maintenance.status()).header!.revision;
  await member.stop();
});

/** Nothing is compacted but what the test compacts. */
async function start(dataDir: string, flags: readonly string[] = []): Promise<MemberProcess> {
  return MemberProcess.start(OUR_ETCD, dataDir, ports, ["--self-care=off", ...flags]);
}

/** A member on a copy of the data of its own. */
async function onCopy(
  name: string,
  flags: readonly string[],
  use: (member: MemberProcess, dataDir: string) => Promise<void>,
): Promise<string> {
  const dataDir = join(root, name);
  cpSync(full, dataDir, { recursive: true });
  const member = await start(dataDir, flags);
  try {
    await use(member, dataDir);
  } finally {
    await member.stop();
  }
  return dataDir;
}

async function noSpaceAlarms({ client }: MemberProcess): Promise<number> {
  return (await client.maintenance.alarm({ action: AlarmAction.GET })).alarms.length;
}

test("a quota smaller than the file: it starts, reads, deletes, compacts, and takes no more", async () => {
  const key = bytes("key 1");
  const dataDir = await onCopy("quota", ["--quota-backend-bytes=1000000"], async (member) => {
    const { kv } = member.client;
    await assert.rejects(kv.put({ key, value: key }), NO_SPACE);
    await assert.rejects(kv.put({ key, value: key }), NO_SPACE);
    assert.equal((await kv.range({ key })).kvs.length, 1);
    assert.equal((await kv.deleteRange({ key })).deleted, 1);
    await kv.compact({ revision, physical: true });
    assert.equal(await noSpaceAlarms(member), 1);
  });
  // A larger quota alone does not disarm it.
  const member = await start(dataDir);
  try {
    const { kv, maintenance } = member.client;
    await assert.rejects(kv.put({ key, value: key }), NO_SPACE);
    await maintenance.defragment();
    const alarms = { action: AlarmAction.DEACTIVATE, memberID: 0n, alarm: AlarmType.NONE };
    for (const { memberID, alarm } of (await maintenance.alarm({ action: AlarmAction.GET })).alarms)
      await maintenance.alarm({ ...alarms, memberID, alarm });
    assert.equal(await noSpaceAlarms(member), 0);
    await kv.put({ key, value: key });
  } finally {
    await member.stop();
  }
});

test("no quota at all, and one above what is advised", async () => {
  const put = async ({ client }: MemberProcess): Promise<void> => {
    await client.kv.put({ key: bytes("more"), value: bytes("1") });
  };
  await onCopy("off", ["--quota-backend-bytes=-1"], put);
  const dataDir = await onCopy("vast", [`--quota-backend-bytes=${9 * 1024 ** 3}`], put);
  assert.match(readFileSync(`${dataDir}.log`, "utf8"), /quota.*exceeds/i);
});

test("two compactions at once, one of them during a defragmentation, and two of those", async () => {
  await onCopy("at-once", [], async ({ client }) => {
    const { kv, maintenance } = client;
    await assert.rejects(kv.compact({ revision: revision + 1 }), FUTURE);
    const outcomes = await Promise.allSettled([
      kv.compact({ revision: revision - 500, physical: true }),
      kv.compact({ revision: revision - 500, physical: true }),
      maintenance.defragment(),
      kv.compact({ revision: revision - 100, physical: true }),
      maintenance.defragment(),
    ]);
    const told = outcomes.map((outcome) =>
      outcome.status === "fulfilled" ? "done" : (outcome.reason as Error).message,
    );
    assert.deepEqual(told.slice(0, 4), ["done", COMPACTED.message, "done", "done"]);
    await assert.rejects(kv.compact({ revision: revision - 100 }), COMPACTED);
    await assert.rejects(kv.range({ key: bytes("key 1"), revision: revision - 101 }), COMPACTED);
    assert.equal((await kv.range({ key: bytes("key 1"), revision: revision - 100 })).kvs.length, 1);
    const { compactRevision } = await maintenance.hashKV({ revision });
    assert.equal(compactRevision, revision - 100);
  });
});

function etcdutl(...args: string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(join(tools, "etcdutl"), args, { encoding: "utf8" });
  return { status, stderr };
}

test("defrag --data-dir of a running member is refused, whichever tool asks", async () => {
  await onCopy("in-use", [], async (member, dataDir) => {
    const refused = etcdutl("--timeout=200ms", "defrag", "--data-dir", dataDir);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /another process has it open/);
    await member.client.kv.put({ key: bytes("still"), value: bytes("here") });
  });
});

test("defrag --data-dir of a damaged file says which page, and leaves it alone", () => {
  const dataDir = join(root, "damaged");
  cpSync(full, dataDir, { recursive: true });
  const path = join(dataDir, "member", "snap", "db");
  const whole = readFileSync(path);
  // A leaf of the records: flags 2, and more than one element.
  let page = 20;
  while (whole.readUInt16LE(page * PAGE_BYTES + 8) !== 2) page++;
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([0x77, 0x77]), 0, 2, page * PAGE_BYTES + 8);
  closeSync(file);
  const damaged = readFileSync(path);
  const { status, stderr } = etcdutl("defrag", "--data-dir", dataDir);
  assert.notEqual(status, 0);
  assert.match(stderr, new RegExp(`page ${page}\\b`));
  assert.ok(readFileSync(path).equals(damaged));
  assert.deepEqual(
    readdirSync(dirname(path)).filter((name) => name.includes("tmp")),
    [],
  );
});

test("offline: both spellings give the space back", async () => {
  const dataDir = await onCopy("offline", [], async ({ client }) => {
    await client.kv.compact({ revision, physical: true });
  });
  const path = join(dataDir, "member", "snap", "db");
  const before = readFileSync(path).length;
  assert.equal(etcdutl("defrag", "--data-dir", dataDir).status, 0);
  assert.ok(readFileSync(path).length < before);
  const older = spawnSync(join(tools, "etcdctl"), ["defrag", "--data-dir", dataDir]);
  assert.equal(older.status, 0);
  const flags = ["--bootstrap-defrag-threshold-megabytes=1"];
  const member = await start(dataDir, flags);
  const { kvs } = await member.client.kv.range({ key: bytes("key 99") });
  await member.stop();
  assert.equal(kvs[0]!.value.length, 4000);
  assert.match(readFileSync(`${dataDir}.log`, "utf8"), /Skipping defragmentation/);
});
