// The write-ahead log between etcd and us: each reads, and goes on in, what the other one wrote.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { NodeDisk } from "../../src/io/node-disk.ts";
import {
  checkSnapshots,
  loadSnapshot,
  writeSnapshot,
} from "../../src/storage/snapshot/snapshots.ts";
import { NO_SNAPSHOT, readLog, validSnapshots } from "../../src/storage/wal/read-log.ts";
import type { WalEntry } from "../../src/storage/wal/record.ts";
import { listSegments } from "../../src/storage/wal/segment.ts";
import { Wal } from "../../src/storage/wal/wal.ts";
import { decodeMetadata, encodeMetadata } from "../../src/wire/messages/etcdserver.ts";
import { encodeConfChange } from "../../src/wire/messages/raft.ts";
import {
  decodeInternalRaftRequest,
  encodeInternalRaftRequest,
} from "../../src/wire/messages/raft-internal.ts";
import { StockEtcd, stockPrograms } from "./stock-etcd.ts";

const programs = { "3.7": stockPrograms("3.7"), "3.6": stockPrograms("3.6") };
const root = mkdtempSync(join(tmpdir(), "quorate-wal-"));
after(() => rmSync(root, { recursive: true, force: true }));
const disk = new NodeDisk();
const clock = new NodeClock();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Keys of the puts in the log, in order. */
function putKeys(entries: readonly WalEntry[]): string[] {
  return entries
    .filter(({ type, data }) => type === 0 && data.length > 0)
    .map(({ data }) => decodeInternalRaftRequest(data).put)
    .filter((put) => put !== undefined)
    .map((put) => decoder.decode(put.key));
}

/** An entry that puts `key`; ids of requests only have to differ. */
function put(index: number, term: number, key: string, value = key): WalEntry {
  const data = encodeInternalRaftRequest({
    header: { id: BigInt(index) },
    put: { key: encoder.encode(key), value: encoder.encode(value) },
  });
  return { type: 0, term, index, data };
}

function append(wal: Wal, entries: WalEntry[], term: number, vote: bigint): Promise<void> {
  const commit = entries.at(-1)!.index;
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
    wal.append(entries, { term, vote, commit }, true, done);
  });
}

/** As etcd makes ids: the first eight bytes of a digest of the URLs and the token. */
function firstId(...parts: (string | Uint8Array)[]): bigint {
  const digest = createHash("sha1");
  for (const part of parts) digest.update(part);
  return digest.digest().readBigUInt64BE(0);
}

for (const version of ["3.7", "3.6"] as const) {
  describe(`the log of etcd ${version}`, () => {
    it("is read after a kill, in several segments, and gone on with by both", async () => {
      const etcd = await StockEtcd.make(programs[version], root);
      await etcd.start("--snapshot-count", "20");
      const large = "x".repeat(1_400_000);
      for (let number = 0; number < 50; number++) etcd.ctl(large, "put", `large${number}`);
      etcd.ctl(undefined, "compaction", "40");
      etcd.ctl(undefined, "put", "last", "one");
      await etcd.stop("SIGKILL");

      assert.equal(listSegments(disk, etcd.walDirectory).length, 2);
      const { contents, tail } = readLog(disk, etcd.walDirectory, NO_SNAPSHOT);
      assert.equal(tail.torn, false);
      const keys = putKeys(contents.entries);
      assert.deepEqual(keys.slice(-2), ["large49", "last"]);
      assert.equal(keys.length, 51);
      const { nodeID } = decodeMetadata(contents.metadata);
      assert.equal(nodeID, firstId(etcd.peerUrl, "etcd-cluster"));
      const snapshots = validSnapshots(disk, etcd.walDirectory);
      assert.ok(snapshots.length >= 2);
      const newest = snapshots.at(-1)!;
      assert.deepEqual(newest.confState!.voters, [nodeID]);
      const snapDirectory = `${etcd.dataDir}/member/snap`;
      checkSnapshots(disk, silentLogger, snapDirectory, snapshots);
      assert.equal(loadSnapshot(disk, silentLogger, snapDirectory)!.index, newest.index);

      const log = { ...silentLogger, warn: (message: string) => assert.fail(message) };
      const options = { disk, clock, log, directory: etcd.walDirectory };
      const { wal, contents: rest } = Wal.open(options, newest);
      const term = rest.hardState!.term;
      const next = wal.lastIndex + 1;
      await append(wal, [put(next, term, "ours1"), put(next + 1, term, "ours2")], term, nodeID);
      wal.close();
      await etcd.start();
      const all = etcd.ctl(undefined, "get", "", "--prefix", "--keys-only").split("\n");
      assert.equal(all.filter((key) => key.startsWith("large")).length, 50);
      for (const key of ["last", "ours1", "ours2"]) assert.ok(all.includes(key), key);
      etcd.ctl(undefined, "put", "theirs", "again");
      await etcd.stop();
      const { contents: end } = readLog(disk, etcd.walDirectory, newest);
      assert.deepEqual(putKeys(end.entries).slice(-3), ["ours1", "ours2", "theirs"]);
    });
  });
}

