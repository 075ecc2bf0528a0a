import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimRandom } from "../../../test/simulation/sim-random.ts";
import { silentLogger } from "../../base/log.ts";
import type { Clock } from "../../io/io.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { Backend } from "../../storage/backend.ts";
import { Bucket, MetaKey } from "../../storage/schema.ts";
import { openDatabase } from "../../storage/snapshot/backup.ts";
import { Wal } from "../../storage/wal/wal.ts";
import { writeKeyValueOf } from "../../wire/key-value.ts";
import { encodeInternalRaftRequest } from "../../wire/messages/raft-internal.ts";
import type { Console, Piece } from "../etcdctl/console.ts";
import { runEtcdutl } from "./run.ts";

const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

class Bench {
  readonly clock: Clock = new NodeClock();
  readonly disk = new SimDisk({ clock: this.clock, random: new SimRandom(1) });
  out = "";
  err = "";

  constructor() {
    this.disk.makeDirectory("/d/member/snap");
  }

  open(path = "/d/member/snap/db"): Backend {
    const { clock, disk } = this;
    const batch = { batchIntervalMs: 100, batchLimit: 1000, freelistType: "map" as const };
    const onFatal = (error: Error): never => {
      throw error;
    };
    return Backend.open({ clock, disk, log: silentLogger, path, ...batch, onFatal });
  }

  async edit(change: (backend: Backend) => void): Promise<void> {
    const backend = this.open();
    change(backend);
    await new Promise<void>((resolve) => backend.close(resolve));
  }

  /** Puts key k at revisions 2 and 3. */
  async fill(): Promise<void> {
    await this.edit((backend) => {
      for (const main of [2, 3]) {
        const room = new Uint8Array(50);
        const value = bytesOf(`v${main}`);
        const key = bytesOf("k");
        const end = writeKeyValueOf(room, 0, key, 0, 1, 2, main, main - 1, value, 0, 2, 0n);
        const at = backend.reserveRecord(main, 0, false, end);
        backend.recordBuffer.set(room.subarray(0, end), at);
      }
      backend.put(Bucket.meta, MetaKey.storageVersion, bytesOf("3.7.0"));
      backend.setApplied(5, 2);
    });
  }

  async run(...words: string[]): Promise<number> {
    this.out = this.err = "";
    const console: Console = {
      out: (...pieces: Piece[]) => {
        this.out += pieces.join("");
      },
      err: (text) => {
        this.err += text;
      },
      readLine: () => Promise.resolve(""),
      readAll: () => Promise.resolve(new Uint8Array(0)),
      isInputTerminal: false,
      isOutputTerminal: false,
      isErrorTerminal: false,
    };
    return runEtcdutl(words, { console, disk: this.disk, clock: this.clock });
  }

  storageVersion(): string | undefined {
    const store = openDatabase(this.disk.open("/d/member/snap/db", { mode: "read" }));
    const value = store.db.view.bucket(Bucket.meta)?.get(MetaKey.storageVersion);
    return value && new TextDecoder().decode(value);
  }
}

