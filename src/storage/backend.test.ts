import assert from "node:assert/strict";
import { test } from "node:test";
import { SimWorld } from "../../test/simulation/world.ts";
import { silentLogger } from "../base/log.ts";
import { Backend, type BackendOptions } from "./backend.ts";
import type { HashJob } from "./backend-hash.ts";
import type { BackendSnapshot } from "./backend-snapshot.ts";
import { Db } from "./bolt/db.ts";
import { decodeMeta, type Meta } from "./bolt/meta.ts";
import { ALL_BUCKETS, Bucket, MetaKey, uint64Bytes } from "./schema.ts";
import { DatabaseDamagedError, DatabaseLockedError } from "./store.ts";

const PATH = "/data/db";

class Harness {
  readonly world: SimWorld;
  readonly options: BackendOptions;
  backend: Backend;
  fatal: Error | undefined;

  constructor(seed = 1, overrides: Partial<BackendOptions> = {}) {
    this.world = new SimWorld(seed);
    const { clock, disk } = this.world.machine(1n).start();
    disk.makeDirectory("/data");
    disk.syncDirectory("/");
    this.options = {
      disk,
      clock,
      log: silentLogger,
      path: PATH,
      batchIntervalMs: 100,
      batchLimit: 10_000,
      freelistType: "map",
      onFatal: (error) => {
        this.fatal = error;
      },
      ...overrides,
    };
    this.backend = Backend.open(this.options);
  }

  get disk() {
    return this.world.machine(1n).disk;
  }

  putRecord(main: number, sub: number, value: string, tombstone = false): void {
    const bytes = Buffer.from(value);
    const at = this.backend.reserveRecord(main, sub, tombstone, bytes.length);
    this.backend.recordBuffer.set(bytes, at);
  }

  getRecord(main: number, sub: number): string | undefined {
    const { backend } = this;
    if (!backend.findRecord(main, sub)) return undefined;
    return text(backend.foundBytes.subarray(backend.foundStart, backend.foundEnd));
  }

  records(fromMain = 0, fromSub = 0): string[] {
    const found: string[] = [];
    this.backend.scanRecords(fromMain, fromSub, (main, sub, tombstone, bytes, start, end) => {
      const mark = tombstone ? "t" : "";
      const key = Buffer.from(bytes.subarray(start - (tombstone ? 18 : 17), start));
      assert.equal(key.readBigUInt64BE(0), BigInt(main));
      assert.equal(key.readBigUInt64BE(9), BigInt(sub));
      found.push(`${main}.${sub}${mark}=${text(bytes.subarray(start, end))}`);
      return true;
    });
    return found;
  }

  entries(bucket: string): string[] {
    const found: string[] = [];
    this.backend.forEach(bucket, (key, value) => found.push(`${text(key)}=${text(value)}`));
    return found;
  }

  until(start: (done: () => void) => void): void {
    let isDone = false;
    start(() => {
      isDone = true;
    });
    assert.equal(isDone, false, "never from within the call");
    assert.equal(
      this.world.runUntil(() => isDone || this.fatal !== undefined),
      true,
    );
    if (this.fatal !== undefined) throw this.fatal;
  }

  commit(): void {
    this.until((done) => this.backend.commit(done));
    assert.deepEqual(this.backend.problems(), []);
  }

  reopen(): void {
    this.until((done) => this.backend.close(done));
    this.backend = Backend.open(this.options);
  }

  snapshot(): BackendSnapshot {
    let snapshot: BackendSnapshot | undefined;
    this.until((done) =>
      this.backend.snapshot((ready) => {
        snapshot = ready;
        done();
      }),
    );
    return snapshot!;
  }

  hash(): number {
    let hash = 0;
    this.until((done) =>
      this.backend.hash((value) => {
        hash = value;
        done();
      }),
    );
    return hash;
  }