describe("our .snap file", () => {
  it("is what etcd 3.6 starts from, in the place of its own", async () => {
    const etcd = await StockEtcd.make(programs["3.6"], root);
    await etcd.start("--snapshot-count", "10");
    for (let number = 0; number < 30; number++) etcd.ctl(undefined, "put", `k${number}`, "v");
    await etcd.stop();
    const snapDirectory = `${etcd.dataDir}/member/snap`;
    for (const name of disk.list(snapDirectory)) {
      if (name.endsWith(".snap")) disk.remove(`${snapDirectory}/${name}`);
    }
    const { index, term, confState } = validSnapshots(disk, etcd.walDirectory).at(-1)!;
    assert.ok(confState !== undefined);
    const id = confState.voters[0]!;
    const [peerUrls, clientUrls] = [[etcd.peerUrl], [etcd.clientUrl]];
    const membership = {
      members: [{ id, peerUrls, isLearner: false, name: "m", clientUrls }],
      removed: [],
      version: "3.6.0",
    };
    await new Promise<void>((resolve, reject) => {
      const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
      writeSnapshot(disk, snapDirectory, { index, term, confState }, membership, done);
    });
    await etcd.start();
    assert.match(etcd.ctl(undefined, "member", "list", "-w", "json"), /"name":"m"/);
    assert.equal(etcd.ctl(undefined, "get", "k29", "--print-value-only"), "v\n");
    etcd.ctl(undefined, "put", "after", "it");
    await etcd.stop();
  });
});

describe("our log", () => {
  it("starts etcd 3.7 from nothing else, in many small segments", async () => {
    const etcd = await StockEtcd.make(programs["3.7"], root);
    const nodeID = firstId(etcd.peerUrl, "etcd-cluster");
    const idBytes = new Uint8Array(8);
    new DataView(idBytes.buffer).setBigUint64(0, nodeID);
    const clusterID = firstId(idBytes);
    disk.makeDirectory(`${etcd.dataDir}/member/snap`);
    const options = {
      ...{ disk, clock, log: silentLogger, directory: etcd.walDirectory },
      segmentBytes: 8192,
    };
    const wal = Wal.create(options, encodeMetadata({ nodeID, clusterID }));
    const member = `{"id":${nodeID},"peerURLs":["${etcd.peerUrl}"],"name":"m"}`;
    const context = encoder.encode(member);
    const change = encodeConfChange({ type: 0, nodeId: nodeID, context });
    await append(wal, [{ type: 1, term: 1, index: 1, data: change }], 1, 0n);
    await append(wal, [{ type: 0, term: 2, index: 2, data: new Uint8Array(0) }], 2, nodeID);
    for (let index = 3; index < 103; index++) {
      const value = "v".repeat(index * 7);
      await append(wal, [put(index, 2, `key${index}`, value)], 2, nodeID);
    }
    wal.close();
    assert.ok(listSegments(disk, etcd.walDirectory).length > 3);
    await etcd.start();
    const count = etcd.ctl(undefined, "get", "key", "--prefix", "--count-only", "-w", "fields");
    assert.match(count, /"Count" : 100\n/);
    assert.equal(etcd.ctl(undefined, "get", "key77").trim(), `key77\n${"v".repeat(77 * 7)}`);
    await etcd.stop();
    assert.ok(!existsSync(`${etcd.walDirectory}/0.tmp`));
    const { contents } = readLog(disk, etcd.walDirectory, NO_SNAPSHOT);
    assert.equal(putKeys(contents.entries).length, 100);
  });

  it("is repaired by etcd as by us when its last write is torn", async () => {
    const etcd = await StockEtcd.make(programs["3.7"], root);
    await etcd.start();
    for (let number = 0; number < 5; number++) etcd.ctl("y".repeat(3000), "put", `k${number}`);
    await etcd.stop("SIGKILL");
    const { tail } = readLog(disk, etcd.walDirectory, NO_SNAPSHOT);
    const file = disk.open(`${etcd.walDirectory}/${tail.segment.name}`, { mode: "write" });
    // The last entry spans sectors; the last one of them was never written.
    file.writeNow(new Uint8Array(512), tail.offset - (tail.offset % 512) - 512);
    file.writeNow(new Uint8Array(512), tail.offset - (tail.offset % 512));
    file.close();
    const torn = readLog(disk, etcd.walDirectory, NO_SNAPSHOT);
    assert.equal(torn.tail.torn, true);
    await etcd.start("--log-level", "debug");
    await etcd.stop();
    assert.ok(existsSync(`${etcd.walDirectory}/${tail.segment.name}.broken`));
    const { contents } = readLog(disk, etcd.walDirectory, NO_SNAPSHOT);
    const kept = torn.contents.entries.length;
    assert.deepEqual(contents.entries.slice(0, kept), torn.contents.entries);
    assert.notDeepEqual(contents.entries[kept]?.data, undefined);
  });
});
