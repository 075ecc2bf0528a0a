// Self-care that is hindered: a leader that goes in the middle of an action, a member that is away
// when its turn comes, an operator's cron job that does the same, a watcher that holds history back
// for days, and live data that are more than the quota.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import { encodeCompactionRequest } from "../../src/wire/messages/rpc-kv.ts";
import { AlarmType } from "../../src/wire/messages/rpc-maintenance.ts";
import { SmallCluster } from "./small-cluster.ts";
import { actionsOf } from "./three-stories.ts";

const MIB = 1024 ** 2;
const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const LIMIT_MS = 600_000;
const VALUE_BYTES = 600;
const KEYS = 40;
const OPTIONS: Partial<MemberOptions> = {
  selfCare: "on",
  quotaBackendBytes: MIB,
  compactionBatchLimit: 50,
  backendBatchIntervalMs: 50,
  snapshotCount: 300,
  snapshotCatchupEntries: 50,
};

function startedCluster(seed: number, size: number): SmallCluster {
  const cluster = new SmallCluster(seed, size, OPTIONS);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  awaitLeader(cluster);
  return cluster;
}

function awaitLeader(cluster: SmallCluster): Member {
  assert.ok(
    cluster.until(() => cluster.leader !== undefined),
    "there is a leader",
  );
  return cluster.leader!;
}

/** Puts, so many, all acknowledged; a key comes again after `KEYS`. */
function fill(cluster: SmallCluster, member: Member, count: number): void {
  for (let i = 0; i < count; i++) {
    cluster.put(member, `/jobs/k${i % KEYS}`, `${i} `.padEnd(VALUE_BYTES, "v"));
    assert.ok(cluster.awaitAnswers());
  }
}

/** In the end nothing is wrong, and files are what they should be. */
function assertCared(cluster: SmallCluster): void {
  for (const member of cluster.running) {
    assert.equal(member.state.alarms.isActive(AlarmType.NOSPACE), false);
    assert.ok(member.backend.sizeBytes < MIB, `${member.backend.sizeBytes}`);
    assert.deepEqual(member.backend.problems(), []);
  }
}

test("a leader goes in the middle of an action: the next one sees to it", () => {
  const cluster = startedCluster(31, 3);
  let caught = 0;
  for (let round = 0; round < 6; round++) {
    const leader = awaitLeader(cluster);
    for (let i = 0; !leader.care.self.isActing && i < 5000; i++) fill(cluster, leader, 1);
    if (leader.care.self.isActing) caught++;
    const at = cluster.numberOf(leader);
    cluster.crash(at);
    const next = awaitLeader(cluster);
    assert.notEqual(next, leader);
    fill(cluster, next, 200);
    cluster.start(at);
    assert.ok(cluster.awaitEqual());
    cluster.world.runFor(HOUR_MS / 10);
  }
  assert.ok(caught >= 3, `actions were hit: ${caught}`);
  cluster.world.runFor(HOUR_MS);
  assert.deepEqual(cluster.failures, []);
  assertCared(cluster);
  const { revision } = awaitLeader(cluster);
  const hashes = cluster.running.map(({ state }) => state.hashByRevision(revision));
  for (const hash of hashes) assert.deepEqual(hash, hashes[0]);
});

test("a member is away when its turn comes: it is cared for when it is back", () => {
  const cluster = startedCluster(32, 3);
  const leader = awaitLeader(cluster);
  const away = cluster.running.find((member) => member !== leader)!;
  const at = cluster.numberOf(away);
  fill(cluster, leader, 1000);
  cluster.crash(at);
  for (let hour = 0; hour < 6; hour++) {
    fill(cluster, awaitLeader(cluster), 300);
    cluster.world.runFor(HOUR_MS);
  }
  const others = cluster.running;
  for (const member of others) assert.ok(actionsOf(member, "defragment") >= 1);
  cluster.start(at);
  assert.ok(cluster.awaitEqual());
  cluster.world.runFor(2 * HOUR_MS);
  assert.deepEqual(cluster.failures, []);
  assertCared(cluster);
});

