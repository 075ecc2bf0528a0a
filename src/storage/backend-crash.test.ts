// Power fails at any moment, and again, and again. What is found afterwards must be the state
// after exactly one entry of the log, not older than the last commit that was reported, and sound.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerLoss } from "../../test/simulation/sim-disk.ts";
import type { SimRandom } from "../../test/simulation/sim-random.ts";
import { SimWorld } from "../../test/simulation/world.ts";
import { silentLogger } from "../base/log.ts";
import type { Clock, Disk, Done, File, OpenOptions } from "../io/io.ts";
import { Backend } from "./backend.ts";

const PATH = "/data/db";
/** More of them find more: `SEEDS=1000 node --test …`. */
const { SEEDS: seedsText = "24" } = process.env;
const SEEDS = Number(seedsText);
const CRASHES_PER_SEED = 6;

type Change =
  | { readonly kind: "record"; readonly sub: number; readonly value: string }
  | { readonly kind: "forget"; readonly main: number; readonly sub: number }
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string };

/** What the database must hold after some entries. */
class Model {
  readonly records = new Map<string, string>();
  readonly entries = new Map<string, string>();

  apply(index: number, changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === "record") this.records.set(`${index}.${change.sub}`, change.value);
      if (change.kind === "forget") this.records.delete(`${change.main}.${change.sub}`);
      if (change.kind === "put") this.entries.set(change.key, change.value);
      if (change.kind === "delete") this.entries.delete(change.key);
    }
  }
}

/** The log: entry n is at n − 1; the index is the main revision of its records. */
class Log {
  readonly entries: Change[][] = [];
  readonly #random: SimRandom;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  entry(index: number): Change[] {
    while (this.entries.length < index) this.entries.push(this.#draw(this.entries.length + 1));
    return this.entries[index - 1]!;
  }

  stateAfter(index: number): Model {
    const model = new Model();
    for (let i = 1; i <= index; i++) model.apply(i, this.entry(i));
    return model;
  }

  #draw(index: number): Change[] {
    const random = this.#random;
    const changes: Change[] = [];
    const sizes = [10, 200, 1000, 5000, 20_000];
    const records = random.below(4);
    for (let sub = 0; sub < records; sub++) {
      const size = random.below(sizes[Math.floor(random.below(25) / 5)]!);
      changes.push({ kind: "record", sub, value: String(index % 10).repeat(size) });
    }
    if (random.oneIn(3)) {
      for (let age = 20; age < 60; age += 1 + random.below(3)) {
        const old = this.entries[index - age - 1];
        for (const change of old ?? []) {
          if (change.kind !== "record") continue;
          changes.push({ kind: "forget", main: index - age, sub: change.sub });
        }
      }
    }
    const key = `key ${random.below(30)}`;
    if (random.oneIn(2)) changes.push({ kind: "put", key, value: `${index}`.repeat(20) });
    if (random.oneIn(4)) changes.push({ kind: "delete", key });
    return dedupe(changes, this.entries);
  }
}

/** A record is forgotten once. */
function dedupe(changes: readonly Change[], before: readonly (readonly Change[])[]): Change[] {
  const gone = new Set<string>();
  for (const entry of before.slice(-100)) {
    for (const change of entry) {
      if (change.kind === "forget") gone.add(`${change.main}.${change.sub}`);
    }
  }
  return changes.filter(
    (change) => change.kind !== "forget" || !gone.has(`${change.main}.${change.sub}`),
  );
}

function applyEntry(backend: Backend, index: number, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind === "record") {
      const at = backend.reserveRecord(index, change.sub, false, change.value.length);
      backend.recordBuffer.set(Buffer.from(change.value), at);
    }
    if (change.kind === "forget") backend.deleteRecord(change.main, change.sub, false);
    if (change.kind === "put") {
      backend.put("lease", Buffer.from(change.key), Buffer.from(change.value));
    }
    if (change.kind === "delete") backend.delete("lease", Buffer.from(change.key));
  }
  backend.setApplied(index, 1);
}

function verify(backend: Backend, model: Model): void {
  const records: [string, string][] = [];
  backend.scanRecords(0, 0, (main, sub, _tombstone, bytes, start, end) => {
    records.push([`${main}.${sub}`, Buffer.from(bytes.subarray(start, end)).toString()]);
    return true;
  });
  const entries: [string, string][] = [];
  backend.forEach("lease", (key, value) => {
    entries.push([Buffer.from(key).toString(), Buffer.from(value).toString()]);
  });
  assert.deepEqual(new Map(records), model.records);
  assert.deepEqual(new Map(entries), model.entries);
  assert.deepEqual(backend.problems(), []);
}

interface Tally {
  crashes: number;
  /** Crashes after which the last entries were there, or were not. */
  complete: number;
  behind: number;
  defragmented: number;
}

