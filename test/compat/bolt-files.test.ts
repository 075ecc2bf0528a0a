// Files of ours under bbolt's own tools, and files of bbolt's under ours.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { NodeDisk } from "../../src/io/node-disk.ts";
import { Backend } from "../../src/storage/backend.ts";
import { BackendMetrics } from "../../src/storage/backend-metrics.ts";
import type { BackendSnapshot } from "../../src/storage/backend-snapshot.ts";
import { checkState } from "../../src/storage/bolt/check.ts";
import type { View } from "../../src/storage/bolt/db.ts";
import { emptyFile } from "../../src/storage/bolt/db.ts";
import type { FreelistType } from "../../src/storage/bolt/free-spans.ts";
import { scanBucket } from "../../src/storage/bolt/scan.ts";
import { CommitJob, type Filler } from "../../src/storage/commit-job.ts";
import { MetaKey } from "../../src/storage/schema.ts";
import { openStore, type Store } from "../../src/storage/store.ts";
import { SimRandom } from "../simulation/sim-random.ts";
import { stockBinaries } from "./stock-binaries.ts";

const { bbolt, etcdutl } = stockBinaries("3.7") as { bbolt: string; etcdutl: string };
const directory = mkdtempSync(join(tmpdir(), "quorate-bolt-"));
after(() => rmSync(directory, { recursive: true }));
const disk = new NodeDisk();
const clock = new NodeClock();
let fileCount = 0;
const TOOL_TIMEOUT_MS = 60_000;

function newPath(): string {
  return join(directory, `db-${fileCount++}`);
}

function tool(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8", timeout: TOOL_TIMEOUT_MS });
  const output = `${result.stdout}${result.stderr}`;
  assert.equal(result.status, 0, `${args.join(" ")}: ${output}`);
  return output;
}

function assertSound(path: string): void {
  assert.equal(tool(bbolt, "check", path).trim(), "OK");
}

function open(path: string, freelistType: FreelistType = "map"): Store {
  return openStore({ disk, path, freelistType });
}

function commit(store: Store, fill: Filler): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null) => (error === null ? resolve() : reject(error));
    new CommitJob({ store, clock, metrics: new BackendMetrics(), done }, fill).start();
  });
}

function content(view: View): Map<string, string> {
  const entries = new Map<string, string>();
  for (const name of view.bucketNames()) {
    scanBucket(view.bucket(name)!, null, (bytes, keyStart, keySize, valueSize, flags) => {
      const text = Buffer.from(bytes.subarray(keyStart, keyStart + keySize + valueSize));
      entries.set(`${name}/${text.toString("latin1", 0, keySize)}`, `${flags}${text.length}`);
      return true;
    });
  }
  return entries;
}

/** The same entries, as bbolt's compact finds them: it visits every bucket and key. */
function assertReadAlike(path: string, expected: Map<string, string>): void {
  const copy = newPath();
  tool(bbolt, "compact", "-o", copy, path);
  const store = open(copy);
  assert.deepEqual([...content(store.db.view)], [...expected]);
  assert.deepEqual(store.problems(), []);
  store.retire();
}

test("what random changes leave is sound for bbolt after every commit, and read alike", async () => {
  for (const [seed, type, pageSize] of [
    [1, "map", 4096],
    [2, "array", 4096],
    [3, "map", 1024],
    [4, "array", 16384],
  ] as const) {
    const random = new SimRandom(seed);
    const path = newPath();
    writeFileSync(path, emptyFile(pageSize));
    let store = open(path, type);
    for (let round = 0; round < 25; round++) {
      await commit(store, function* (tx) {
        for (let i = 0; i < 300; i++) {
          const tree = tx.bucket(`bucket ${random.below(4)}`);
          const key = Buffer.from(`key ${random.below(round % 5 === 0 ? 20 : 1500)}`);
          const size = random.oneIn(40) ? random.below(30_000) : random.below(300);
          const bytes = Buffer.concat([key, Buffer.alloc(size, round)]);
          if (random.below(10) < (round % 3) * 4) tree.delete(bytes, 0, key.length);
          else tree.put(bytes, 0, key.length, size);
          yield 10;
        }
      });
      assert.deepEqual(store.problems(), []);
      if (round % 5 !== 4) continue;
      const expected = content(store.db.view);
      store.retire();
      assertSound(path);
      assertReadAlike(path, expected);
      store = open(path, type);
      assert.deepEqual(content(store.db.view), expected);
    }
    store.retire();
  }
});

