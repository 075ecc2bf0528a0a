import assert from "node:assert/strict";
import { test } from "node:test";
import { SimWorld } from "../../test/simulation/world.ts";
import { silentLogger } from "../base/log.ts";
import type { Disk, File } from "../io/io.ts";
import { SpareFile } from "./spare-file.ts";

const PATH = "/data/db";
const COPY = "/data/db.tmp.1";
const BYTES = new Uint8Array(5000);

function started() {
  const world = new SimWorld(1);
  const { disk } = world.machine(1n).start();
  disk.makeDirectory("/data");
  const database = disk.open(PATH, { mode: "create" });
  database.writeNow(BYTES, 0);
  return { world, disk: world.machine(1n).disk, database };
}

/** What a defragmentation does with it; returns the copy, and who takes the old file. */
function replace(disk: Disk, spare: SpareFile): { copy: File; release: (file: File) => void } {
  const copy = spare.take(COPY) ?? disk.open(COPY, { mode: "create" });
  copy.writeNow(BYTES, 0);
  const release = spare.keep();
  disk.rename(COPY, PATH);
  return { copy, release };
}

test("the file that was replaced is the next one, when it is empty", () => {
  const { world, disk, database } = started();
  const spare = new SpareFile({ disk, log: silentLogger, path: PATH });
  assert.deepEqual(disk.list("/data"), ["db", "db.tmp.spare"]);
  const { copy, release } = replace(disk, spare);
  assert.equal(spare.take(COPY), undefined, "not yet");
  assert.equal(disk.open(PATH, { mode: "read" }).tryLock("exclusive"), false);
  release(database);
  assert.equal(database.sizeBytes(), BYTES.length, "not in this turn");
  world.runFor(10);
  assert.equal(database.sizeBytes(), 0);
  const second = replace(disk, spare);
  assert.equal(second.copy, database);
  second.release(copy);
  world.runFor(10);
  spare.close();
  assert.deepEqual(disk.list("/data"), ["db"]);
});

test("while a reader has the one before, the next copy goes without", () => {
  const { world, disk, database } = started();
  const spare = new SpareFile({ disk, log: silentLogger, path: PATH });
  const first = replace(disk, spare);
  const second = replace(disk, spare);
  const third = replace(disk, spare);
  second.release(first.copy);
  world.runFor(10);
  // It has no name any more: it cannot come back.
  assert.throws(() => first.copy.sizeBytes(), /closed/);
  assert.equal(spare.take(COPY), undefined);
  first.release(database);
  world.runFor(10);
  assert.equal(spare.take(COPY), database);
  assert.equal(third.copy.sizeBytes(), BYTES.length);
});

test("a disk that does not give one, or no second name, is no reason to stop", () => {
  const { world, disk, database } = started();
  disk.failAt("open", 1, "ENOSPC");
  const none = new SpareFile({ disk, log: silentLogger, path: PATH });
  assert.equal(none.take(COPY), undefined);
  disk.failAt("link", 1, "EACCES");
  const { copy, release } = replace(disk, none);
  release(database);
  world.runFor(10);
  assert.throws(() => database.sizeBytes(), /closed/);
  assert.equal(copy.sizeBytes(), BYTES.length);
  none.close();
  assert.deepEqual(disk.list("/data"), ["db"]);
});
