// Several members of one cluster in the simulated world: they elect, replicate, and outlive the
// crash of any one of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallCluster } from "./small-cluster.ts";

const SEEDS = [1, 2, 3, 4, 5];

test("three members elect one leader and agree", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady(), `seed ${seed}: all are ready`);
    const leaders = cluster.running.filter((member) => member.raftStatus().role === "leader");
    assert.equal(leaders.length, 1);
    for (const member of cluster.running) cluster.put(member, "k", `of ${member.id}`);
    assert.ok(cluster.awaitAnswers());
    assert.deepEqual(cluster.failures, []);
    assert.ok(cluster.awaitEqual(), "all have applied the same");
    assert.equal(new Set(cluster.running.map((member) => cluster.read(member, "k"))).size, 1);
  }
});

test("any one may crash, and comes back", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    for (let at = 1; at <= 3; at++) {
      cluster.crash(at);
      const rest = cluster.running;
      assert.equal(rest.length, 2);
      const leads = (): boolean => {
        const lead = rest[0]!.raftStatus().lead;
        return rest.some(({ id }) => id === lead) && rest[1]!.raftStatus().lead === lead;
      };
      assert.ok(cluster.until(leads), "the others have a leader");
      cluster.put(rest[0]!, "k", `${at}`);
      assert.ok(cluster.awaitAnswers(), "the others go on");
      assert.deepEqual(cluster.failures, []);
      cluster.start(at);
      assert.ok(cluster.awaitEqual(), `seed ${seed}: member ${at} has caught up`);
      assert.equal(cluster.read(cluster.member(at), "k"), `${at}`);
    }
  }
});

/** Small limits: followers that were away need the whole database. */
const SHORT_LOG = { snapshotCount: 50, snapshotCatchupEntries: 10, backendBatchIntervalMs: 20 };

test("who was away for long gets the database, and its watchers miss nothing", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3, SHORT_LOG);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    const member = cluster.running.find((one) => one !== cluster.leader)!;
    const revisions = cluster.watchAll(member);
    const first = member.revision + 1;
    cluster.world.network.isolate(BigInt(cluster.numberOf(member)));
    cluster.putMany(cluster.leader!, 400);
    assert.ok(cluster.awaitAnswers());
    const { revision } = cluster.leader!;
    const before = member.appliedIndex;
    cluster.world.network.heal();
    assert.ok(cluster.awaitEqual(), `seed ${seed}: caught up`);
    assert.ok(before > 0 && cluster.snapshotsOf(member).length > 0, "entries would not have done");
    assert.equal(cluster.read(member, "key399"), "value 399");
    assert.ok(cluster.until(() => revisions.at(-1) === revision));
    const all = Array.from({ length: revision - first + 1 }, (_, at) => first + at);
    assert.deepEqual(revisions, all);
    // Its own link to the leader may come up later than the one it was helped through.
    cluster.world.runFor(6000);
    cluster.putMany(member, 100, "more");
    assert.ok(cluster.awaitAnswers());
    assert.ok(cluster.awaitEqual());
    const at = cluster.numberOf(member);
    cluster.crash(at);
    assert.equal(cluster.read(cluster.start(at), "key0"), "value 0");
    assert.ok(cluster.awaitEqual());
    assert.deepEqual(cluster.failures, []);
  }
});

test("a snapshot survives a crash at any moment", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const cluster = new SmallCluster(seed, 3, SHORT_LOG);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    const behind = cluster.running.findIndex((member) => member !== cluster.leader) + 1;
    cluster.crash(behind);
    cluster.putMany(cluster.leader!, 300);
    assert.ok(cluster.awaitAnswers());
    for (let crash = 0; crash < 12; crash++) {
      cluster.start(behind);
      cluster.world.runFor(60 + cluster.world.random.below(80));
      cluster.crash(behind);
    }
    const member = cluster.start(behind);
    assert.ok(cluster.awaitEqual(), `seed ${seed}: caught up`);
    assert.equal(cluster.read(member, "key299"), "value 299");
  }
});
