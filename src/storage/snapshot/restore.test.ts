import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { PowerLoss, type SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimWorld } from "../../../test/simulation/world.ts";
import { silentLogger } from "../../base/log.ts";
import type { World } from "../../io/io.ts";
import { writeKeyValueOf } from "../../wire/key-value.ts";
import { decodeMetadata } from "../../wire/messages/etcdserver.ts";
import { decodeConfChange } from "../../wire/messages/raft.ts";
import { Backend } from "../backend.ts";
import { Bucket, MetaKey, readRevision } from "../schema.ts";
import { NO_SNAPSHOT, readLog, validSnapshots } from "../wal/read-log.ts";
import { backupStatus, openDatabase } from "./backup.ts";
import { createRestoredDataDir, type RestoredMember, type RestoreOptions } from "./restore.ts";
import { loadSnapshot } from "./snapshots.ts";

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

function member(id: bigint, name: string): RestoredMember {
  const peerUrls = [`http://${name}:2380`];
  const json = bytesOf(`{"id":${id},"peerURLs":["${peerUrls[0]}"],"name":"${name}"}`);
  return { id, name, peerUrls, json };
}

class Bench {
  readonly world: SimWorld;
  readonly disk: SimDisk;
  readonly io: World;

  constructor(seed = 1) {
    this.world = new SimWorld(seed);
    this.io = this.world.machine(1n).start();
    this.disk = this.world.machine(1n).disk;
    this.disk.fates = ["kept", "lost", "torn"];
    this.disk.makeDirectory("/b");
  }

  open(path: string): Backend {
    const { clock, disk } = this.io;
    const batch = { batchIntervalMs: 100, batchLimit: 1000, freelistType: "map" as const };
    const onFatal = (error: Error): never => {
      throw error;
    };
    return Backend.open({ clock, disk, log: silentLogger, path, ...batch, onFatal });
  }

  close(backend: Backend): void {
    let closed = false;
    backend.close(() => (closed = true));
    this.world.runUntil(() => closed);
  }

  /** Keys a and b, b deleted again; a member that is to go; then the hash behind it. */
  makeBackup(path: string, options: { hash?: boolean } = {}): void {
    const backend = this.open(path);
    const put = (main: number, key: string, value: string, tombstone = false): void => {
      const room = new Uint8Array(100);
      const [keyBytes, valueBytes] = [bytesOf(key), bytesOf(value)];
      const length = writeKeyValueOf(
        ...([room, 0, keyBytes, 0, keyBytes.length, main, main, 1] as const),
        ...([valueBytes, 0, valueBytes.length, 0n] as const),
      );
      const at = backend.reserveRecord(main, 0, tombstone, length);
      backend.recordBuffer.set(room.subarray(0, length), at);
    };
    put(2, "a", "1");
    put(3, "b", "2");
    put(4, "b", "", true);
    backend.put(Bucket.members, bytesOf("abc"), bytesOf("old"));
    backend.put(Bucket.membersRemoved, bytesOf("def"), bytesOf("removed"));
    backend.put(Bucket.meta, MetaKey.storageVersion, bytesOf("3.7.0"));
    backend.setApplied(77, 5);
    this.close(backend);
    const file = this.disk.open(path, { mode: "write" });
    const { sizeBytes } = openDatabase(file).db;
    file.truncate(sizeBytes);
    if (options.hash === false) return;
    const content = new Uint8Array(sizeBytes);
    file.read(content, 0);
    file.writeNow(createHash("sha256").update(content).digest(), content.length);
    file.syncNow();
    file.close();
    this.disk.syncDirectory("/b");
  }

  async restore(changes: Partial<RestoreOptions> = {}): Promise<void> {
    let outcome: Error | true | undefined;
    const { clock, disk } = this.io;
    createRestoredDataDir({
      ...{ clock, disk, log: silentLogger, path: "/b/backup", dataDir: "/r", walDir: undefined },
      ...{ skipHashCheck: false, memberId: 2n, clusterId: 9n, bumpRevision: 0 },
      members: [member(1n, "m1"), member(2n, "m2")],
      ...changes,
    }).then(
      () => (outcome = true),
      (error: Error) => (outcome = error),
    );
    await this.world.settleUntil(() => outcome !== undefined);
    if (outcome !== true) throw outcome;
  }
}

describe("backupStatus", () => {
  it("tells what is in a database", () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup");
    const store = openDatabase(bench.disk.open("/b/backup", { mode: "read" }));
    const status = backupStatus(store);
    assert.equal(status.revision, 4);
    assert.equal(status.totalKey, 1);
    assert.equal(status.version, "3.7.0");
    assert.equal(status.totalSizeBytes, store.db.sizeBytes);
  });

  it("changes its hash with any value", () => {
    const hashOf = (bench: Bench): number =>
      backupStatus(openDatabase(bench.disk.open("/b/x", { mode: "read" }))).hash;
    const bench = new Bench();
    bench.makeBackup("/b/x", { hash: false });
    const before = hashOf(bench);
    const backend = bench.open("/b/x");
    backend.put(Bucket.cluster, bytesOf("k"), bytesOf("v"));
    bench.close(backend);
    assert.notEqual(hashOf(bench), before);
  });

  it("refuses what is no database", () => {
    const { disk } = new Bench();
    const file = disk.open("/b/x", { mode: "create" });
    assert.throws(() => openDatabase(file), /^BackupError: write \/b\/x: bad file descriptor$/);
    file.writeNow(new Uint8Array(7000).fill(7), 0);
    assert.throws(() => openDatabase(file), /^BackupError: file size too small 7000$/);
    file.writeNow(new Uint8Array(9000).fill(7), 0);
    assert.throws(() => openDatabase(file), /is damaged/);
  });
});