  defragment(): void {
    this.until((done) =>
      this.backend.defragment((error) => {
        assert.equal(error, null);
        done();
      }),
    );
    assert.deepEqual(this.backend.problems(), []);
    assert.deepEqual(this.disk.list("/data"), ["db"]);
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function bytes(value: string): Uint8Array {
  return Buffer.from(value, "latin1");
}

test("records are found in the open batch, in the one being committed, and on disk", () => {
  const h = new Harness();
  const check = () => {
    assert.equal(h.getRecord(2, 0), "a");
    assert.equal(h.getRecord(3, 0), "b");
    assert.equal(h.getRecord(3, 1), "c");
    assert.equal(h.getRecord(4, 0), undefined, "a tombstone is not found");
    assert.equal(h.getRecord(3, 2), undefined);
    assert.equal(h.getRecord(9, 0), undefined);
    assert.deepEqual(h.records(), ["2.0=a", "3.0=b", "3.1=c", "4.0t=key"]);
    assert.deepEqual(h.records(3, 1), ["3.1=c", "4.0t=key"]);
  };
  h.putRecord(2, 0, "a");
  h.putRecord(3, 0, "b");
  h.putRecord(3, 1, "c");
  h.putRecord(4, 0, "key", true);
  check();
  h.until((done) => {
    h.backend.commit(done);
    check();
  });
  check();
  h.reopen();
  check();
});

test("layers add up: committed, in commit and open", () => {
  const h = new Harness();
  for (const layer of [0, 1, 2]) {
    h.putRecord(10 + layer, 0, `r${layer}`);
    h.backend.put("lease", bytes(`k${layer}`), bytes(`v${layer}`));
    h.backend.put("lease", bytes("same"), bytes(`v${layer}`));
    if (layer === 0) h.commit();
    if (layer === 1) h.backend.commit();
  }
  h.backend.delete("lease", bytes("k0"));
  const check = () => {
    assert.deepEqual(h.records(), ["10.0=r0", "11.0=r1", "12.0=r2"]);
    assert.deepEqual(h.entries("lease"), ["k1=v1", "k2=v2", "same=v2"]);
    assert.equal(text(h.backend.get("lease", bytes("same"))!), "v2");
    assert.equal(h.backend.get("lease", bytes("k0")), undefined);
    assert.equal(h.backend.get("lease", bytes("k")), undefined);
  };
  check();
  h.commit();
  check();
  h.reopen();
  check();
});

test("a record can be deleted in whatever layer it is", () => {
  const h = new Harness();
  for (const main of [1, 2, 3]) for (const sub of [0, 1]) h.putRecord(main, sub, "x");
  h.commit();
  for (const main of [4, 5]) h.putRecord(main, 0, "y");
  h.backend.commit();
  h.putRecord(6, 0, "z");
  h.putRecord(7, 0, "z", true);
  for (const [main, sub] of [
    [1, 0],
    [1, 1],
    [2, 1],
    [4, 0],
    [6, 0],
  ] as const) {
    h.backend.deleteRecord(main, sub, false);
    assert.equal(h.getRecord(main, sub), undefined);
  }
  h.backend.deleteRecord(7, 0, true);
  const expected = ["2.0=x", "3.0=x", "3.1=x", "5.0=y"];
  assert.deepEqual(h.records(), expected);
  h.commit();
  assert.deepEqual(h.records(), expected);
  h.reopen();
  assert.deepEqual(h.records(), expected);
});

test("views stay as they are while everything around them changes", () => {
  const h = new Harness();
  const views: { view: Uint8Array; expected: string }[] = [];
  const take = (main: number, expected: string) => {
    assert.equal(h.backend.findRecord(main, 0), true);
    const { foundBytes, foundStart, foundEnd } = h.backend;
    views.push({ view: foundBytes.subarray(foundStart, foundEnd), expected });
  };
  for (let main = 1; main <= 200; main++) {
    const value = String(main).repeat(100);
    h.putRecord(main, 0, value);
    take(main, value);
    if (main % 20 === 0) h.commit();
    if (main > 20) {
      take(main - 20, String(main - 20).repeat(100));
      h.backend.deleteRecord(main - 20, 0, false);
    }
  }
  h.commit();
  for (const { view, expected } of views) assert.equal(text(view), expected);
});

test("a new database has all buckets after its first commit", () => {
  const h = new Harness();
  h.commit();
  const file = h.disk.open(PATH, { mode: "read" });
  assert.deepEqual(
    new Db(file, { freelistType: "array" }).view.bucketNames(),
    [...ALL_BUCKETS].sort(),
  );
});

test("where the log is travels with the changes", () => {
  const h = new Harness();
  h.putRecord(2, 0, "a");
  h.backend.setApplied(5, 2);
  h.until((done) => {
    h.backend.commit(done);
    h.putRecord(3, 0, "b");
    h.backend.setApplied(6, 2);
    assert.equal(h.backend.durableAppliedIndex, 0);
  });
  assert.equal(h.backend.durableAppliedIndex, 5, "not 6, which came after the cut");
  assert.equal(h.backend.appliedIndex, 6);
  assert.deepEqual(h.backend.get("meta", MetaKey.consistentIndex), uint64Bytes(5));
  h.disk.kill();
  h.backend = Backend.open(h.options);
  assert.equal(h.backend.appliedIndex, 5);
  assert.equal(h.backend.term, 2);
  assert.deepEqual(h.records(), ["2.0=a"]);
});

test("an applied index alone is committed when forced, and not by the clock", () => {
  const h = new Harness();
  h.backend.setConfState(bytes("{}"));
  h.backend.setApplied(1, 1);
  h.commit();
  h.backend.setApplied(2, 1);
  h.world.runFor(10_000);
  assert.equal(h.backend.durableAppliedIndex, 1);
  h.commit();
  assert.equal(h.backend.durableAppliedIndex, 2);
  assert.equal(text(h.backend.get("meta", MetaKey.confState)!), "{}");
  const writes = h.disk.calls.write;
  h.commit();
  assert.equal(h.disk.calls.write, writes, "nothing new, nothing written");
});

test("a batch is cut by time, by count and by size", () => {
  const h = new Harness(1, { batchLimit: 10 });
  h.putRecord(1, 0, "a");
  h.backend.setApplied(1, 1);
  h.world.runFor(99);
  assert.equal(h.backend.durableAppliedIndex, 0);
  h.world.runFor(10);
  assert.equal(h.backend.durableAppliedIndex, 1);
  for (let index = 2; index < 12; index++) {
    h.putRecord(index, 0, "a");
    h.backend.setApplied(index, 1);
  }
  h.world.runFor(10);
  assert.equal(h.backend.durableAppliedIndex, 11, "ten changes");
  for (let sub = 0; sub < 9; sub++) h.putRecord(12, sub, "x".repeat(1 << 20));
  h.world.runFor(10);
  assert.equal(h.backend.durableAppliedIndex, 11, "not within an entry");
  h.backend.setApplied(12, 1);
  h.world.runFor(50);
  assert.equal(h.backend.durableAppliedIndex, 12);
  assert.deepEqual(h.backend.problems(), []);
});

test("while a commit hangs the next batch grows, and says when it is too much", () => {
  const h = new Harness(1, { batchLimit: 10 });
  h.disk.syncMs = [1000, 1001];
  let index = 0;
  const apply = () => {
    index++;
    h.putRecord(index, 0, "a");
    h.backend.setApplied(index, 1);
  };
  for (let i = 0; i < 110; i++) {
    apply();
    assert.equal(h.backend.isOverloaded, false);
  }
  h.world.runFor(500);
  apply();
  assert.equal(h.backend.isOverloaded, true);
  h.world.runFor(1600);
  assert.equal(h.backend.durableAppliedIndex, 10);
  assert.equal(h.backend.isOverloaded, false, "the rest is one commit");
  h.world.runFor(2100);
  assert.equal(h.backend.durableAppliedIndex, 111);
});

test("waiting for a commit means waiting for everything before it", () => {
  const h = new Harness();
  const order: string[] = [];
  h.putRecord(1, 0, "a");
  h.backend.setApplied(1, 1);
  h.backend.commit(() => order.push(`first ${h.backend.durableAppliedIndex}`));
  h.putRecord(2, 0, "b");
  h.backend.setApplied(2, 1);
  h.backend.commit(() => {
    order.push(`second ${h.backend.durableAppliedIndex}`);
    h.backend.commit(() => order.push("third"));
  });
  h.backend.commit(() => order.push("with the second"));
  // Less than the interval: nobody waits for the clock.
  h.world.runFor(50);
  assert.deepEqual(order, ["first 1", "second 2", "with the second", "third"]);
});

test("a failed write or sync is fatal, whichever it is", () => {
  for (const kind of ["write", "sync", "truncate"] as const) {
    for (let n = 1; n <= (kind === "truncate" ? 1 : 2); n++) {
      const h = new Harness();
      h.disk.failAt(kind, n, n % 2 === 0 ? "EIO" : "ENOSPC");
      h.putRecord(1, 0, "a");
      h.backend.setApplied(1, 1);
      let isDone = false;
      h.backend.commit(() => {
        isDone = true;
      });
      h.world.runFor(1000);
      assert.notEqual(h.fatal, undefined, `${kind} ${n}`);
      assert.equal(isDone, false);
      assert.equal(h.backend.durableAppliedIndex, 0);
      h.backend.close(() => {
        isDone = true;
      });
      h.world.runFor(1000);
      assert.equal(isDone, true, "whoever ends the process is not kept waiting");
    }
  }
});

test("what is read at the start cannot vanish any more", () => {
  const h = new Harness();
  h.disk.syncMs = [100, 101];
  h.putRecord(1, 0, "a");
  h.backend.setApplied(1, 1);
  h.backend.commit();
  // The meta page is written, its sync is under way, and the process is killed.
  h.world.runFor(150);
  assert.equal(h.backend.durableAppliedIndex, 0);
  h.disk.kill();
  h.backend = Backend.open(h.options);
  assert.equal(h.backend.durableAppliedIndex, 1);
  for (let i = 0; i < 50; i++) {
    const disk = h.disk.crashedCopy(h.options.clock, h.world.random.fork(`copy ${i}`));
    assert.equal(Backend.open({ ...h.options, disk }).appliedIndex, 1);
  }
});

test("a database whose making is cut short, at whatever call, is made at the next start", () => {
  for (let seed = 1; seed <= 40; seed++) {
    for (let call = 1; call <= 12; call++) {
      const world = new SimWorld(seed);
      const machine = world.machine(1n);
      const { disk, clock } = machine.start();
      disk.makeDirectory("/data");
      disk.syncDirectory("/");
      const options = { ...new Harness().options, disk, clock };
      machine.disk.dieAt(call);
      try {
        Backend.open(options);
      } catch {}
      machine.crash();
      const again = machine.start();
      const backend = Backend.open({ ...options, disk: again.disk, clock: again.clock });
      assert.deepEqual(backend.problems(), [], `seed ${seed}, call ${call}`);
    }
  }
});

test("a second process is told that the database is locked", () => {
  const h = new Harness();
  assert.throws(() => Backend.open(h.options), {
    name: "DatabaseLockedError",
    message: "cannot lock /data/db: another process has it open",
  });
  assert.throws(() => Backend.open(h.options), DatabaseLockedError);
  h.reopen();
});

test("a damaged or truncated database is refused with place and remedy", () => {
  const h = new Harness();
  h.putRecord(1, 0, "x".repeat(10_000));
  h.commit();
  const size = h.backend.sizeBytes;
  h.until((done) => h.backend.close(done));
  const file = h.disk.open(PATH, { mode: "write" });
  file.truncate(size - 4096);
  file.close();
  assert.throws(() => Backend.open(h.options), {
    name: "DatabaseDamagedError",
    message:
      `the database /data/db is damaged: the file is truncated at offset ${size - 4096}: its ` +
      `last commit has ${size} bytes; restore it from a snapshot, or remove this member and ` +
      "add it again",
  });
  assert.throws(() => Backend.open(h.options), DatabaseDamagedError);
});

test("leftovers of a defragmentation are removed at the start", () => {
  const h = new Harness();
  h.until((done) => h.backend.close(done));
  h.disk.open("/data/db.tmp.17", { mode: "create" }).close();
  h.disk.open("/data/db.tmp", { mode: "create" }).close();
  h.backend = Backend.open(h.options);
  assert.deepEqual(h.disk.list("/data"), ["db"]);
});

test("a snapshot is a database of its own, and stays while others are written", () => {
  const h = new Harness();
  for (let main = 1; main <= 300; main++) h.putRecord(main, 0, `value ${main} `.repeat(20));
  h.backend.setApplied(300, 3);
  const snapshot = h.snapshot();
  const expected = h.records();
  assert.equal(h.backend.readTxCount, 2);
  for (let main = 1; main <= 300; main++) h.backend.deleteRecord(main, 0, false);
  h.commit();
  for (let main = 301; main <= 900; main++) h.putRecord(main, 0, "other ".repeat(40));
  h.commit();
  const copy = h.disk.open("/data/copy", { mode: "create" });
  for (let at = 0; at < snapshot.sizeBytes; at += 1000) {
    const part = new Uint8Array(1000);
    copy.writeNow(part.subarray(0, snapshot.read(at, part)), at);
  }
  const metaPages = new Uint8Array(2 * 4096);
  snapshot.read(0, metaPages);
  const [first, second] = [decodeMeta(metaPages) as Meta, decodeMeta(metaPages, 4096) as Meta];
  assert.deepEqual(second, { ...first, txid: first.txid - 1 });
  copy.close();
  snapshot.close();
  snapshot.close();
  assert.equal(h.backend.readTxCount, 1);
  h.until((done) => h.backend.close(done));
  for (const damagedAt of [undefined, 16, 4096 + 16]) {
    if (damagedAt !== undefined) h.disk.flipBit("/data/copy", damagedAt * 8);
    h.backend = Backend.open({ ...h.options, path: "/data/copy" });
    assert.deepEqual(h.records(), expected);
    assert.equal(h.backend.appliedIndex, 300);
    assert.deepEqual(h.backend.problems(), []);
    h.until((done) => h.backend.close(done));
    if (damagedAt !== undefined) h.disk.flipBit("/data/copy", damagedAt * 8);
  }
});

test("the hash is that of the committed content, without what may differ", () => {
  const fill = (h: Harness, index: number, sizes: number[]) => {
    for (const [i, size] of sizes.entries()) h.putRecord(i + 1, 0, "v".repeat(size));
    h.backend.put("lease", bytes("l"), bytes("1"));
    h.backend.put("meta", MetaKey.storageVersion, bytes(`3.${index}.0`));
    h.backend.setApplied(index, index);
  };
  const sizes = Array.from({ length: 5000 }, (_, i) => (i % 100 === 0 ? 50_000 : 10));
  const [a, b, c] = [new Harness(1), new Harness(2), new Harness(3)];
  fill(a, 7, sizes);
  fill(b, 8, sizes);
  b.commit();
  fill(c, 7, [...sizes.slice(1), 10]);
  assert.equal(a.hash(), b.hash());
  assert.notEqual(a.hash(), c.hash());
  b.backend.put("lease", bytes("l"), bytes("2"));
  assert.notEqual(a.hash(), b.hash());
  b.backend.put("lease", bytes("l"), bytes("1"));
  assert.equal(a.hash(), b.hash());
  b.backend.put("lease", MetaKey.term, bytes("2"));
  assert.notEqual(a.hash(), b.hash(), "what may differ is in the bucket meta only");
  assert.equal(a.backend.readTxCount, 1);
});

test("the hash is that of the moment when it was begun, whatever is written meanwhile", () => {
  const h = new Harness();
  for (let i = 0; i < 300; i++) h.putRecord(2 + i, 0, `value ${i} `.repeat(20));
  h.commit();
  const hash = h.hash();
  let job: HashJob | undefined;
  h.until((done) =>
    h.backend.hashJob((begun) => {
      job = begun;
      done();
    }),
  );
  for (let round = 0; !job!.step(10); round++) {
    for (let i = 0; i < 300; i += 10) h.backend.deleteRecord(2 + i + (round % 10), 0, false);
    h.putRecord(1000 + round, 0, "later ".repeat(500));
    h.commit();
  }
  assert.equal(job!.value, hash);
});

test("defragmenting gives the free pages back and keeps everything", () => {
  const h = new Harness();
  for (let main = 1; main <= 5000; main++) h.putRecord(main, 0, `value ${main} `.repeat(30));
  for (let i = 0; i < 1000; i++) h.backend.put("lease", bytes(`lease ${i}`), bytes("x".repeat(50)));
  h.backend.setApplied(5000, 3);
  h.commit();
  for (let main = 1; main <= 4500; main++) h.backend.deleteRecord(main, 0, false);
  for (let i = 0; i < 900; i++) h.backend.delete("lease", bytes(`lease ${i}`));
  h.commit();
  const [records, leases, hash] = [h.records(), h.entries("lease"), h.hash()];
  const before = h.backend.sizeBytes;
  h.defragment();
  assert.ok(h.backend.sizeBytes < before / 4, `${before} -> ${h.backend.sizeBytes}`);
  assert.ok(h.backend.sizeInUseBytes <= h.backend.sizeBytes);
  for (const round of [1, 2]) {
    assert.deepEqual(h.records(), records, `round ${round}`);
    assert.deepEqual(h.entries("lease"), leases);
    assert.equal(h.hash(), hash);
    h.reopen();
  }
  h.putRecord(6000, 0, "later");
  h.commit();
  assert.equal(h.records().length, 501);
});

test("defragmenting takes along what is written meanwhile", () => {
  for (const seed of [1, 2]) {
    const h = new Harness(seed, { batchIntervalMs: 0.2, batchLimit: 50 });
    const random = h.world.random.fork("test");
    const records = new Map<number, string>();
    const users = new Map<string, string>();
    let main = 0;
    const apply = () => {
      main++;
      records.set(main, `value ${main} `.repeat(1 + random.below(60)));
      h.putRecord(main, 0, records.get(main)!);
      const [user, gone] = [`user ${random.below(3000)}`, `user ${random.below(3000)}`];
      users.set(user, `of ${main}`);
      h.backend.put("auth", bytes(user), bytes(`of ${main}`));
      if (main % 7 === 0) {
        users.delete(gone);
        h.backend.delete("auth", bytes(gone));
      }
      const old = main - 1000;
      if (records.has(old) && old % 3 === 0) {
        records.delete(old);
        h.backend.deleteRecord(old, 0, false);
      }
      h.backend.setApplied(main, 1);
    };
    const check = () => {
      assert.deepEqual(
        h.records(),
        [...records].map(([at, value]) => `${at}.0=${value}`),
      );
      const inOrder = [...users].sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(
        h.entries("auth"),
        inOrder.map(([key, value]) => `${key}=${value}`),
      );
    };
    for (let i = 0; i < 1500; i++) apply();
    const snapshot = h.snapshot();
    h.disk.writeMs = [1, 20];
    let isDone = false;
    h.backend.defragment((error) => {
      assert.equal(error, null);
      isDone = true;
    });
    while (!isDone) {
      h.world.runFor(1);
      if (!isDone) for (let i = 0; i < 50 * seed; i++) apply();
      assert.ok(main < 400_000, "it comes to an end");
    }
    assert.ok(main > 2000, `${main}`);
    check();
    h.commit();
    check();
    snapshot.close();
    h.reopen();
    check();
    assert.equal(h.backend.appliedIndex, main);
    assert.deepEqual(h.disk.list("/data"), ["db"]);
  }
});

test("a defragmentation that fails leaves the database as it was", () => {
  const build = () => {
    const h = new Harness();
    for (let main = 1; main <= 500; main++) h.putRecord(main, 0, "value ".repeat(30));
    h.commit();
    return h;
  };
  const faults = [
    ["open", 1],
    ["write", 1],
    ["write", 2],
    ["write", 3],
    ["sync", 1],
    ["truncate", 1],
    ["rename", 1],
  ] as const;
  for (const [kind, call] of faults) {
    const h = build();
    const expected = h.records();
    h.disk.failAt(kind, call, "ENOSPC");
    let failure: Error | null = null;
    h.until((done) =>
      h.backend.defragment((error) => {
        failure = error;
        done();
      }),
    );
    assert.match(String(failure), /no space left/, kind);
    assert.deepEqual(h.disk.list("/data"), ["db"]);
    assert.equal(h.backend.readTxCount, 1);
    assert.deepEqual(h.records(), expected);
    h.putRecord(501, 0, "more");
    h.commit();
    h.defragment();
    h.reopen();
    assert.equal(h.records().length, 501);
  }
});

test("closing during a defragmentation does both or one, and loses nothing", () => {
  for (let delay = 0; delay < 4; delay += 0.5) {
    const h = new Harness(7);
    for (let main = 1; main <= 3000; main++) h.putRecord(main, 0, "value ".repeat(60));
    h.commit();
    let result: Error | null | undefined;
    h.backend.defragment((error) => {
      result = error;
    });
    h.world.runFor(delay);
    h.putRecord(3001, 0, "last");
    h.until((done) => h.backend.close(done));
    h.world.runFor(1000);
    assert.notEqual(result, undefined);
    h.backend = Backend.open(h.options);
    assert.equal(h.records().length, 3001);
    assert.deepEqual(h.disk.list("/data"), ["db"]);
    assert.deepEqual(h.backend.problems(), []);
  }
});

test("a defragmentation that is interrupted is no error, and ends once", () => {
  const errors: string[] = [];
  const log = { ...silentLogger, error: (message: string) => errors.push(message) };
  const h = new Harness(7, { log });
  for (let main = 1; main <= 3000; main++) h.putRecord(main, 0, "value ".repeat(60));
  h.commit();
  h.backend.defragment((error) => {
    throw error ?? new Error("it was not interrupted");
  });
  h.world.runFor(0.5);
  h.backend.close(() => {});
  assert.throws(() => h.world.runFor(1000), /interrupted: the database is being closed/);
  assert.deepEqual(errors, []);
});

test("many changes of one small bucket in one batch", () => {
  const h = new Harness();
  const id = (i: number) => Buffer.from(uint64Bytes(BigInt(i) * 0x9e3779b97f4a7c15n));
  for (let i = 0; i < 20_000; i++) h.backend.put(Bucket.lease, id(i), uint64Bytes(i));
  h.commit();
  for (let i = 0; i < 20_000; i += 2) h.backend.delete(Bucket.lease, id(i));
  h.commit();
  h.reopen();
  let count = 0;
  h.backend.forEach(Bucket.lease, () => count++);
  assert.equal(count, 10_000);
  assert.equal(h.backend.get(Bucket.lease, id(4)), undefined);
  assert.deepEqual(h.backend.get(Bucket.lease, id(5)), uint64Bytes(5));
});