test("files that bbolt wrote are read and can be written on", async () => {
  const kinds = ["seq", "rnd", "seq-nest", "rnd-nest"].flatMap((mode) =>
    [1024, 4096].map((pageSize) => ({ mode, pageSize })),
  );
  for (const { mode, pageSize } of kinds) {
    const path = newPath();
    const values = ["--value-size", mode === "rnd" ? "5000" : "40", "--count", "3000"];
    const options = ["--page-size", `${pageSize}`, "--batch-size", "1000", "--read-mode", "seq"];
    tool(bbolt, "bench", "--work", "--path", path, "--write-mode", mode, ...values, ...options);
    const store = open(path);
    assert.equal(store.db.pageSize, pageSize);
    assert.notEqual(store.db.view.meta.freelist, -1, "bbolt's freelist is in the file");
    assert.deepEqual(store.problems(), []);
    const before = content(store.db.view);
    for (const key of ["a", "b"]) {
      await commit(store, function* (tx) {
        const bytes = Buffer.from(`${key}value`);
        tx.bucket("ours").put(bytes, 0, 1, 5);
        yield 1;
      });
    }
    assert.deepEqual(store.problems(), []);
    assert.equal(store.db.view.meta.freelist, -1);
    store.retire();
    assertSound(path);
    const reopened = open(path);
    const expected = new Map([...before, ["ours/a", "06"], ["ours/b", "06"]]);
    assert.deepEqual(new Map(content(reopened.db.view)), expected);
    reopened.retire();
  }
});

test("the freelist found by visiting is the one that bbolt wrote down", async () => {
  const path = newPath();
  const options = ["--write-mode", "rnd", "--value-size", "3000", "--count", "2000"];
  tool(bbolt, "bench", "--work", "--path", path, "--batch-size", "100", ...options);
  const written = open(path);
  const free: number[] = [];
  written.db.freelist.forEachUnused((start, count) => free.push(start, count));
  const { freelist } = written.db.view.meta;
  const listed = written.db.freelistPages();
  assert.ok(free.length > 4, "there are free pages");
  await commit(written, function* (tx) {
    const bytes = Buffer.from("kv");
    tx.bucket("ours").put(bytes, 0, 1, 1);
    yield 1;
  });
  written.retire();
  const visited = open(path);
  assert.equal(visited.db.view.meta.freelist, -1);
  const unused = new Set<number>();
  visited.db.freelist.forEachUnused((start, count) => {
    for (let page = start; page < start + count; page++) unused.add(page);
  });
  for (let page = freelist; page < freelist + listed.count; page++) {
    assert.equal(unused.has(page), true, "the freelist's own pages are free now");
  }
  assert.deepEqual(visited.problems(), []);
  visited.retire();
});

class Session {
  readonly backend: Backend;

  constructor(path: string) {
    this.backend = Backend.open({
      disk,
      clock,
      log: silentLogger,
      path,
      batchIntervalMs: 100,
      batchLimit: 10_000,
      freelistType: "map",
      onFatal: (error) => {
        throw error;
      },
    });
  }

  putRecord(main: number, sub: number, key: string, value: string): void {
    const record = Buffer.concat([
      Buffer.from([0x0a, key.length]),
      Buffer.from(key),
      Buffer.from([0x10, 2, 0x18, 2, 0x20, 1, 0x2a, value.length]),
      Buffer.from(value),
    ]);
    const at = this.backend.reserveRecord(main, sub, false, record.length);
    this.backend.recordBuffer.set(record, at);
  }

  commit(): Promise<void> {
    return new Promise((resolve) => this.backend.commit(resolve));
  }

  snapshot(): Promise<BackendSnapshot> {
    return new Promise((resolve) => this.backend.snapshot(resolve));
  }

  defragment(): Promise<Error | null> {
    return new Promise((resolve) => this.backend.defragment(resolve));
  }

  hash(): Promise<number> {
    return new Promise((resolve) => this.backend.hash(resolve));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.backend.close(resolve));
  }
}

interface Status {
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
}

