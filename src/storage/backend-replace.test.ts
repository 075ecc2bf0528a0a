// Another database takes the place of an open one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimWorld } from "../../test/simulation/world.ts";
import { silentLogger } from "../base/log.ts";
import { Backend } from "./backend.ts";
import { Bucket } from "./schema.ts";

class Bench {
  readonly world = new SimWorld(1);
  readonly #io = this.world.machine(1n).start();

  constructor() {
    this.#io.disk.makeDirectory("/data");
  }

  get disk() {
    return this.#io.disk;
  }

  open(path: string): Backend {
    const { clock, disk } = this.#io;
    return Backend.open({
      ...{ clock, disk, path, log: silentLogger, freelistType: "map" as const },
      batchIntervalMs: 100,
      batchLimit: 10_000,
      onFatal: (error) => assert.fail(error),
    });
  }

  /** A database in a file, with one key and an applied index. */
  make(path: string, value: string, applied: number): void {
    const backend = this.open(path);
    put(backend, value, applied);
    this.wait((done) => backend.close(done));
  }

  wait(begin: (done: () => void) => void): void {
    let isDone = false;
    begin(() => {
      isDone = true;
    });
    assert.ok(this.world.runUntil(() => isDone, 10_000));
  }
}

const KEY = Buffer.from("k");

function put(backend: Backend, value: string, applied: number): void {
  backend.put(Bucket.alarm, KEY, Buffer.from(value));
  backend.setApplied(applied, 1);
}

function contentOf(backend: Backend): string {
  return Buffer.from(backend.get(Bucket.alarm, KEY) ?? []).toString();
}

test("what is in the new file is there at once, what was not committed is gone", () => {
  const bench = new Bench();
  bench.make("/data/new", "new", 50);
  const backend = bench.open("/data/db");
  put(backend, "committed", 10);
  bench.wait((done) => backend.commit(done));
  put(backend, "open", 11);
  const told: string[] = [];
  backend.commit(() => told.push("commit"));
  put(backend, "more", 12);
  backend.commit(() => told.push("later commit"));
  bench.wait((done) => backend.replaceBy("/data/new", () => true, done));
  assert.equal(contentOf(backend), "new");
  assert.equal(backend.appliedIndex, 50);
  assert.equal(backend.durableAppliedIndex, 50);
  assert.deepEqual(told, ["commit", "later commit"]);
  assert.equal(bench.disk.exists("/data/new"), false);
  put(backend, "after", 51);
  bench.wait((done) => backend.close(done));
  assert.equal(contentOf(bench.open("/data/db")), "after");
});

test("it waits for readers, and a pinned snapshot keeps what it had", () => {
  const bench = new Bench();
  bench.make("/data/new", "new", 50);
  const backend = bench.open("/data/db");
  put(backend, "old", 10);
  let pinned: { sizeBytes: number; read(at: number, target: Uint8Array): number; close(): void };
  bench.wait((done) =>
    backend.snapshot((snapshot) => {
      pinned = snapshot;
      done();
    }),
  );
  let isFree = false;
  let isReplaced = false;
  backend.replaceBy(
    "/data/new",
    () => isFree,
    () => {
      isReplaced = true;
    },
  );
  bench.world.runFor(1000);
  assert.equal(isReplaced, false);
  assert.equal(contentOf(backend), "old");
  isFree = true;
  bench.world.runFor(1000);
  assert.equal(isReplaced, true);
  assert.equal(contentOf(backend), "new");
  const bytes = new Uint8Array(pinned!.sizeBytes);
  pinned!.read(0, bytes);
  pinned!.close();
  assert.ok(Buffer.from(bytes).includes("old") && !Buffer.from(bytes).includes("new"));
});

test("a defragmentation under way gives up first", () => {
  const bench = new Bench();
  bench.make("/data/new", "new", 50);
  const backend = bench.open("/data/db");
  put(backend, "old", 10);
  let isDefragmented = false;
  backend.defragment(() => {
    isDefragmented = true;
  });
  bench.wait((done) => backend.replaceBy("/data/new", () => true, done));
  assert.equal(isDefragmented, true);
  assert.equal(contentOf(backend), "new");
  put(backend, "after", 51);
  bench.wait((done) => backend.close(done));
  assert.equal(contentOf(bench.open("/data/db")), "after");
});
