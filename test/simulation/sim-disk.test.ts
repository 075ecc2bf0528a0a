import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { File } from "../../src/io/io.ts";
import { contentOf } from "./content-of.ts";
import { PowerLoss, SimDisk, type SimDiskOptions } from "./sim-disk.ts";
import { SimRandom } from "./sim-random.ts";
import { SimWorld } from "./world.ts";

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

interface Bench {
  world: SimWorld;
  disk: SimDisk;
}

function bench(seed: number, options: Partial<SimDiskOptions> = {}): Bench {
  const world = new SimWorld(seed);
  const { clock } = world.machine(1n).start();
  const disk = new SimDisk({ clock, random: new SimRandom(seed), ...options });
  disk.makeDirectory("/d");
  disk.syncDirectory("/");
  return { world, disk };
}

function durableFile(disk: SimDisk, path: string, options: { durable?: boolean } = {}): File {
  const file = disk.open(path, { mode: "create", ...options });
  disk.syncDirectory("/d");
  return file;
}

/** What a file of 1 KiB of ones over 1 KiB of zeros looks like after a crash, over many seeds. */
function outcomes(act: (file: File, bench: Bench) => void, count = 200): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < count; seed++) {
    const setting = bench(seed);
    const file = durableFile(setting.disk, "/d/a");
    file.writeNow(fill(1024, 0), 0);
    file.syncNow();
    act(file, setting);
    setting.disk.crash();
    const bytes = contentOf(setting.disk, "/d/a");
    const sectors = [bytes.subarray(0, 512), bytes.subarray(512)].map((sector) =>
      sector.every((byte) => byte === 1) ? "1" : sector.every((byte) => byte === 0) ? "0" : "?",
    );
    seen.add(sectors.join(""));
  }
  return seen;
}

describe("SimDisk at a crash", () => {
  it("keeps, loses, tears or garbles a write that was not synced", () => {
    const seen = outcomes((file) => file.writeNow(fill(1024, 1), 0));
    for (const expected of ["11", "00", "10", "01", "1?", "?1", "??"]) {
      assert.ok(seen.has(expected), `${expected} never happened: ${[...seen]}`);
    }
  });

  it("keeps what was synced", () => {
    const seen = outcomes((file) => {
      file.writeNow(fill(1024, 1), 0);
      file.syncNow();
    });
    assert.deepEqual([...seen], ["11"]);
  });

  it("has a write at risk until the sync that covers it has finished", () => {
    const seen = outcomes((file, { world }) => {
      file.writeNow(fill(1024, 1), 0);
      file.sync(() => assert.fail("the sync takes longer"));
      world.runFor(0.01);
    });
    assert.ok(seen.has("00") && seen.has("11"));
    const finished = outcomes((file, { world }) => {
      file.writeNow(fill(1024, 1), 0);
      let done = false;
      file.sync(() => (done = true));
      assert.ok(world.runUntil(() => done));
    });
    assert.deepEqual([...finished], ["11"]);
  });

  it("does not cover writes begun before the sync but not done", () => {
    const seen = outcomes((file, { world, disk }) => {
      disk.writeMs = [5, 6];
      disk.syncMs = [1, 2];
      file.write(fill(1024, 1), 0, () => {});
      let done = false;
      file.sync(() => (done = true));
      world.runUntil(() => done);
      world.runFor(10);
    });
    assert.ok(seen.has("00"));
  });

  it("has a durable write at risk until it is done", () => {
    for (const [waitMs, sure] of [
      [0.01, false],
      [5, true],
    ] as const) {
      const seen = new Set<number>();
      for (let seed = 0; seed < 100; seed++) {
        const { world, disk } = bench(seed);
        const file = durableFile(disk, "/d/a", { durable: true });
        file.write(fill(8, 1), 0, () => {});
        world.runFor(waitMs);
        disk.crash();
        seen.add(contentOf(disk, "/d/a")[0] ?? 0);
      }
      assert.equal(seen.has(0), !sure);
      assert.ok(seen.has(1));
    }
  });

  it("loses and keeps each write for itself", () => {
    const seen = outcomes((file) => {
      file.writeNow(fill(512, 1), 0);
      file.writeNow(fill(512, 1), 512);
    });
    for (const expected of ["11", "00", "10", "01"]) assert.ok(seen.has(expected));
  });

  it("has names at risk until the directory is synced, a rename as a whole", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const { disk } = bench(seed);
      durableFile(disk, "/d/old").close();
      disk.open("/d/created", { mode: "create" }).close();
      disk.rename("/d/old", "/d/new");
      disk.crash();
      seen.add(disk.list("/d").join());
    }
    const expected = ["created,new", "created,old", "new", "old"];
    assert.deepEqual([...seen].sort(), expected);
  });

  it("keeps names that were synced, and brings back a removed one otherwise", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { disk } = bench(seed);
      durableFile(disk, "/d/a").close();
      durableFile(disk, "/d/b").close();
      disk.remove("/d/a");
      disk.syncDirectory("/d");
      disk.remove("/d/b");
      disk.crash();
      assert.ok(!disk.exists("/d/a"));
    }
    const survivors = new Set<boolean>();
    for (let seed = 0; seed < 50; seed++) {
      const { disk } = bench(seed);
      durableFile(disk, "/d/b").close();
      disk.remove("/d/b");
      disk.crash();
      survivors.add(disk.exists("/d/b"));
    }
    assert.equal(survivors.size, 2);
  });

  it("covers names by a directory sync that has finished, as they were when it began", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const { world, disk } = bench(seed);
      disk.open("/d/before", { mode: "create" }).close();
      let done = false;
      disk.syncDirectory("/d", () => (done = true));
      disk.open("/d/after", { mode: "create" }).close();
      disk.syncDirectory("/d", () => {});
      world.runUntil(() => done, 10);
      disk.crash();
      seen.add(disk.list("/d").join());
    }
    assert.deepEqual([...seen].sort(), ["after,before", "before"]);
  });

  it("frees locks, and ends what was open", () => {
    const { world, disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    assert.ok(file.tryLock("exclusive"));
    file.write(fill(8, 1), 0, () => assert.fail("belongs to the dead process"));
    disk.crash();
    world.runFor(100);
    assert.throws(() => file.writeNow(fill(8, 1), 0), /before the crash/);
    assert.ok(disk.open("/d/a", { mode: "write" }).tryLock("exclusive"));
  });

  it("makes copies of what a crash could leave, and goes on", () => {
    const { world, disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    file.writeNow(fill(512, 1), 0);
    const sizes = new Set<number>();
    const { clock } = world.machine(2n).start();
    for (let seed = 0; seed < 50; seed++) {
      const copy = disk.crashedCopy(clock, new SimRandom(seed));
      sizes.add(contentOf(copy, "/d/a").length);
    }
    assert.deepEqual([...sizes].sort(), [0, 512]);
    file.writeNow(fill(512, 1), 512);
    assert.equal(contentOf(disk, "/d/a").length, 1024);
  });
});

