// What members of other makes rely on, and what no cluster of ours alone would miss.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../src/io/io.ts";
import { decodeMember } from "../../src/state/members/member-json.ts";
import { NO_SNAPSHOT, readLog, type WalContents } from "../../src/storage/wal/read-log.ts";
import { decodeConfChange, EntryType, type Message } from "../../src/wire/messages/raft.ts";
import { contentOf } from "./content-of.ts";
import { SmallCluster } from "./small-cluster.ts";

const DATABASE = "/data/member/snap/db";
const WAL = "/data/member/wal";

function diskOf(cluster: SmallCluster, at: number): Disk {
  return cluster.world.machine(BigInt(at)).disk;
}

type LogEntry = WalContents["entries"][number];

/** All entries of a member that has not cut its log yet. */
function logOf(cluster: SmallCluster, at: number): readonly LogEntry[] {
  return readLog(diskOf(cluster, at), WAL, NO_SNAPSHOT).contents.entries;
}

function putBack(disk: Disk, path: string, bytes: Uint8Array): void {
  disk.remove(path);
  const file = disk.open(path, { mode: "create" });
  file.writeNow(bytes, 0);
  file.syncNow();
  file.close();
}

test("the founders of a cluster write the same first entries, by rising id", () => {
  const cluster = new SmallCluster(1, 3);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  const ids = cluster.running.map(({ id }) => id);
  const byId = [...ids].sort((a, b) => (a < b ? -1 : 1));
  assert.notDeepEqual(ids, byId, "the order in which they are configured is another");
  const first = logOf(cluster, 1).slice(0, 3);
  for (const at of [2, 3]) assert.deepEqual(logOf(cluster, at).slice(0, 3), first);
  const changes = first.map(({ data }) => decodeConfChange(data));
  assert.deepEqual(
    changes.map(({ nodeId }) => nodeId),
    byId,
  );
  for (const [at, { term, index, type }] of first.entries()) {
    assert.deepEqual([term, index, type], [1, at + 1, EntryType.EntryConfChange]);
    const { id, nodeId, context } = changes[at]!;
    assert.equal(id, 0n, "nobody asked for it");
    const member = decodeMember(context);
    assert.equal(member.id, nodeId);
    assert.equal(
      member.name,
      `m${cluster.numberOf(cluster.running.find((m) => m.id === nodeId)!)}`,
    );
  }
});

test("a snapshot brings the membership in the form that etcd 3.6 needs, or dies without", () => {
  const options = { snapshotCount: 50, snapshotCatchupEntries: 10, backendBatchIntervalMs: 20 };
  const cluster = new SmallCluster(1, 3, options);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  const late = cluster.running.find((member) => member !== cluster.leader)!;
  const machine = BigInt(cluster.numberOf(late));
  const handlers = cluster.world.network.port(machine)!.handlers!;
  const take = handlers.snapshot.bind(handlers);
  const received: Message[] = [];
  handlers.snapshot = (message) => {
    received.push(message);
    return take(message);
  };
  cluster.world.network.isolate(machine);
  cluster.putMany(cluster.leader!, 400);
  assert.ok(cluster.awaitAnswers());
  cluster.world.network.heal();
  assert.ok(cluster.awaitEqual());
  const { data, metadata } = received[0]!.snapshot!;
  assert.ok(metadata!.index > 0);
  const tree = new TextDecoder().decode(data);
  for (const { id, name } of cluster.leader!.members.all()) {
    assert.ok(tree.includes(`/members/${id.toString(16)}`), `${name} is in ${tree}`);
  }
});

/** One member, stopped, and what it had some snapshots before. */
function twoStates(): { cluster: SmallCluster; disk: Disk; older: Map<string, Uint8Array> } {
  const cluster = new SmallCluster(1, 1, { snapshotCount: 5, snapshotCatchupEntries: 1 });
  const disk = diskOf(cluster, 1);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  cluster.stop(1);
  const paths = [DATABASE, ...disk.list(WAL).map((name) => `${WAL}/${name}`)];
  const older = new Map(paths.map((path) => [path, contentOf(disk, path)]));
  const member = cluster.start(1);
  cluster.putMany(member, 100);
  assert.ok(cluster.awaitAnswers());
  const hasCutItsLog = (): boolean => cluster.snapshotsOf(member).some((index) => index > 50);
  assert.ok(cluster.until(hasCutItsLog));
  cluster.stop(1);
  return { cluster, disk, older };
}

test("a database that is older than its log does not start", () => {
  const { cluster, disk, older } = twoStates();
  putBack(disk, DATABASE, older.get(DATABASE)!);
  assert.throws(() => cluster.start(1), /the database is older than the log/);
});

test("a log that is older than its database does not start, nor a database without one", () => {
  const { cluster, disk, older } = twoStates();
  for (const name of disk.list(WAL)) disk.remove(`${WAL}/${name}`);
  assert.throws(() => cluster.start(1), /there is no write-ahead log in/);
  cluster.world.machine(1n).kill();
  for (const [path, bytes] of older) if (path !== DATABASE) putBack(disk, path, bytes);
  assert.throws(() => cluster.start(1), /the log is older than the database/);
});