test("etcdutl reads our database, snapshots of it, and what a defragmentation leaves", async () => {
  const path = newPath();
  const session = new Session(path);
  for (let main = 2; main < 3000; main++) {
    session.putRecord(main, 0, `key ${main % 1000}`, `value ${main}`);
    if (main % 10 === 0) session.putRecord(main, 1, `other ${main}`, "x".repeat(120));
  }
  session.backend.put("meta", MetaKey.storageVersion, Buffer.from("3.7.0"));
  session.backend.setConfState(Buffer.from('{"voters":[1],"auto_leave":false}'));
  session.backend.setApplied(2999, 2);
  await session.commit();
  for (let main = 2; main < 2000; main++) session.backend.deleteRecord(main, 0, false);
  const snapshot = await session.snapshot();
  const image = new Uint8Array(snapshot.sizeBytes);
  assert.equal(snapshot.read(0, image), image.length);
  snapshot.close();
  const copy = newPath();
  writeFileSync(copy, image);
  const statusOf = (file: string): Status =>
    JSON.parse(tool(etcdutl, "snapshot", "status", file, "-w", "json")) as Status;
  const status = statusOf(copy);
  assert.equal(status.revision, 2999);
  assert.equal(status.totalKey, 1299);
  assert.equal(status.totalSize, image.length);
  const hash = await session.hash();
  assert.equal(await session.defragment(), null);
  assert.equal(await session.hash(), hash);
  await session.close();
  assertSound(path);
  assertSound(copy);
  assert.ok(readFileSync(path).length > 0);
  const { totalKey, revision } = statusOf(path);
  assert.deepEqual({ totalKey, revision }, { totalKey: 1299, revision: 2999 });
});

test("etcd's own defragmentation and hashing leave a file that we read", async () => {
  const data = join(directory, "data");
  disk.makeDirectory(join(data, "member/snap"));
  const path = join(data, "member/snap/db");
  const session = new Session(path);
  for (let main = 2; main < 5000; main++)
    session.putRecord(main, 0, `key ${main}`, "v".repeat(100));
  session.backend.setApplied(7, 2);
  await session.commit();
  for (let main = 2; main < 4000; main++) session.backend.deleteRecord(main, 0, false);
  const hash = await session.hash();
  await session.close();
  const copy = newPath();
  copyFileSync(path, copy);
  tool(etcdutl, "defrag", "--data-dir", data);
  tool(etcdutl, "hashkv", copy);
  for (const file of [path, copy]) {
    const again = new Session(file);
    assert.equal(again.backend.appliedIndex, 7);
    assert.equal(await again.hash(), hash);
    let records = 0;
    again.backend.scanRecords(0, 0, () => ++records > 0);
    assert.equal(records, 1000);
    assert.deepEqual(again.backend.problems(), []);
    again.putRecord(6000, 0, "more", "x");
    await again.commit();
    await again.close();
    assertSound(file);
  }
});

test("a state that bbolt finds wrong is wrong for us too", () => {
  const path = newPath();
  const options = ["--write-mode", "rnd", "--value-size", "400", "--count", "1000"];
  tool(bbolt, "bench", "--work", "--path", path, ...options);
  const whole = readFileSync(path);
  const store = open(path);
  const { meta } = store.db.view;
  store.retire();
  const random = new SimRandom(5);
  let found = 0;
  for (let round = 0; round < 60; round++) {
    const bytes = Buffer.from(whole);
    const page = 2 + random.below(meta.pageCount - 2);
    const at = page * 4096 + random.below(64);
    bytes[at]! ^= 1 << random.below(8);
    writeFileSync(path, bytes);
    // Some damages make bbolt's check run for ever.
    const theirs = spawnSync(bbolt, ["check", path], { encoding: "utf8", timeout: 2000 });
    const source = {
      read: (target: Uint8Array, position: number) =>
        bytes.copy(target, 0, position, position + target.length),
      sizeBytes: () => bytes.length,
    };
    const ours = checkState(source, meta);
    if (theirs.status === 0) continue;
    // A freelist is bbolt's own affair: ours is found by visiting.
    if (page === meta.freelist || /free/.test(theirs.stdout + theirs.stderr)) continue;
    found++;
    assert.notDeepEqual(ours, [], `offset ${at}: ${theirs.stdout}${theirs.stderr}`);
  }
  assert.ok(found > 5, `${found} damages that matter`);
});
