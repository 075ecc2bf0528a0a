// Random work on a disk that crashes at any moment, over and over: what was acknowledged is there
// afterwards, and nothing is there that was not handed in. Then the same with planted mistakes,
// which the same check has to find.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PowerLoss, type SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimRandom } from "../../../test/simulation/sim-random.ts";
import { type SimMachine, SimWorld } from "../../../test/simulation/world.ts";
import { silentLogger } from "../../base/log.ts";
import type { Done } from "../../io/io.ts";
import {
  type ConfState,
  decodeEntry,
  decodeHardState,
  type HardState,
} from "../../wire/messages/raft.ts";
import { decodeRecord } from "../../wire/messages/record.ts";
import { NO_SNAPSHOT, validSnapshots, type WalContents, type WalSnapshot } from "./read-log.ts";
import { RecordType, type WalEntry } from "./record.ts";
import { hasWal, listSegments } from "./segment.ts";
import { Wal, type WalOptions } from "./wal.ts";

const METADATA = Uint8Array.from([8, 1, 16, 2]);
const confState: ConfState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

interface Opened {
  wal: Wal | undefined;
  contents: WalContents;
  from: WalSnapshot;
}
type Opener = (options: WalOptions) => Opened;

interface Mistakes {
  /** The caller believes that it is durable before `done`. */
  readonly acknowledgeEarly?: boolean;
  /** How the log is read after a crash. */
  readonly open?: Opener;
}

const openProperly: Opener = (options) => {
  if (!hasWal(options.disk, options.directory)) {
    const wal = Wal.create(options, METADATA);
    const contents = { metadata: METADATA, hardState: undefined, entries: [], snapshots: [] };
    return { wal, contents, from: NO_SNAPSHOT };
  }
  const from = validSnapshots(options.disk, options.directory).at(-1) ?? NO_SNAPSHOT;
  return { ...Wal.open(options, from), from };
};

/** One step of the history: the log as it is once everything up to here has been written. */
interface Step {
  readonly entries: readonly WalEntry[];
  readonly state: HardState;
  readonly snapshots: readonly WalSnapshot[];
}

class Run {
  readonly #world: SimWorld;
  readonly #machine: SimMachine;
  readonly #disk: SimDisk;
  readonly #random: SimRandom;
  readonly #mistakes: Mistakes;
  readonly #segmentBytes: number;
  /** Single records, in the order in which they are to be found; the first ones surely. */
  #steps: Step[] = [{ entries: [], state: { term: 0, vote: 0n, commit: 0 }, snapshots: [] }];
  #acknowledged = 0;
  #wal: Wal | undefined;
  acknowledgedCount = 0;
  tornCount = 0;

  constructor(seed: number, mistakes: Mistakes) {
    this.#world = new SimWorld(seed);
    this.#random = new SimRandom(`wal ${seed}`);
    this.#machine = this.#world.machine(1n);
    this.#disk = this.#machine.disk;
    this.#disk.fates = ["kept", "lost", "torn"];
    this.#mistakes = mistakes;
    this.#segmentBytes = this.#random.pick([2048, 4096, 20_000]);
    this.#disk.makeDirectory("/m");
    this.#disk.syncDirectory("/");
  }

