// A data directory moves from us to etcd and back, and again, under a varied history. After each
// move every hash that a server can give must be what the server before has given.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Client } from "../../src/client/client.ts";
import { amount } from "./extent.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";
import { runMixedLoad } from "./mixed-load.ts";
import { stockBinaries } from "./stock-binaries.ts";

const OPERATIONS = amount(3000, 10_000);
const root = mkdtempSync(join(tmpdir(), "quorate-swap-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Hash and revision now, and hashes at some older revisions that are still there. */
async function hashes(client: Client): Promise<unknown[]> {
  const now = await client.maintenance.hashKV({ revision: 0 });
  const all: unknown[] = [now.header!.revision, now.hash, now.compactRevision];
  for (const back of [1, 5, 17]) {
    const revision = now.header!.revision - back;
    if (revision <= now.compactRevision) continue;
    all.push((await client.maintenance.hashKV({ revision })).hash);
  }
  return all;
}

test("ours, etcd 3.7, ours: the same data", { timeout: 300_000 }, async () => {
  const { etcd, bbolt } = stockBinaries("3.7");
  const dataDir = join(root, "three-seven");
  const ports = await freePorts();
  let expected: unknown[] | undefined;
  for (const [round, program] of [OUR_ETCD, etcd!, OUR_ETCD].entries()) {
    const member = await MemberProcess.start(program, dataDir, ports);
    if (expected !== undefined) assert.deepEqual(await hashes(member.client), expected);
    if (round < 2) await runMixedLoad(member.client, round + 1, OPERATIONS);
    expected = await hashes(member.client);
    await member.stop();
    const check = spawnSync(bbolt!, ["check", join(dataDir, "member/snap/db")]);
    assert.equal(check.status, 0, check.stdout.toString());
  }
});

test("etcd 3.6 takes over after a downgrade, and gives back", { timeout: 300_000 }, async () => {
  const { etcd: older } = stockBinaries("3.6");
  const { etcdctl } = stockBinaries("3.7");
  const dataDir = join(root, "three-six");
  const ports = await freePorts();
  const ours = await MemberProcess.start(OUR_ETCD, dataDir, ports, ["--snapshot-count", "500"]);
  await runMixedLoad(ours.client, 3, OPERATIONS / 5);
  const expected = await hashes(ours.client);
  const args = ["--endpoints", ours.endpoint, "downgrade", "enable", "3.6"];
  const enable = spawnSync(etcdctl!, args, { encoding: "utf8" });
  assert.equal(enable.status, 0, enable.stderr);
  await untilStorageVersion(ours.client, "3.6.0");
  await ours.stop();

  const theirs = await MemberProcess.start(older!, dataDir, ports);
  assert.deepEqual(await hashes(theirs.client), expected);
  await runMixedLoad(theirs.client, 4, OPERATIONS / 5);
  const after36 = await hashes(theirs.client);
  await theirs.stop();

  const again = await MemberProcess.start(OUR_ETCD, dataDir, ports);
  assert.deepEqual(await hashes(again.client), after36);
  await again.stop();
});

async function untilStorageVersion(client: Client, wanted: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await client.maintenance.status()).storageVersion === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`the storage version did not become ${wanted}`);
}
