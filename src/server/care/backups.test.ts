import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallCluster } from "../../../test/simulation/small-cluster.ts";
import { type Fields, silentLogger } from "../../base/log.ts";
import type { Disk } from "../../io/io.ts";
import type { Member } from "../member.ts";
import { Backups } from "./backups.ts";
import { tryRestoreHere } from "./trial-restore.ts";

const HOUR_MS = 3600_000;

class Bench {
  readonly cluster: SmallCluster;
  readonly member: Member;
  readonly disk: Disk;
  readonly lines: string[] = [];
  /** What the trial says of the next backups. */
  verdict: string | null | undefined;

  constructor(seed: number) {
    this.cluster = new SmallCluster(seed, 1);
    this.member = this.cluster.start(1);
    assert.ok(this.cluster.awaitReady());
    this.disk = this.cluster.world.machine(1n).disk;
    this.write("first");
  }

  write(value: string): void {
    this.cluster.put(this.member, "key", value);
    assert.ok(this.cluster.awaitAnswers());
  }

  backups(clusterId = 0xcn, keepCount = 3): Backups {
    const { member, disk } = this;
    const tell = (message: string, fields: Fields = {}): void => {
      this.lines.push(`${message} ${fields["error"] ?? ""}`.trim());
    };
    return new Backups({
      ...{ clock: member.clock, disk, backend: member.backend, clusterId, memberId: 0xan },
      log: { ...silentLogger, info: tell, warn: tell, error: tell },
      revision: () => member.revision,
      options: { directory: "/backups", intervalMs: HOUR_MS, keepCount },
      tryRestore: (path, done) => {
        done(this.verdict === undefined ? tryRestoreHere(disk, path) : this.verdict);
      },
    });
  }

  run(backups: Backups): string | null {
    let result: string | null | undefined;
    backups.run((failure) => {
      result = failure;
    });
    assert.ok(this.cluster.until(() => result !== undefined));
    return result!;
  }

  names(): string[] {
    return this.disk.list("/backups").filter((name) => name !== "quorate-cluster");
  }
}

test("one is made at once, then every interval, and so many are kept", () => {
  const bench = new Bench(1);
  const backups = bench.backups();
  assert.ok(Number.isNaN(backups.ageSeconds));
  backups.start();
  for (let hour = 0; hour < 5; hour++) {
    bench.cluster.world.runFor(HOUR_MS / 2);
    bench.write(`of hour ${hour}`);
    assert.ok(backups.ageSeconds <= 1801, `${backups.ageSeconds}`);
    bench.cluster.world.runFor(HOUR_MS / 2);
  }
  bench.cluster.world.runFor(HOUR_MS / 4);
  const revisions = bench.names().map((name) => /-r(\d+)\.db$/.exec(name)?.[1]);
  assert.equal(revisions.length, 3, "the oldest are gone");
  assert.deepEqual(revisions, [...revisions].sort());
  assert.equal(backups.results.with("good").value, 6);
  for (const name of bench.names()) {
    assert.match(name, /^c-a-\d{8}T\d{6}Z-r\d+\.db$/);
    assert.equal(tryRestoreHere(bench.disk, `/backups/${name}`), null);
  }
});

test("after a restart the next comes when it is due", () => {
  const bench = new Bench(2);
  assert.equal(bench.run(bench.backups()), null);
  bench.cluster.world.runFor(HOUR_MS / 4);
  const again = bench.backups();
  again.start();
  assert.ok(again.ageSeconds >= 900 && again.ageSeconds < 905, `${again.ageSeconds}`);
  bench.cluster.world.runFor(HOUR_MS / 2);
  assert.equal(bench.names().length, 1);
  bench.cluster.world.runFor(HOUR_MS / 2);
  assert.equal(bench.names().length, 2);
});

test("the directory of another cluster is left alone", () => {
  const bench = new Bench(3);
  assert.equal(bench.run(bench.backups()), null);
  const before = bench.names();
  const failure = bench.run(bench.backups(0xdn));
  assert.match(failure ?? "", /is that of cluster c, this is another/);
  assert.deepEqual(bench.names(), before);
});

test("one that cannot be restored gets no name, and the good ones stay", () => {
  const bench = new Bench(4);
  const backups = bench.backups();
  assert.equal(bench.run(backups), null);
  const before = bench.names();
  bench.verdict = "page 7 is damaged";
  assert.equal(bench.run(backups), "the trial restore failed: page 7 is damaged");
  assert.deepEqual(bench.names(), before);
  assert.equal(backups.results.with("failed").value, 1);
  assert.ok(bench.lines.includes("backup failed the trial restore failed: page 7 is damaged"));
});

test("a full disk: told, nothing half done is left, and it goes on when there is room", () => {
  const bench = new Bench(5);
  const backups = bench.backups();
  const open = bench.disk.open.bind(bench.disk);
  bench.disk.open = (path, options) => {
    const file = open(path, options);
    if (path.endsWith(".part")) {
      file.write = (_bytes, _position, done) => done(new Error("ENOSPC: no space left on device"));
    }
    return file;
  };
  assert.match(bench.run(backups) ?? "", /no space left/);
  assert.deepEqual(bench.names(), []);
  assert.ok(Number.isNaN(backups.ageSeconds));
  bench.disk.open = open;
  assert.equal(bench.run(backups), null);
  assert.equal(bench.names().length, 1);
});

test("what a crash left of one is removed before the next", () => {
  const bench = new Bench(6);
  bench.disk.makeDirectory("/backups");
  bench.disk.open("/backups/c-a-20200101T000000Z-r9.db.part", { mode: "create" }).close();
  assert.equal(bench.run(bench.backups()), null);
  assert.equal(bench.names().length, 1);
});
