import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimWorld } from "../../../test/simulation/world.ts";
import { silentLogger } from "../../base/log.ts";
import type { ConfState, HardState } from "../../wire/messages/raft.ts";
import { NO_SNAPSHOT, readLog, validSnapshots, type WalSnapshot } from "./read-log.ts";
import type { WalEntry } from "./record.ts";
import { hasWal, listSegments } from "./segment.ts";
import { Wal, type WalOptions } from "./wal.ts";
import { WalError } from "./wal-error.ts";

const METADATA = Uint8Array.from([8, 1, 16, 2]);
const confState: ConfState = {
  voters: [1n, 0xfedcba9876543210n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

class Bench {
  readonly world = new SimWorld(1);
  readonly machine = this.world.machine(1n);
  readonly disk: SimDisk = this.machine.disk;
  readonly options: WalOptions;
  readonly warnings: string[] = [];

  constructor(segmentBytes = 8192) {
    const { clock } = this.machine.start();
    const warn = (message: string): number => this.warnings.push(message);
    const log = { ...silentLogger, warn };
    this.disk.makeDirectory("/m");
    this.disk.syncDirectory("/");
    this.options = { disk: this.disk, clock, log, directory: "/m/wal", segmentBytes };
  }

  create(): Wal {
    return Wal.create(this.options, METADATA);
  }

  open(from: WalSnapshot = NO_SNAPSHOT): ReturnType<typeof Wal.open> {
    const { clock } = this.machine.start();
    return Wal.open({ ...this.options, clock }, from);
  }

  append(wal: Wal, entries: WalEntry[], state?: HardState, mustSync = entries.length > 0): void {
    let result: Error | null | undefined;
    wal.append(entries, state, mustSync, (error) => (result = error));
    this.world.runUntil(() => result !== undefined);
    if (result !== null) throw result;
  }

  /** Until nothing is under way any more. */
  rest(): void {
    this.world.runUntil(() => false);
  }

  saveSnapshot(wal: Wal, snapshot: WalSnapshot): void {
    let done = false;
    wal.saveSnapshot(snapshot, (error) => {
      assert.equal(error, null);
      done = true;
    });
    assert.ok(this.world.runUntil(() => done));
  }

  /** What a new process finds, without an orderly end of this one. */
  contents(from?: WalSnapshot): ReturnType<typeof readLog>["contents"] {
    return readLog(this.disk, "/m/wal", from ?? NO_SNAPSHOT).contents;
  }
}

function entry(index: number, term = 1, length = 10): WalEntry {
  return { type: 0, term, index, data: new Uint8Array(length).fill(index) };
}

const state = (term: number, commit: number): HardState => ({ term, vote: 1n, commit });

describe("Wal", () => {
  it("starts with its metadata and nothing else", () => {
    const bench = new Bench();
    assert.equal(hasWal(bench.disk, "/m/wal"), false);
    bench.create().close();
    assert.equal(hasWal(bench.disk, "/m/wal"), true);
    assert.deepEqual(bench.disk.list("/m"), ["wal"]);
    assert.deepEqual(bench.disk.list("/m/wal"), ["0000000000000000-0000000000000000.wal"]);
    const { wal, contents } = bench.open();
    assert.deepEqual(contents.metadata, METADATA);
    assert.deepEqual(contents.entries, []);
    assert.equal(contents.hardState, undefined);
    assert.deepEqual(validSnapshots(bench.disk, "/m/wal"), [NO_SNAPSHOT]);
    wal.close();
  });

  it("gives back what was appended, over several openings", () => {
    const bench = new Bench(1_000_000);
    let wal = bench.create();
    bench.append(wal, [entry(1), entry(2, 1, 0)], state(1, 0));
    assert.equal(wal.lastIndex, 2);
    wal.close();
    wal = bench.open().wal;
    assert.equal(wal.lastIndex, 2);
    bench.append(wal, [{ ...entry(3, 2), type: 1 }, entry(4, 2, 5000)], state(2, 2));
    wal.close();
    const { contents } = bench.open();
    assert.deepEqual(contents.entries, [
      entry(1),
      entry(2, 1, 0),
      { ...entry(3, 2), type: 1 },
      entry(4, 2, 5000),
    ]);
    assert.deepEqual(contents.hardState, state(2, 2));
  });

  it("replaces entries by later ones with the same index", () => {
    const bench = new Bench(1_000_000);
    const wal = bench.create();
    bench.append(wal, [entry(1), entry(2), entry(3)]);
    bench.append(wal, [entry(2, 2)]);
    assert.equal(wal.lastIndex, 2);
    bench.append(wal, [entry(3, 3)]);
    assert.deepEqual(bench.contents().entries, [entry(1), entry(2, 2), entry(3, 3)]);
  });

  it("keeps a state that only commits until the next write, or until it is closed", () => {
    const bench = new Bench();
    const wal = bench.create();
    bench.append(wal, [entry(1)], state(1, 0));
    const written = bench.disk.calls.write;
    bench.append(wal, [], state(1, 1), false);
    assert.equal(bench.disk.calls.write, written);
    assert.deepEqual(bench.contents().hardState, state(1, 0));
    bench.append(wal, [entry(2)]);
    assert.equal(bench.disk.calls.write, written + 1);
    assert.deepEqual(bench.contents().hardState, state(1, 1));
    bench.append(wal, [], state(1, 2), false);
    wal.close();
    assert.deepEqual(bench.contents().hardState, state(1, 2));
  });

  it("is closed although the disk has no room for a commit index", () => {
    for (const call of ["write", "sync"] as const) {
      const bench = new Bench();
      const wal = bench.create();
      bench.append(wal, [entry(1)], state(1, 0));
      bench.append(wal, [], state(1, 1), false);
      bench.disk.failAt(call, 1, "ENOSPC");
      wal.close();
      assert.deepEqual(bench.warnings, ["failed to save the commit index at the end"]);
      assert.equal(bench.open().contents.entries.length, 1);
    }
  });

  it("writes a state that changes term or vote at once, and a group in one piece", () => {
    const bench = new Bench();
    const wal = bench.create();
    const written = bench.disk.calls.write;
    bench.append(wal, [], state(1, 0), true);
    assert.deepEqual(bench.contents().hardState, state(1, 0));
    bench.append(wal, [entry(1), entry(2), entry(3)], state(1, 1));
    assert.equal(bench.disk.calls.write, written + 2);
    assert.equal(bench.disk.calls.sync, 2, "the durable file needs no syncs but at its opening");
  });

  it("goes on in a next segment when one is full", () => {
    const bench = new Bench(4096);
    const wal = bench.create();
    for (let index = 1; index <= 40; index++) {
      bench.append(wal, [entry(index, 1, 500)], state(1, index - 1));
    }
    const names = bench.disk.list("/m/wal").filter((name) => name.endsWith(".wal"));
    assert.deepEqual(names.slice(0, 3), [
      "0000000000000000-0000000000000000.wal",
      // The first one is sparse, and left when a quarter of it is used and the next one is filled.
      "0000000000000001-0000000000000004.wal",
      "0000000000000002-000000000000000c.wal",
    ]);
    assert.equal(bench.contents().entries.length, 40);
    assert.deepEqual(bench.contents().hardState, state(1, 39));
    wal.close();
    assert.ok(!bench.disk.list("/m/wal").some((name) => name.endsWith(".tmp")));
    const { wal: again, contents } = bench.open();
    assert.equal(contents.entries.length, 40);
    bench.append(again, [entry(41, 2)]);
    assert.equal(bench.contents().entries.at(-1)!.term, 2);
  });

  it("leaves a large sparse segment, a new one or that of a restart, after the first megabyte", () => {
    const megabyte = 1024 * 1024;
    const bench = new Bench(16 * megabyte);
    const segments = (): number => {
      return bench.disk.list("/m/wal").filter((name) => name.endsWith(".wal")).length;
    };
    let wal = bench.create();
    let index = 0;
    for (const expected of [2, 3]) {
      bench.append(wal, [entry(++index, 1, megabyte / 2)]);
      assert.equal(segments(), expected - 1);
      bench.append(wal, [entry(++index, 1, megabyte / 2)]);
      bench.rest();
      bench.append(wal, [entry(++index)]);
      assert.equal(segments(), expected);
      // What was filled is used to its end.
      for (let at = 0; at < 3; at++) bench.append(wal, [entry(++index, 1, megabyte)]);
      bench.rest();
      bench.append(wal, [entry(++index)]);
      assert.equal(segments(), expected);
      wal.close();
      wal = bench.open().wal;
    }
    assert.equal(bench.contents().entries.length, index);
  });

  it("has the last state in the head of every segment", () => {
    const bench = new Bench(4096);
    const wal = bench.create();
    bench.append(wal, [entry(1)], state(7, 1));
    for (let index = 2; index <= 20; index++) bench.append(wal, [entry(index, 7, 500)]);
    bench.saveSnapshot(wal, { index: 19, term: 7, confState });
    bench.append(wal, [], state(7, 19), false);
    for (let index = 21; index <= 40; index++) bench.append(wal, [entry(index, 7, 500)]);
    wal.release(19);
    wal.purge(1);
    bench.world.runFor(1000);
    const segments = listSegments(bench.disk, "/m/wal");
    assert.ok(segments[0]!.firstIndex > 1 && segments[0]!.firstIndex <= 19);
    assert.deepEqual(bench.contents({ index: 19, term: 7, confState }).hardState, state(7, 19));
  });

  it("prepares the next segment in time and pauses", () => {
    const bench = new Bench(2_000_000);
    const wal = bench.create();
    bench.append(wal, [entry(1, 1, 100_000)]);
    bench.world.runFor(100);
    assert.equal(bench.disk.list("/m/wal").length, 1);
    bench.append(wal, [entry(2, 1, 500_000)]);
    bench.world.runFor(100);
    assert.deepEqual(bench.disk.list("/m/wal").at(-1), "1.tmp");
    const prepared = bench.disk.open("/m/wal/1.tmp", { mode: "read" });
    assert.equal(prepared.sizeBytes(), 2_000_000);
    bench.append(wal, [entry(3, 1, 1_500_000)]);
    bench.append(wal, [entry(4, 1, 10)]);
    assert.equal(listSegments(bench.disk, "/m/wal").length, 2);
    assert.equal(bench.contents().entries.length, 4);
  });

  it("has no overlapping appends, but takes a snapshot record at any time", () => {
    const bench = new Bench();
    const wal = bench.create();
    const seen: string[] = [];
    wal.append([entry(1)], undefined, true, () => {
      seen.push("append 1");
      wal.append([entry(2)], undefined, true, () => seen.push("append 2"));
    });
    assert.throws(() => wal.append([entry(2)], undefined, true, () => {}), /one append/);
    wal.saveSnapshot({ index: 1, term: 1, confState }, () => seen.push("snapshot 1"));
    assert.throws(() => wal.close(), /while it is appended to/);
    bench.world.runFor(100);
    wal.saveSnapshot({ index: 2, term: 1, confState }, () => seen.push("snapshot 2"));
    wal.append([entry(3)], state(1, 2), true, () => seen.push("append 3"));
    wal.saveSnapshot({ index: 3, term: 1, confState }, () => seen.push("snapshot 3"));
    bench.world.runFor(100);
    assert.deepEqual(seen, [
      "append 1",
      "append 2",
      "snapshot 1",
      "snapshot 2",
      "append 3",
      "snapshot 3",
    ]);
    assert.deepEqual(
      bench.contents().snapshots.map(({ index }) => index),
      [0, 1, 2, 3],
    );
    assert.deepEqual(
      validSnapshots(bench.disk, "/m/wal").map(({ index }) => index),
      [0, 1, 2],
    );
  });

  it("writes a snapshot record that is under way at the end, and forgets a later one", () => {
    const bench = new Bench();
    const wal = bench.create();
    bench.append(wal, [entry(1), entry(2)], state(1, 2));
    const seen: number[] = [];
    wal.saveSnapshot({ index: 1, term: 1, confState }, () => seen.push(1));
    wal.close();
    wal.saveSnapshot({ index: 2, term: 1, confState }, () => seen.push(2));
    bench.world.runFor(100);
    assert.deepEqual(seen, [1]);
    const { contents } = bench.open();
    assert.deepEqual(
      contents.snapshots.map(({ index }) => index),
      [0, 1],
    );
  });

  it("can be closed by whom it tells that an append is done", () => {
    const bench = new Bench();
    const wal = bench.create();
    wal.append([entry(1)], undefined, true, () => wal.close());
    wal.saveSnapshot({ index: 1, term: 1, confState }, () => assert.fail("it is closed"));
    bench.world.runFor(100);
    assert.equal(bench.open().contents.entries.length, 1);
  });

  it("starts behind a snapshot, with its configuration, and refuses one it does not hold", () => {
    const bench = new Bench();
    const wal = bench.create();
    bench.append(wal, [entry(1), entry(2), entry(3, 2)], state(2, 3));
    bench.saveSnapshot(wal, { index: 2, term: 1, confState });
    wal.close();
    const snapshot = validSnapshots(bench.disk, "/m/wal").at(-1)!;
    assert.deepEqual(snapshot, { index: 2, term: 1, confState });
    assert.deepEqual(bench.contents(snapshot).entries, [entry(3, 2)]);
    assert.throws(() => bench.open({ ...snapshot, term: 2 }), /snapshot 2 is of term 1, not 2/);
    assert.throws(() => bench.open({ ...snapshot, index: 1 }), /not hold the snapshot at index 1/);
    assert.throws(() => wal.saveSnapshot({ index: 3, term: 2, confState: undefined }, () => {}));
  });

  it("forgets entries that one before the snapshot has replaced", () => {
    const bench = new Bench();
    const wal = bench.create();
    bench.append(wal, [entry(1), entry(2), entry(3), entry(4)]);
    bench.append(wal, [entry(2, 2)], state(2, 2));
    bench.saveSnapshot(wal, { index: 2, term: 2, confState });
    assert.deepEqual(bench.contents({ index: 2, term: 2, confState }).entries, []);
    bench.append(wal, [entry(3, 2)]);
    assert.deepEqual(bench.contents({ index: 2, term: 2, confState }).entries, [entry(3, 2)]);
  });

  it("raises the last index by a snapshot from elsewhere and goes on behind it", () => {
    const bench = new Bench(4096);
    const wal = bench.create();
    bench.append(wal, [entry(1)], state(1, 1));
    bench.saveSnapshot(wal, { index: 100, term: 3, confState });
    assert.equal(wal.lastIndex, 100);
    bench.append(wal, [entry(101, 3, 5000)], state(3, 100));
    bench.append(wal, [entry(102, 3)]);
    wal.close();
    const { contents, wal: again } = bench.open(validSnapshots(bench.disk, "/m/wal").at(-1)!);
    assert.deepEqual(contents.entries, [entry(101, 3, 5000), entry(102, 3)]);
    assert.equal(again.lastIndex, 102);
    const [, second] = listSegments(bench.disk, "/m/wal");
    assert.equal(second!.firstIndex, 102);
  });

  it("purges released segments down to a number, and no others", () => {
    const bench = new Bench(4096);
    const wal = bench.create();
    for (let index = 1; index <= 60; index++) bench.append(wal, [entry(index, 1, 500)]);
    const before = listSegments(bench.disk, "/m/wal");
    wal.purge(2);
    bench.world.runFor(100);
    assert.deepEqual(listSegments(bench.disk, "/m/wal"), before);
    wal.release(before[3]!.firstIndex);
    wal.purge(2);
    bench.world.runFor(100);
    assert.deepEqual(listSegments(bench.disk, "/m/wal"), before.slice(2));
    wal.release(1000);
    wal.purge(2);
    bench.world.runFor(100);
    assert.deepEqual(listSegments(bench.disk, "/m/wal"), before.slice(-2));
  });

  it("is used by one process at a time", () => {
    const bench = new Bench();
    const wal = bench.create();
    assert.throws(() => bench.open(), /another process uses it; stop that one first/);
    wal.close();
    bench.open().wal.close();
  });

  it("says what is missing", () => {
    const bench = new Bench(4096);
    const wal = bench.create();
    for (let index = 1; index <= 40; index++) bench.append(wal, [entry(index, 1, 500)]);
    wal.close();
    const names = listSegments(bench.disk, "/m/wal").map(({ name }) => name);
    bench.disk.remove(`/m/wal/${names[1]}`);
    assert.throws(() => bench.open(), /segment with sequence 1 is missing/);
    bench.disk.remove(`/m/wal/${names[0]}`);
    assert.throws(() => bench.open(), /no segment holds the entries after index 0/);
  });
});

describe("Wal when the disk fails", () => {
  for (const code of ["EIO", "ENOSPC"] as const) {
    it(`reports ${code} through done and takes no more`, () => {
      const bench = new Bench();
      const wal = bench.create();
      bench.append(wal, [entry(1)]);
      bench.disk.failAt("write", 1, code);
      const seen: (string | undefined)[] = [];
      const see = (error: Error | null): void => {
        seen.push((error as { code?: string } | null)?.code);
      };
      wal.append([entry(2)], undefined, true, see);
      wal.saveSnapshot({ index: 1, term: 1, confState }, see);
      bench.world.runFor(100);
      wal.append([entry(2)], undefined, true, see);
      wal.append([], state(1, 1), false, see);
      assert.deepEqual(seen, [code, code, code, code]);
      wal.close();
      assert.deepEqual(bench.open().contents.entries[0], entry(1));
    });
  }

  it("reports every failure while it cuts, and loses nothing", () => {
    let failures = 0;
    for (let call = 1; call < 12; call++) {
      const bench = new Bench(4096);
      const wal = bench.create();
      let acknowledged = 0;
      bench.disk.failAt("any", call, "ENOSPC");
      try {
        for (let index = 1; index <= 3; index++) {
          bench.append(wal, [entry(index, 1, 2000)]);
          acknowledged = index;
        }
      } catch (error) {
        assert.equal((error as { code?: string }).code, "ENOSPC");
        failures++;
      }
      bench.disk.fates = ["kept", "lost", "torn"];
      bench.machine.crash();
      const { contents } = bench.open();
      assert.ok(contents.entries.length >= acknowledged, `call ${call}`);
    }
    assert.ok(failures >= 4, `${failures}`);
  });

  it("tries again when the next segment could not be prepared", () => {
    const bench = new Bench(2_000_000);
    const wal = bench.create();
    bench.append(wal, [entry(1, 1, 600_000)]);
    bench.disk.failAt("write", 2, "ENOSPC");
    bench.world.runFor(1000);
    assert.deepEqual(bench.warnings, ["failed to prepare the next segment of the write-ahead log"]);
    assert.equal(bench.disk.list("/m/wal").length, 1);
    bench.append(wal, [entry(2, 1, 1_600_000)]);
    bench.append(wal, [entry(3)]);
    assert.equal(listSegments(bench.disk, "/m/wal").length, 2);
  });

  it("fails to open a directory that cannot be read with the system's error", () => {
    const bench = new Bench();
    bench.create().close();
    bench.disk.failAt("read", 1, "EIO");
    assert.throws(() => bench.open(), { code: "EIO" });
    assert.ok(!(new Error("x") instanceof WalError));
    bench.open().wal.close();
  });
});