/** One machine that crashes again and again. @throws when something is not as it must be */
function run(seed: number, wrap: (disk: Disk, clock: Clock) => Disk, tally: Tally): void {
  const world = new SimWorld(seed);
  const random = world.random.fork("test");
  const machine = world.machine(1n);
  const log = new Log(random.fork("log"));
  const options = {
    log: silentLogger,
    path: PATH,
    batchIntervalMs: 0.1 + random.below(20) / 4,
    batchLimit: 1 + random.below(60),
    freelistType: random.oneIn(2) ? ("map" as const) : ("array" as const),
  };
  const keepsSpare = random.oneIn(2);
  machine.start().disk.makeDirectory("/data");
  machine.disk.syncDirectory("/data");
  machine.disk.syncDirectory("/");
  let durable = 0;
  for (let crash = 0; crash < CRASHES_PER_SEED; crash++) {
    const { clock, disk } = machine.start();
    let isFatal = false;
    let index = 0;
    if (random.oneIn(3)) machine.disk.dieAt(1 + random.below(400));
    if (random.oneIn(5)) machine.disk.failAt("sync", 1 + random.below(40), "EIO");
    try {
      const onFatal = () => {
        isFatal = true;
      };
      const backend = Backend.open({ ...options, clock, disk: wrap(disk, clock), onFatal });
      if (keepsSpare) backend.keepSpare();
      index = backend.appliedIndex;
      assert.ok(index >= durable, `${index} is older than ${durable}, which was durable`);
      verify(backend, log.stateAfter(index));
      if (backend.appliedIndex < log.entries.length) tally.behind++;
      else tally.complete++;
      if (random.oneIn(3)) {
        backend.defragment((error) => {
          if (error === null) tally.defragmented++;
        });
      }
      const stopAt = index + random.below(250);
      while (index < stopAt && !isFatal && !machine.disk.dead) {
        index++;
        applyEntry(backend, index, log.entry(index));
        if (random.oneIn(10)) {
          const forced = index;
          backend.commit(() => {
            durable = Math.max(durable, forced);
          });
        }
        if (random.oneIn(3)) world.runFor(random.below(100) / 40);
        durable = Math.max(durable, backend.durableAppliedIndex);
      }
      world.runFor(random.below(100) / 50);
      durable = Math.max(durable, backend.durableAppliedIndex);
    } catch (error) {
      if (!(error instanceof PowerLoss) && !isPlanned(error)) throw error;
    }
    // What a failed sync left in the system's cache no later sync writes, and a new process cannot
    // tell: after such an error the machine has to be restarted, not only the process.
    if (!isFatal && random.oneIn(4)) machine.kill();
    else machine.crash();
    tally.crashes++;
  }
}

function isPlanned(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EIO";
}

test("after a crash the database holds exactly one state, no older than the last commit", () => {
  const tally: Tally = { crashes: 0, complete: 0, behind: 0, defragmented: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(seed, (disk) => disk, tally);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.equal(tally.crashes, SEEDS * CRASHES_PER_SEED);
  // The test is worth something only if it got into these situations.
  assert.ok(tally.behind > SEEDS, `${tally.behind} times something was lost`);
  assert.ok(tally.complete > SEEDS / 4, `${tally.complete} times nothing was lost`);
  assert.ok(tally.defragmented > SEEDS / 4, `${tally.defragmented} defragmentations`);
});

/** A disk that says "synced" and is not: the first sync of each commit, or the second. */
class LyingDisk implements Disk {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #lie: 0 | 1;

  constructor(disk: Disk, clock: Clock, lie: 0 | 1) {
    this.#disk = disk;
    this.#clock = clock;
    this.#lie = lie;
  }

  open(path: string, options: OpenOptions): File {
    const file = this.#disk.open(path, options);
    let syncs = 0;
    const sync = (done: Done) => {
      if (syncs++ % 2 === this.#lie) this.#clock.after(0.1, () => done(null));
      else file.sync(done);
    };
    return new Proxy(file, {
      get: (_target, name) => {
        if (name === "sync") return sync;
        const value = Reflect.get(file, name, file) as unknown;
        return typeof value === "function" ? value.bind(file) : value;
      },
    });
  }

  exists = (path: string): boolean => this.#disk.exists(path);
  isDirectory = (path: string): boolean => this.#disk.isDirectory(path);
  list = (directory: string): string[] => this.#disk.list(directory);
  makeDirectory = (path: string): void => this.#disk.makeDirectory(path);
  rename = (from: string, to: string): void => this.#disk.rename(from, to);
  link = (from: string, to: string): void => this.#disk.link(from, to);
  remove = (path: string): void => this.#disk.remove(path);
  syncDirectory = (directory: string, done?: Done): void =>
    this.#disk.syncDirectory(directory, done);
}

for (const [lie, name] of [
  [0, "the pages are not synced before the meta page"],
  [1, "a commit is reported before its meta page is synced"],
] as const) {
  test(`the test finds it when ${name}`, () => {
    const tally: Tally = { crashes: 0, complete: 0, behind: 0, defragmented: 0 };
    assert.throws(() => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        run(seed, (disk, clock) => new LyingDisk(disk, clock, lie), tally);
      }
    });
  });
}
