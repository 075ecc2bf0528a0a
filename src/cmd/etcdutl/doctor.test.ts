import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SmallCluster } from "../../../test/simulation/small-cluster.ts";
import { NodeClock } from "../../io/node-clock.ts";
import type { Console, Piece } from "../etcdctl/console.ts";
import { runEtcdutl } from "./run.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function doctor(disk: SimDisk, ...words: string[]): Promise<Ran> {
  let out = "";
  let err = "";
  const console: Console = {
    out: (...pieces: Piece[]) => {
      out += pieces.join("");
    },
    err: (text) => {
      err += text;
    },
    readLine: () => Promise.resolve(""),
    readAll: () => Promise.resolve(new Uint8Array(0)),
    isInputTerminal: false,
    isOutputTerminal: false,
    isErrorTerminal: false,
  };
  const code = await runEtcdutl(["doctor", ...words], { console, disk, clock: new NodeClock() });
  return { code, out, err };
}

/** The disk of a member that was stopped after some writes. */
function stoppedMember(seed = 1): SimDisk {
  const cluster = new SmallCluster(seed, 1, { snapshotCount: 100, snapshotCatchupEntries: 20 });
  const member = cluster.start(1);
  assert.ok(cluster.awaitReady());
  for (let round = 0; round < 10; round++) {
    cluster.putMany(member, 30, "/registry/pods/default/pod-");
    cluster.put(member, "/service/status", `round ${round}`);
  }
  assert.ok(cluster.awaitAnswers());
  cluster.stop(1);
  return cluster.world.machine(1n).disk;
}

const DATABASE = "/data/member/snap/db";

function segmentOf(disk: SimDisk): string {
  const names = disk.list("/data/member/wal").filter((name) => name.endsWith(".wal"));
  return `/data/member/wal/${names[0]}`;
}

test("a healthy directory: what is in it, and where the bytes lie", async () => {
  const disk = stoppedMember();
  const { code, out } = await doctor(disk, "/data");
  assert.equal(code, 0, out);
  assert.match(out, /revision 311, compacted 0; 31 keys, 310 records, 0 tombstones/);
  assert.match(out, / 30 keys +300 revisions {2}\/registry\/pods\//);
  assert.match(out, /ok {3}log: entries/);
  assert.match(out, /ok {3}index: the database has applied (\d+), 0 entries behind the log/);
  assert.match(out, /\/data: healthy\n$/);
  const json = JSON.parse((await doctor(disk, "/data", "-w", "json")).out);
  assert.equal(json.healthy, true);
  assert.equal(json.database.keys, 31);
});

test("a snapshot file by itself", async () => {
  const { code, out } = await doctor(stoppedMember(), DATABASE);
  assert.equal(code, 0, out);
  assert.match(out, /31 keys/);
});

test("a changed byte in the log is found, and where", async () => {
  const disk = stoppedMember();
  const segment = segmentOf(disk);
  disk.flipBit(segment, 8 * 5000);
  const { code, out } = await doctor(disk, "/data");
  assert.equal(code, 1);
  assert.ok(out.includes(`BAD  ${segment}`), out);
  assert.match(out, /\/data: something is wrong\n$/);
});

test("a changed byte in a page is found", async () => {
  const disk = stoppedMember();
  // The count of elements of every page but the metas.
  const pages = disk.open(DATABASE, { mode: "read" }).sizeBytes() / 4096;
  for (let page = 2; page < pages; page++) disk.flipBit(DATABASE, 8 * (4096 * page + 11) + 6);
  const { code, out } = await doctor(disk, "/data");
  assert.equal(code, 1);
  assert.ok(out.includes(`BAD  ${DATABASE}`), out);
});

test("a log and a database that do not belong together", async () => {
  const disk = stoppedMember();
  const other = new SmallCluster(2, 1);
  const member = other.start(1);
  assert.ok(other.awaitReady());
  other.put(member, "k", "v");
  assert.ok(other.awaitAnswers());
  other.stop(1);
  const young = other.world.machine(1n).disk;
  const copy = new Uint8Array(disk.open(DATABASE, { mode: "read" }).sizeBytes());
  disk.open(DATABASE, { mode: "read" }).read(copy, 0);
  young.remove(DATABASE);
  const file = young.open(DATABASE, { mode: "create" });
  file.truncate(copy.length);
  await new Promise<void>((resolve) => {
    file.write(copy, 0, () => resolve());
    other.world.runFor(1000);
  });
  const { code, out } = await doctor(young, "/data");
  assert.equal(code, 1);
  assert.match(out, /the log is older than the database/);
});

test("what is missing is told", async () => {
  const disk = stoppedMember();
  disk.remove(DATABASE);
  const { code, out } = await doctor(disk, "/data");
  assert.equal(code, 1);
  assert.match(out, /there is no database/);
  assert.match((await doctor(disk, "/data/member")).out, /it is no data directory/);
  assert.equal((await doctor(disk, "/nowhere")).code, 1);
});
