// A snapshot from elsewhere replaces a log: all of it is there after a crash, or nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimWorld } from "../../../test/simulation/world.ts";
import { silentLogger } from "../../base/log.ts";
import type { ConfState } from "../../wire/messages/raft.ts";
import { NO_SNAPSHOT, validSnapshots } from "./read-log.ts";
import type { WalEntry } from "./record.ts";
import { Wal, type WalOptions } from "./wal.ts";

const confState: ConfState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
const BASE = { index: 100, term: 5, confState };
const AFTER = { term: 6, vote: 2n, commit: 100 };

function entries(from: number, to: number, term: number): WalEntry[] {
  const all: WalEntry[] = [];
  for (let index = from; index <= to; index++) {
    all.push({ type: 0, term, index, data: Buffer.from(`${term}.${index}`) });
  }
  return all;
}

class Bench {
  readonly world: SimWorld;
  readonly machine: ReturnType<SimWorld["machine"]>;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.machine = this.world.machine(1n);
    this.machine.disk.fates = ["kept", "lost", "torn"];
    this.machine.start();
    this.machine.disk.makeDirectory("/m");
    this.machine.disk.syncDirectory("/");
  }

  options(): WalOptions {
    const { clock, disk } = this.machine.start();
    return { disk, clock, log: silentLogger, directory: "/m/wal", segmentBytes: 8192 };
  }

  /** A log that is ahead of the snapshot with what nobody agreed to. */
  begin(): Wal {
    const wal = Wal.create(this.options(), Uint8Array.of(8, 1, 16, 2));
    this.append(wal, entries(1, 120, 2), { term: 2, vote: 1n, commit: 90 });
    return wal;
  }

  append(wal: Wal, group: WalEntry[], state: { term: number; vote: bigint; commit: number }): void {
    let isDone = false;
    wal.append(group, state, true, (error) => {
      assert.equal(error, null);
      isDone = true;
    });
    assert.ok(this.world.runUntil(() => isDone));
  }

  startOver(wal: Wal): void {
    let isDone = false;
    wal.startOver(BASE, AFTER, (error) => {
      assert.equal(error, null);
      isDone = true;
    });
    assert.ok(this.world.runUntil(() => isDone));
  }
}

describe("Wal that starts over", () => {
  it("forgets what stood behind the snapshot, and goes on there", () => {
    const bench = new Bench(1);
    const wal = bench.begin();
    bench.startOver(wal);
    assert.equal(wal.lastIndex, 100);
    bench.append(wal, entries(101, 103, 6), { term: 6, vote: 2n, commit: 101 });
    wal.close();
    const options = bench.options();
    const snapshot = validSnapshots(options.disk, options.directory).at(-1)!;
    assert.deepEqual(snapshot, BASE);
    const { contents } = Wal.open(options, snapshot);
    assert.deepEqual(contents.hardState, { term: 6, vote: 2n, commit: 101 });
    assert.deepEqual(
      contents.entries.map(({ term, index }) => `${term}.${index}`),
      ["6.101", "6.102", "6.103"],
    );
  });

  it("waits for a snapshot record that is under way", () => {
    const bench = new Bench(1);
    const wal = bench.begin();
    const done: string[] = [];
    wal.saveSnapshot({ index: 80, term: 2, confState }, () => done.push("record"));
    wal.startOver(BASE, AFTER, () => done.push("over"));
    assert.ok(bench.world.runUntil(() => done.length === 2));
    assert.deepEqual(done, ["record", "over"]);
    wal.close();
    const { disk, directory } = bench.options();
    assert.deepEqual(
      validSnapshots(disk, directory).map(({ index }) => index),
      [0, 80, 100],
    );
  });

  it("is all there after a crash, or not begun", () => {
    const found = { before: 0, after: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      const bench = new Bench(seed);
      const wal = bench.begin();
      let isDone = false;
      wal.startOver(BASE, AFTER, () => {
        isDone = true;
      });
      const steps = bench.world.random.fork("crash").below(12);
      for (let step = 0; step < steps; step++) bench.world.schedule.step();
      const wasDone = isDone;
      bench.machine.crash();
      const options = bench.options();
      const snapshot = validSnapshots(options.disk, options.directory).at(-1) ?? NO_SNAPSHOT;
      const { contents } = Wal.open(options, snapshot);
      if (snapshot.index === BASE.index) {
        found.after++;
        assert.deepEqual(contents.hardState, AFTER);
        assert.deepEqual(contents.entries, []);
      } else {
        assert.ok(!wasDone, `seed ${seed}: what was done is there`);
        found.before++;
        assert.equal(contents.hardState?.commit, 90);
        assert.equal(contents.entries.length, 120);
      }
    }
    assert.ok(found.before > 0 && found.after > 0, JSON.stringify(found));
  });
});