  /** Opens, checks, works until the power goes or the process is killed. */
  round(): void {
    let hasPower = true;
    try {
      if (this.#random.oneIn(4)) this.#disk.dieAt(this.#random.below(60) + 1);
      this.#open();
      this.#work();
      const diesAtCall = this.#random.oneIn(3);
      if (diesAtCall) this.#disk.dieAt(this.#random.below(40) + 1);
      this.#world.runFor(this.#random.between(0, 10));
      if (this.#random.oneIn(2)) this.#world.runUntil(() => this.#disk.underWay > 0, 5);
    } catch (error) {
      if (!(error instanceof PowerLoss)) throw error;
      hasPower = false;
    }
    if (hasPower && this.#random.oneIn(3)) this.#machine.kill();
    else this.#machine.crash();
    this.#wal = undefined;
  }

  #open(): void {
    const { clock } = this.#machine.start();
    const warn = (message: string): void => {
      if (message.startsWith("repaired")) this.tornCount++;
    };
    const { contents, wal, from } = (this.#mistakes.open ?? openProperly)({
      disk: this.#disk,
      clock,
      log: { ...silentLogger, warn },
      directory: "/m/wal",
      segmentBytes: this.#segmentBytes,
    });
    this.#check(contents, from);
    this.#wal = wal;
  }

  #check(contents: WalContents, from: WalSnapshot): void {
    const state = contents.hardState ?? { term: 0, vote: 0n, commit: 0 };
    const candidates = this.#steps.slice(this.#acknowledged);
    const leastCommit = candidates[0]!.state.commit;
    const isThis = (step: Step): boolean =>
      sameEntries(step.entries.slice(from.index), contents.entries) &&
      step.state.term === state.term &&
      step.state.vote === state.vote &&
      // A state that only commits may be left out when another one follows.
      leastCommit <= state.commit &&
      state.commit <= step.state.commit &&
      (step.snapshots.at(-1)?.index ?? 0) === from.index;
    const found = candidates.find(isThis);
    assert.ok(found !== undefined, "what is in the log was never, or is no longer, its content");
    this.#steps = [{ ...found, state }];
    this.#acknowledged = 0;
  }

  /** Hands in something at random, and again when that is done. */
  #work(): void {
    const wal = this.#wal;
    if (wal === undefined) return;
    const random = this.#random;
    const last = this.#steps.at(-1)!;
    if (random.oneIn(6) && this.#mistakes.open === undefined) this.#snapshot(wal, last);
    if (random.oneIn(10)) {
      wal.release(last.snapshots.at(-1)?.index ?? 0);
      wal.purge(1 + random.below(3));
    }
    const kept = Math.max(last.state.commit, last.snapshots.at(-1)?.index ?? 0);
    const overwrites = random.oneIn(6);
    const start = overwrites ? kept + random.below(last.entries.length - kept + 1) : Infinity;
    // A torn group may have left entries of a term whose state is lost.
    const known = Math.max(1, last.state.term, last.entries.at(-1)?.term ?? 0);
    const term = known + (overwrites || random.oneIn(10) ? 1 : 0);
    const entries: WalEntry[] = [];
    const first = Math.min(start, last.entries.length) + 1;
    const count = random.oneIn(5) ? 0 : 1 + random.below(5);
    for (let index = first; index < first + count; index++) {
      entries.push({ type: 0, term, index, data: this.#data() });
    }
    const reach = count > 0 ? first + count - 1 : last.entries.length;
    const commit = kept + random.below(Math.max(1, reach - kept + 1));
    const state: HardState = { term, vote: BigInt(1 + random.below(3)), commit };
    const mustSync = term !== last.state.term || state.vote !== last.state.vote;
    this.#append(wal, entries, random.oneIn(5) && !mustSync ? undefined : state, mustSync);
  }

  #data(): Uint8Array {
    const random = this.#random;
    const length = random.pick([0, 1, 30, 700, 3000, 9000]);
    return random.oneIn(4) ? new Uint8Array(length) : random.bytes(length);
  }

  #append(wal: Wal, entries: WalEntry[], state: HardState | undefined, mustSync: boolean): void {
    const isWritten = entries.length > 0 || mustSync;
    const before = this.#steps.at(-1)!;
    let log = before.entries;
    for (const entry of entries) {
      log = [...log.slice(0, entry.index - 1), entry];
      this.#steps.push({ ...this.#steps.at(-1)!, entries: log });
    }
    if (state !== undefined) this.#steps.push({ ...this.#steps.at(-1)!, state });
    const reached = this.#steps.length - 1;
    const acknowledge = (): void => {
      if (isWritten) this.#acknowledged = Math.max(this.#acknowledged, reached);
      this.acknowledgedCount++;
    };
    if (this.#mistakes.acknowledgeEarly === true) acknowledge();
    wal.append(entries, state, mustSync, (error) => {
      if (error !== null) throw error;
      acknowledge();
      this.#machine.clock.after(this.#random.oneIn(4) ? 1 : 0, () => this.#work());
    });
  }

  #snapshot(wal: Wal, last: Step): void {
    const index = last.state.commit;
    const known = last.snapshots.at(-1)?.index ?? 0;
    if (index <= known) return;
    const snapshot = { index, term: last.entries[index - 1]!.term, confState };
    this.#steps.push({ ...last, snapshots: [...last.snapshots, snapshot] });
    const reached = this.#steps.length - 1;
    wal.saveSnapshot(snapshot, (error) => {
      if (error !== null) throw error;
      this.#acknowledged = Math.max(this.#acknowledged, reached);
    });
  }
}

