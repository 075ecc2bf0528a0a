import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimDisk } from "../../test/simulation/sim-disk.ts";
import { SimWorld } from "../../test/simulation/world.ts";
import { silentLogger } from "../base/log.ts";
import { DataDir } from "./data-dir.ts";
import { Wal } from "./wal/wal.ts";

const NO_WAL_DIR = { dataDir: "/data/m1.etcd", walDir: undefined };

function bench(seed = 1): { world: SimWorld; disk: SimDisk } {
  const world = new SimWorld(seed);
  const machine = world.machine(1n);
  machine.start();
  return { world, disk: machine.disk };
}

describe("DataDir", () => {
  it("makes the layout, so that it outlives a crash", () => {
    for (let seed = 0; seed < 10; seed++) {
      const { disk } = bench(seed);
      const directory = DataDir.open(disk, silentLogger, NO_WAL_DIR);
      assert.equal(directory.databasePath, "/data/m1.etcd/member/snap/db");
      assert.equal(directory.walDirectory, "/data/m1.etcd/member/wal");
      assert.equal(directory.hasWal, false);
      assert.equal(directory.hadDatabase, false);
      disk.crash();
      assert.ok(disk.isDirectory(directory.snapDirectory));
    }
  });

  it("finds what is there, also in a directory of its own for the log", () => {
    const { disk, world } = bench();
    const options = { dataDir: "/data", walDir: "/fast/wal" };
    const first = DataDir.open(disk, silentLogger, options);
    disk.makeDirectory("/fast");
    const { clock } = world.machine(1n).start();
    const walOptions = { disk, clock, log: silentLogger, directory: first.walDirectory };
    Wal.create({ ...walOptions, segmentBytes: 4096 }, new Uint8Array(1)).close();
    disk.open(first.databasePath, { mode: "create" }).close();
    const second = DataDir.open(disk, silentLogger, options);
    assert.equal(second.hasWal, true);
    assert.equal(second.hadDatabase, true);
    assert.equal(DataDir.open(disk, silentLogger, { ...options, walDir: undefined }).hasWal, false);
  });

  it("removes what an interrupted run left half made, and only that", () => {
    const { disk } = bench();
    const { snapDirectory } = DataDir.open(disk, silentLogger, NO_WAL_DIR);
    const names = ["tmp123", "tmp-x.snap", "db.tmp.4", "db", "a.snap.broken", "x.snap"];
    for (const name of names) disk.open(`${snapDirectory}/${name}`, { mode: "create" }).close();
    DataDir.open(disk, silentLogger, NO_WAL_DIR);
    assert.deepEqual(disk.list(snapDirectory), ["a.snap.broken", "db", "x.snap"]);
  });

  it("puts a received database in place", () => {
    const { disk } = bench();
    const directory = DataDir.open(disk, silentLogger, NO_WAL_DIR);
    assert.equal(directory.useReceivedDatabase(7), false);
    for (const index of [6, 7]) {
      disk.open(directory.receivedDatabasePath(index), { mode: "create" }).close();
    }
    assert.equal(directory.useReceivedDatabase(7), true);
    directory.removeDatabasesBefore(7);
    assert.deepEqual(disk.list(directory.snapDirectory), ["db"]);
  });

  it("says which directory cannot be used", () => {
    const { disk } = bench();
    disk.failAt("makeDirectory", 1, "EROFS");
    assert.throws(
      () => DataDir.open(disk, silentLogger, NO_WAL_DIR),
      /^Error: cannot use data directory \/data\/m1\.etcd: EROFS: read-only file system/,
    );
  });
});
