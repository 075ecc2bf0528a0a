// Backups between etcd and us: what one saved is restored by the other, with the same checksums.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { Console, Piece } from "../../src/cmd/etcdctl/console.ts";
import { runEtcdutl } from "../../src/cmd/etcdutl/run.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { NodeDisk } from "../../src/io/node-disk.ts";
import { StockEtcd, stockPrograms } from "./stock-etcd.ts";

const programs = stockPrograms("3.7");
const root = mkdtempSync(join(tmpdir(), "quorate-restore-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Our etcdutl, in this process. */
async function ours(...words: string[]): Promise<string> {
  let [out, err] = ["", ""];
  const console: Console = {
    out: (...pieces: Piece[]) => {
      out += pieces.join("");
    },
    err: (text) => {
      err += text;
    },
    readLine: () => Promise.resolve(""),
    readAll: () => Promise.resolve(new Uint8Array(0)),
    isInputTerminal: false,
    isOutputTerminal: false,
    isErrorTerminal: false,
  };
  const world = { console, disk: new NodeDisk(), clock: new NodeClock() };
  assert.equal(await runEtcdutl(words, world), 0, err);
  return out;
}

function stock(...words: string[]): string {
  const result = spawnSync(programs.etcdutl, words, { encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

async function makeBackup(): Promise<{ etcd: StockEtcd; backup: string }> {
  const etcd = await StockEtcd.make(programs, root);
  await etcd.start();
  for (let round = 0; round < 3; round++) {
    for (let key = 0; key < 10; key++)
      etcd.ctl(`v${round}`.repeat(1 + key * 200), "put", `k${key}`);
  }
  etcd.ctl(undefined, "del", "k3");
  etcd.ctl(undefined, "lease", "grant", "10000");
  etcd.ctl(undefined, "compaction", "9");
  etcd.ctl(undefined, "put", "last", "one");
  const backup = join(root, `backup-${Math.random()}`);
  etcd.ctl(undefined, "snapshot", "save", backup);
  await etcd.stop();
  return { etcd, backup };
}

describe("a backup of etcd 3.7", () => {
  it("has the status and checksums for us that it has for etcd", async () => {
    const { backup } = await makeBackup();
    const status = await ours("snapshot", "status", backup, "-w", "json");
    assert.equal(status, stock("snapshot", "status", backup, "-w", "json"));
    const revision = JSON.parse(status).revision as number;
    const hashes: string[] = [];
    for (let at = 9; at <= revision; at++) {
      hashes.push(await ours("hashkv", backup, "--rev", String(at)));
    }
    for (let at = 9; at <= revision; at++) {
      assert.equal(hashes[at - 9], stock("hashkv", backup, "--rev", String(at)));
    }
  });

  it("is restored by us into what etcd runs on, also with a raised revision", async () => {
    const { etcd, backup } = await makeBackup();
    const before = (await ours("hashkv", backup)).split(",")[0];
    for (const more of [[], ["--bump-revision", "1000", "--mark-compacted"]]) {
      rmSync(etcd.dataDir, { recursive: true });
      await ours(
        ...["snapshot", "restore", backup, "--data-dir", etcd.dataDir, "--name", "m"],
        ...["--initial-cluster", `m=${etcd.peerUrl}`],
        ...["--initial-advertise-peer-urls", etcd.peerUrl, ...more],
      );
      await etcd.start();
      assert.equal(etcd.ctl(undefined, "get", "last", "--print-value-only"), "one\n");
      const hash = JSON.parse(etcd.ctl(undefined, "endpoint", "hashkv", "-w", "json"))[0].HashKV;
      if (more.length === 0) assert.equal(String(hash.hash), before);
      else assert.equal(hash.compact_revision, hash.hash_revision);
      etcd.ctl(undefined, "put", "after", "it");
      await etcd.stop();
    }
  });

  it("is freed of unused space by us, and etcd goes on with it", async () => {
    const { etcd } = await makeBackup();
    await ours("defrag", "--data-dir", etcd.dataDir);
    await etcd.start();
    assert.equal(etcd.ctl(undefined, "get", "last", "--print-value-only"), "one\n");
    await etcd.stop();
    await ours("migrate", "--data-dir", etcd.dataDir, "--target-version", "3.6");
    stock("migrate", "--data-dir", etcd.dataDir, "--target-version", "3.7");
  });
});