function sameEntries(left: readonly WalEntry[], right: readonly WalEntry[]): boolean {
  const same = (one: WalEntry, other: WalEntry | undefined): boolean =>
    one.term === other?.term &&
    one.index === other.index &&
    Buffer.compare(one.data, other.data) === 0;
  return left.length === right.length && left.every((one, at) => same(one, right[at]));
}

function runSeed(seed: number, mistakes: Mistakes = {}): Run {
  const run = new Run(seed, mistakes);
  for (let round = 0; round < 8; round++) run.round();
  return run;
}

describe("Wal on a disk that crashes", () => {
  it("has what was acknowledged and nothing that was not handed in", () => {
    let acknowledged = 0;
    let torn = 0;
    for (let seed = 0; seed < 130; seed++) {
      try {
        const run = runSeed(seed);
        acknowledged += run.acknowledgedCount;
        torn += run.tornCount;
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    assert.ok(acknowledged > 2000, `only ${acknowledged} appends were acknowledged`);
    assert.ok(torn > 20, `only ${torn} torn ends were repaired`);
  });

  it("finds out a caller that answers before it is durable", () => {
    const found = countFound(50, { acknowledgeEarly: true });
    assert.ok(found > 15, `${found} of 50 seeds`);
  });

  it("finds out a reader that trusts what stands in the file", () => {
    const found = countFound(50, { open: openTrusting });
    assert.ok(found > 3, `${found} of 50 seeds`);
  });

  it("finds out a reader that trusts names that a killed process has not synced", () => {
    const found = countFound(300, { open: openWithoutSync });
    assert.ok(found > 0, `${found} of 300 seeds`);
  });
});

function countFound(seeds: number, mistakes: Mistakes): number {
  let found = 0;
  for (let seed = 0; seed < seeds; seed++) {
    try {
      runSeed(seed, mistakes);
    } catch (error) {
      assert.match((error as Error).message, /never, or is no longer/);
      found++;
    }
  }
  return found;
}

/** A directory is not synced before its files are read. */
const openWithoutSync: Opener = (options) => {
  if (!hasWal(options.disk, options.directory)) return openProperly(options);
  const disk = new Proxy(options.disk, {
    get(target, name) {
      if (name !== "syncDirectory") {
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (path: string, done?: Done) => {
        if (done !== undefined) target.syncDirectory(path, done);
      };
    },
  });
  return openProperly({ ...options, disk });
};

/** Takes every record at its word: no checksums, no torn ends. */
const openTrusting: Opener = (options) => {
  const { disk, directory } = options;
  if (!hasWal(disk, directory)) return openProperly(options);
  const entries: WalEntry[] = [];
  let hardState: HardState | undefined;
  for (const segment of listSegments(disk, directory)) {
    const file = disk.open(`${directory}/${segment.name}`, { mode: "read" });
    const bytes = Buffer.alloc(file.sizeBytes());
    file.read(bytes, 0);
    file.close();
    for (let at = 0; at + 8 <= bytes.length; ) {
      const length = bytes.readUIntLE(at, 6);
      if (length === 0) break;
      const record = bytes.subarray(at + 8, at + 8 + length);
      if (record[1] === RecordType.Entry) addTrusting(entries, record);
      if (record[1] === RecordType.State) hardState = decodeHardState(dataOf(record));
      at += (8 + length + 7) & ~7;
    }
  }
  const opened = openProperly(options);
  return { ...opened, contents: { ...opened.contents, entries, hardState } };
};

function dataOf(record: Uint8Array): Uint8Array {
  try {
    return decodeRecord(record).data;
  } catch {
    return new Uint8Array(0);
  }
}

function addTrusting(entries: WalEntry[], record: Uint8Array): void {
  let entry: WalEntry;
  try {
    entry = decodeEntry(dataOf(record));
  } catch {
    entry = { type: 0, term: 0, index: entries.length + 1, data: record };
  }
  entries.length = Math.min(entries.length, Math.max(0, entry.index - 1));
  entries.push(entry);
}