describe("SimDisk that is killed, not powered off", () => {
  it("keeps what was written and finishes what was under way or does not", () => {
    const sizes = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const { disk } = bench(seed);
      const file = disk.open("/d/a", { mode: "create" });
      file.writeNow(fill(512, 1), 0);
      file.write(fill(512, 1), 512, () => assert.fail("nobody is left"));
      disk.kill();
      sizes.add(contentOf(disk, "/d/a").length);
    }
    assert.deepEqual([...sizes].sort(), [1024, 512]);
  });
});

describe("SimDisk with faults", () => {
  it("fails the n-th call of a kind or of all, once", () => {
    const { disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    disk.failAt("write", 2, "ENOSPC");
    file.writeNow(fill(8, 1), 0);
    assert.throws(() => file.writeNow(fill(8, 1), 0), { code: "ENOSPC" });
    file.writeNow(fill(8, 1), 0);
    disk.failAt("any", 1, "EIO");
    assert.throws(() => file.read(new Uint8Array(1), 0), { code: "EIO" });
    assert.equal(file.read(new Uint8Array(1), 0), 1);
  });

  it("stops a failing write where a sector of the file ends", () => {
    const ends = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const { disk } = bench(seed);
      const file = durableFile(disk, "/d/a");
      file.writeNow(fill(100, 1), 0);
      disk.failAt("write", 1, "ENOSPC");
      assert.throws(() => file.writeNow(fill(1000, 1), 100), { code: "ENOSPC" });
      ends.add(file.sizeBytes());
    }
    const ascending = [...ends].sort((a, b) => a - b);
    assert.deepEqual(ascending, [100, 512, 1024, 1100]);
  });

  it("reports through done when the call is asynchronous", () => {
    const { world, disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    const seen: string[] = [];
    disk.failAt("write", 1, "ENOSPC");
    disk.failAt("sync", 1, "EIO");
    file.write(fill(8, 1), 0, (error) => seen.push(`write ${(error as { code?: string }).code}`));
    world.runFor(10);
    file.sync((error) => seen.push(`sync ${(error as { code?: string }).code}`));
    world.runFor(10);
    assert.deepEqual(seen, ["write ENOSPC", "sync EIO"]);
  });

  it("never makes durable what a failed sync should have covered", () => {
    const seen = outcomes((file, { disk }) => {
      file.writeNow(fill(1024, 1), 0);
      disk.failAt("sync", 1, "EIO");
      assert.throws(() => file.syncNow(), { code: "EIO" });
      file.syncNow();
    });
    assert.ok(seen.has("00"));
  });

  it("stops everything at a power loss", () => {
    const { world, disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    disk.dieAt(2);
    file.write(fill(8, 1), 0, () => assert.fail("no power"));
    assert.throws(() => file.writeNow(fill(8, 1), 0), PowerLoss);
    assert.throws(() => disk.list("/d"), PowerLoss);
    world.runFor(10);
    disk.crash();
    assert.deepEqual(disk.list("/d"), ["a"]);
  });

  it("notices bytes that change under a write, and writes that overlap", () => {
    const { world, disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    const bytes = fill(8, 1);
    file.write(bytes, 0, () => {});
    assert.throws(() => file.write(fill(8, 1), 4, () => {}), /overlap/);
    bytes[3] = 9;
    assert.throws(() => world.runFor(10), /changed/);
  });

  it("flips a bit for readers and for good", () => {
    const { disk } = bench(1);
    const file = durableFile(disk, "/d/a");
    file.writeNow(fill(2, 0), 0);
    file.syncNow();
    disk.flipBit("/d/a", 9);
    assert.deepEqual([...contentOf(disk, "/d/a")], [0, 2]);
    disk.crash();
    assert.deepEqual([...contentOf(disk, "/d/a")], [0, 2]);
  });
});