test("an operator's cron job does the same: neither is in the other's way", () => {
  const cluster = startedCluster(33, 1);
  const member = awaitLeader(cluster);
  const results: string[] = [];
  for (let hour = 0; hour < 24; hour++) {
    for (let part = 0; part < 4; part++) {
      fill(cluster, member, 150);
      cluster.world.runFor(HOUR_MS / 4);
    }
    const body = encodeCompactionRequest({ revision: member.revision });
    const note = (error: { message: string } | null): void => {
      results.push(error?.message ?? "done");
    };
    const waiter = { proposedAtMs: 0, fail: note, settle: note.bind(null, null) };
    member.propose(RequestField.Compaction, body, 0, body.length, waiter);
    member.backend.defragment(note);
    // Right behind it, while both go on.
    fill(cluster, member, 300);
  }
  cluster.world.runFor(HOUR_MS);
  assert.ok(results.length === 48 && results.every((result) => result === "done"), `${results}`);
  assert.deepEqual(cluster.failures, []);
  const failed = member.care.self.events.filter(({ result }) => result.startsWith("failed"));
  assert.deepEqual(failed, []);
  assert.ok(actionsOf(member, "compact") >= 1);
  assertCared(cluster);
});

test("a watcher holds history back for days: reported, never cut off", () => {
  const cluster = startedCluster(34, 1);
  const member = awaitLeader(cluster);
  let drained = (): void => {};
  const sink = {
    buffer: new Uint8Array(0),
    queuedBytes: 0,
    responses: 0,
    reserve(sizeBytes: number): number {
      this.buffer = new Uint8Array(sizeBytes);
      return 0;
    },
    sendMessage(): void {
      this.responses++;
    },
    whenDrained(_: number, task: () => void): void {
      drained = task;
    },
  };
  const stream = member.watch.openStream(sink, () => assert.fail("its history was compacted"));
  const watcher = { from: "", to: undefined, flags: 0, startRevision: 0, id: 0 };
  member.watch.create(stream, watcher);
  const heldFrom = member.revision + 1;
  // Its client does not read any more.
  sink.queuedBytes = 1e9;
  while (cluster.failures.length === 0) {
    fill(cluster, member, 50);
    cluster.world.runFor(HOUR_MS);
  }
  cluster.world.runFor(3 * DAY_MS);
  const { events } = member.care.self;
  const told = events.filter(({ action }) => action === "warn");
  const wanted = new RegExp(`a watcher holds history from revision ${heldFrom} on`);
  assert.ok(told.length >= 3 && told.every(({ reason }) => wanted.test(reason)), `${told}`);
  assert.ok(member.mvcc.compactRevision < heldFrom);

  // It reads again: what it was promised comes, and then the store recovers by itself.
  sink.queuedBytes = 0;
  drained();
  cluster.world.runFor(HOUR_MS);
  assert.ok(sink.responses > 0);
  assert.equal(member.watch.lag().watchers, 0);
  assertCared(cluster);
  cluster.failures.length = 0;
  fill(cluster, member, 20);
  assert.deepEqual(cluster.failures, []);
});

test("live data that are more than the quota: refused, and told where they lie", () => {
  const cluster = startedCluster(35, 1);
  const member = awaitLeader(cluster);
  for (let at = 0; at < 500; at++) cluster.put(member, `/big/${at}`, "v".repeat(VALUE_BYTES));
  for (let at = 0; at < 100; at++) cluster.put(member, `/small/${at}`, "v".repeat(100));
  assert.ok(cluster.awaitAnswers());
  cluster.crash(1);
  const again = cluster.start(1, { quotaBackendBytes: MIB / 8 });
  assert.ok(cluster.awaitReady());
  awaitLeader(cluster);
  // What the log brought is on the disk.
  cluster.world.runFor(1000);
  cluster.put(again, "/big/more", "v");
  assert.ok(cluster.awaitAnswers());
  assert.match(cluster.failures.at(-1)!, /database space exceeded/);
  assert.ok(cluster.world.runUntil(() => again.care.self.events.length > 0, LIMIT_MS));
  cluster.world.runFor(HOUR_MS);
  const told = again.care.self.events.filter(({ action }) => action === "warn");
  assert.ok(told.length > 0);
  for (const { reason } of told) {
    assert.match(reason, /by live data, which no compaction helps: \/big\/ \(.*, \/small\/ \(/);
  }
});