describe("etcdutl", () => {
  it("tells its version, its help and what it does not know", async () => {
    const bench = new Bench();
    assert.equal(await bench.run("version"), 0);
    assert.equal(bench.out, "etcdutl version: 3.7.3\nAPI version: 3.7\n");
    assert.equal(await bench.run("snapshot"), 0);
    assert.match(bench.out, /restore .*\n.*status /);
    assert.equal(await bench.run("nosuch"), 1);
    const line = 'Error: unknown command "nosuch" for "etcdutl"\n';
    assert.equal(bench.err, `${line}Run 'etcdutl --help' for usage.\n${line}`);
  });

  it("prints the status in every format", async () => {
    const bench = new Bench();
    await bench.fill();
    const path = "/d/member/snap/db";
    assert.equal(await bench.run("snapshot", "status", path), 0);
    assert.match(bench.out, /^[0-9a-f]{1,8}, 3, 1, 20 kB, 3\.7\.0\n$/);
    assert.equal(await bench.run("snapshot", "status", path, "-w", "json"), 0);
    const { hash, ...rest } = JSON.parse(bench.out);
    assert.deepEqual(rest, { revision: 3, totalKey: 1, totalSize: 20480, version: "3.7.0" });
    assert.equal(await bench.run("-w", "fields", "snapshot", "status", path), 0);
    assert.match(bench.out, new RegExp(`^"Hash" : ${hash}\n"Revision" : 3\n"Keys" : 1\n`));
    assert.equal(await bench.run("-w", "table", "snapshot", "status", path), 0);
    assert.match(bench.out, /│ +HASH +│ REVISION │ TOTAL KEYS │ TOTAL SIZE │ VERSION │/);
    assert.equal(await bench.run("-w", "protobuf", "snapshot", "status", path), 4);
    assert.equal(bench.err, "Error: protobuf not supported as output format\n");
    assert.equal(await bench.run("snapshot", "status", "/none"), 1);
    assert.equal(bench.err, "Error: stat /none: no such file or directory\n");
    assert.equal(await bench.run("snapshot", "status"), 128);
  });

  it("hashes without touching the file, a pending compaction counted", async () => {
    const bench = new Bench();
    await bench.fill();
    const path = "/d/member/snap/db";
    const file = bench.disk.open(path, { mode: "read" });
    const before = new Uint8Array(file.sizeBytes());
    file.read(before, 0);
    assert.equal(await bench.run("hashkv", path), 0);
    assert.match(bench.out, /^\d+, 3, -1\n$/);
    assert.equal(await bench.run("hashkv", path, "--rev", "9"), 1);
    assert.equal(bench.err, "Error: mvcc: required revision is a future revision\n");
    const after = new Uint8Array(file.sizeBytes());
    file.read(after, 0);
    assert.deepEqual(after, before);
    file.close();
    assert.equal(await bench.run("hashkv"), 1);
    assert.match(bench.err, /^Error: accepts 1 arg\(s\), received 0\nUsage:/);
  });

  it("restores, and counts what was before as compacted", async () => {
    const bench = new Bench();
    await bench.fill();
    const restore = ["snapshot", "restore", "/d/member/snap/db", "--skip-hash-check"];
    const more = ["--data-dir", "/r", "--bump-revision", "100", "--mark-compacted"];
    assert.equal(await bench.run(...restore, ...more), 0, bench.err);
    assert.match(bench.err, /\trestored snapshot\t{"path": "\/d\/member\/snap\/db", /);
    assert.equal(await bench.run("hashkv", "/r/member/snap/db"), 0);
    assert.match(bench.out, /^\d+, 103, 103\n$/);
    assert.equal(await bench.run("hashkv", "/r/member/snap/db", "--rev", "3"), 1);
    assert.equal(bench.err, "Error: mvcc: required revision has been compacted\n");
    assert.equal(await bench.run(...restore, "--data-dir", "/r"), 1);
    assert.equal(bench.err, 'Error: data-dir "/r" not empty or could not be read\n');
    assert.equal(await bench.run(...restore, "--mark-compacted"), 128);
    assert.equal(await bench.run(...restore, "--name", "zz"), 1);
    assert.match(bench.err, /couldn't find local name "zz" in the initial cluster/);
  });

  it("raises revisions when a member's own backup is restored, unless told not to", async () => {
    const bench = new Bench();
    await bench.fill();
    const backup = "/d/cdf818194e3a8c32-8e9e05c52164694d-20261128T031500Z-r3.db";
    bench.disk.link("/d/member/snap/db", backup);
    const restore = ["snapshot", "restore", backup, "--skip-hash-check", "--data-dir"];
    assert.equal(await bench.run(...restore, "/r1"), 0, bench.err);
    assert.match(bench.err, /raising revisions .*"opt-out": "--bump-revision=0"/);
    assert.equal(await bench.run("hashkv", "/r1/member/snap/db"), 0);
    assert.match(bench.out, /^\d+, 1000000003, 1000000003\n$/);
    for (const [at, flag] of ["--bump-revision=0", "--mark-compacted=false"].entries()) {
      assert.equal(await bench.run(...restore, `/no${at}`, flag), 0, bench.err);
      assert.equal(await bench.run("hashkv", `/no${at}/member/snap/db`), 0);
      assert.match(bench.out, /^\d+, 3, -1\n$/);
    }
    const more = ["--bump-revision", "100", "--mark-compacted"];
    assert.equal(await bench.run(...restore, "/r2", ...more), 0, bench.err);
    assert.equal(await bench.run("hashkv", "/r2/member/snap/db"), 0);
    assert.match(bench.out, /^\d+, 103, 103\n$/);
    assert.equal(await bench.run(...restore, "/r3", "--bump-revision", "5"), 128);
  });

  it("frees space of a database that nobody uses", async () => {
    const bench = new Bench();
    await bench.fill();
    assert.equal(await bench.run("defrag", "--data-dir", "/d"), 0, bench.err);
    assert.equal(await bench.run("defrag"), 1);
    assert.match(bench.err, /^Error: required flag\(s\) "data-dir" not set\nUsage:/);
    assert.equal(await bench.run("defrag", "--data-dir", "/x"), 1);
    const reason = "stat /x/member/snap/db: no such file or directory";
    assert.equal(bench.err, `Error: Failed to defragment etcd data[/x] (${reason})\n`);
    const backend = bench.open();
    assert.equal(await bench.run("--timeout", "1ms", "defrag", "--data-dir", "/d"), 2);
    assert.match(bench.err, /failed to open database: timeout: cannot lock/);
    await new Promise<void>((resolve) => backend.close(resolve));
  });

  it("moves the storage to another version, but not below what the log needs", async () => {
    const bench = new Bench();
    await bench.fill();
    const { clock, disk } = bench;
    const options = { clock, disk, log: silentLogger, directory: "/d/member/wal" };
    const wal = Wal.create({ ...options, segmentBytes: 4096 }, new Uint8Array(1));
    const migrate = (...more: string[]): Promise<number> =>
      bench.run("migrate", "--data-dir", "/d", ...more);
    for (const version of ["3.6", "3.5", "3.7"]) {
      assert.equal(await migrate("--target-version", version), 0, bench.err);
      const expected = version === "3.5" ? undefined : `${version}.0`;
      assert.equal(bench.storageVersion(), expected);
      assert.equal(await migrate("--target-version", version), 0);
      assert.match(bench.err, /storage version up-to-date/);
    }
    assert.equal(await migrate("--target-version", "3.9"), 1);
    assert.match(bench.err, /cannot create migration plan: version "3\.8\.0" is not supported/);
    assert.equal(await migrate("--target-version", "3.4"), 128);
    assert.equal(await migrate("--target-version", "x"), 128);
    assert.equal(await migrate(), 1);
    const data = encodeInternalRaftRequest({ downgradeVersionTest: { ver: "3.7.0" } });
    const entry = { type: 0 as const, term: 1, index: 1, data };
    const state = { term: 1, vote: 1n, commit: 1 };
    await new Promise((resolve) => wal.append([entry], state, true, resolve));
    wal.close();
    assert.equal(await migrate("--target-version", "3.6"), 1);
    assert.match(bench.err, /cannot downgrade storage, WAL contains newer entries/);
    assert.equal(bench.storageVersion(), "3.7.0");
    assert.equal(await migrate("--target-version", "3.6", "--force"), 0);
    assert.equal(bench.storageVersion(), "3.6.0");
  });
});