describe("createRestoredDataDir", () => {
  it("keeps the keys, exchanges the members and begins a log", async () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup");
    await bench.restore();
    const backend = bench.open("/r/member/snap/db");
    assert.deepEqual(backend.problems(), []);
    assert.equal(backend.appliedIndex, 2);
    assert.equal(backend.term, 1);
    const members: string[] = [];
    backend.forEach(Bucket.members, (key, value) => members.push(`${text(key)} ${text(value)}`));
    assert.deepEqual(members, [
      '1 {"id":1,"peerURLs":["http://m1:2380"],"name":"m1"}',
      '2 {"id":2,"peerURLs":["http://m2:2380"],"name":"m2"}',
    ]);
    backend.forEach(Bucket.membersRemoved, () => assert.fail("none is removed"));
    const revisions: number[] = [];
    backend.scanRecords(0, 0, (main) => revisions.push(main) > 0);
    assert.deepEqual(revisions, [2, 3, 4]);
    assert.equal(text(backend.get(Bucket.meta, MetaKey.storageVersion)), "3.7.0");

    const snapshot = validSnapshots(bench.disk, "/r/member/wal").at(-1)!;
    assert.equal(snapshot.index, 2);
    assert.deepEqual(snapshot.confState!.voters, [1n, 2n]);
    const { contents } = readLog(bench.disk, "/r/member/wal", NO_SNAPSHOT);
    assert.deepEqual(decodeMetadata(contents.metadata), { nodeID: 2n, clusterID: 9n });
    assert.deepEqual(contents.hardState, { term: 1, vote: 1n, commit: 2 });
    const changes = contents.entries.map(({ data }) => decodeConfChange(data));
    assert.deepEqual(
      changes.map(({ nodeId, context }) => `${nodeId} ${text(context)}`),
      members,
    );
    const loaded = loadSnapshot(bench.disk, silentLogger, "/r/member/snap")!;
    assert.deepEqual([loaded.index, loaded.term], [2, 1]);
    assert.match(text(loaded.data), /http:\/\/m2:2380/);
  });

  it("raises the revision and has all before it compacted", async () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup");
    await bench.restore({ bumpRevision: 1000, walDir: "/fast/wal" });
    const backend = bench.open("/r/member/snap/db");
    assert.ok(backend.findRecord(1004, 0));
    assert.equal(backend.foundStart, backend.foundEnd);
    const scheduled = backend.get(Bucket.meta, MetaKey.scheduledCompactRev)!;
    assert.deepEqual(readRevision(scheduled), { main: 1004, sub: 0 });
    assert.equal(bench.disk.exists("/r/member/wal"), false);
    assert.equal(validSnapshots(bench.disk, "/fast/wal").length, 2);
  });

  it("checks the hash, unless told not to", async () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup");
    bench.disk.flipBit("/b/backup", 5000 * 8);
    await assert.rejects(
      bench.restore(),
      /^BackupError: expected sha256 \[[\d ]+\], got \[[\d ]+\]$/,
    );
    assert.equal(bench.disk.exists("/r/member"), false);
    bench.disk.flipBit("/b/backup", 5000 * 8);
    await bench.restore();
  });

  it("wants a hash, unless told not to", async () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup", { hash: false });
    await assert.rejects(bench.restore(), /missing hash but --skip-hash-check=false/);
    await bench.restore({ skipHashCheck: true });
    const store = openDatabase(bench.disk.open("/r/member/snap/db", { mode: "read" }));
    assert.equal(backupStatus(store).revision, 4);
  });

  it("touches nothing that is there", async () => {
    const bench = new Bench();
    bench.makeBackup("/b/backup");
    bench.disk.makeDirectory("/w");
    await assert.rejects(bench.restore({ walDir: "/w" }), /^BackupError: wal-dir "\/w" exists$/);
    await bench.restore();
    await assert.rejects(bench.restore(), /data-dir "\/r" not empty or could not be read/);
    await assert.rejects(bench.restore({ dataDir: "/r2", path: "/b/none" }), { code: "ENOENT" });
  });

  it("outlives a crash once it is done, and can be done again after one on the way", async () => {
    let repeated = 0;
    for (let seed = 0; seed < 24; seed++) {
      const bench = new Bench(seed);
      bench.makeBackup("/b/backup");
      bench.disk.syncDirectory("/");
      const machine = bench.world.machine(1n);
      if (seed % 3 > 0) bench.disk.dieAt(1 + seed * 2);
      try {
        await bench.restore();
      } catch (error) {
        assert.ok(error instanceof PowerLoss);
        repeated++;
      }
      machine.crash();
      Object.assign(bench.io, machine.start());
      if (repeated > 0 && seed % 3 > 0) {
        bench.disk.remove("/r");
        await bench.restore();
        machine.crash();
        Object.assign(bench.io, machine.start());
      }
      const backend = bench.open("/r/member/snap/db");
      assert.deepEqual(backend.problems(), []);
      assert.equal(backend.appliedIndex, 2);
      assert.equal(validSnapshots(bench.disk, "/r/member/wal").at(-1)!.index, 2);
    }
    assert.ok(repeated > 8, `${repeated}`);
  });
});
