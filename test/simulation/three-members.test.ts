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

test("a leader whose disk stands still is followed by another one", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    const stuck = cluster.leader!;
    const { disk } = cluster.world.machine(BigInt(cluster.numberOf(stuck)));
    const { syncMs } = disk;
    disk.syncMs = [60_000, 60_001];
    cluster.put(stuck, "k", "of the old");
    const rest = cluster.running.filter((member) => member !== stuck);
    const leads = (): boolean => rest.some((member) => member.raftStatus().role === "leader");
    const sinceMs = cluster.world.schedule.nowMs;
    assert.ok(cluster.until(leads), `seed ${seed}: the others have a leader`);
    assert.ok(cluster.world.schedule.nowMs - sinceMs < 5000);
    cluster.put(rest[0]!, "k", "of the new");
    assert.ok(cluster.until(() => cluster.read(rest[1]!, "k") === "of the new"));
    disk.syncMs = syncMs;
    cluster.world.runFor(61_000);
    assert.ok(cluster.awaitEqual(), `seed ${seed}: all have applied the same`);
    assert.equal(cluster.read(stuck, "k"), "of the new");
  }
});

test("followers hear of a commit at once, under load a few milliseconds later", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    const leader = cluster.leader!;
    const follower = cluster.running.find((member) => member !== leader)!;
    const { schedule } = cluster.world;
    const put = (): number => {
      const index = leader.appliedIndex + 1;
      cluster.put(leader, "k", "v");
      assert.ok(cluster.until(() => leader.appliedIndex === index));
      return schedule.nowMs;
    };
    const lagMs = (sinceMs: number): number => {
      assert.ok(cluster.until(() => follower.appliedIndex === leader.appliedIndex));
      return schedule.nowMs - sinceMs;
    };
    // Heartbeats would tell it too, within a hundred milliseconds.
    for (let round = 0; round < 5; round++) {
      cluster.world.runFor(50);
      const aloneMs = lagMs(put());
      assert.ok(aloneMs < 3, `seed ${seed}: ${aloneMs} ms after a put alone`);
      put();
      put();
      const loadedMs = lagMs(put());
      assert.ok(loadedMs < 12, `seed ${seed}: ${loadedMs} ms after the last of several`);
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
  for (let seed = 1; seed <= 10; seed++) {
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

test("who stops hands leadership over, and nobody waits for an election", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    cluster.world.runFor(10_000);
    const leader = cluster.leader!;
    const beganMs = cluster.world.nowMs;
    cluster.stop(cluster.numberOf(leader));
    assert.ok(cluster.until(() => cluster.leader !== undefined));
    assert.ok(cluster.world.nowMs - beganMs < 1000, "sooner than any election timeout");
    cluster.put(cluster.running[0]!, "k", "v");
    assert.ok(cluster.awaitAnswers());
    assert.deepEqual(cluster.failures, []);
  }
});

test("leadership goes where it is told to, and not to strangers", () => {
  const cluster = new SmallCluster(1, 3);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  const leader = cluster.leader!;
  const other = cluster.running.find((one) => one !== leader)!;
  const results: (string | null)[] = [];
  leader.moveLeader(5n, (error) => results.push(error?.message ?? null));
  leader.moveLeader(other.id, (error) => results.push(error?.message ?? null));
  assert.ok(cluster.until(() => results.length === 2));
  assert.deepEqual(results, ["etcdserver: bad leader transferee", null]);
  assert.equal(cluster.leader, other);
});

test("a member that is removed stops for good, leader or not", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    cluster.world.runFor(10_000);
    const removed = seed % 2 === 0 ? cluster.leader! : cluster.member(1);
    let result: unknown;
    cluster.member(2).duties.membership.remove(removed.id, (members) => {
      result = members;
    });
    assert.ok(cluster.until(() => cluster.removed.has(removed)));
    assert.equal((result as unknown[]).length, 2);
    cluster.crash(cluster.numberOf(removed));
    const rest = cluster.running;
    const leads = (): boolean => rest.some((one) => one === cluster.leader);
    assert.ok(cluster.until(leads));
    cluster.put(cluster.leader!, "k", "v");
    assert.ok(cluster.awaitAnswers());
    assert.deepEqual(cluster.failures, []);
  }
});

test("a lease lives as long as any member is asked to renew it", () => {
  for (const seed of SEEDS) {
    const cluster = new SmallCluster(seed, 3);
    cluster.startAll();
    assert.ok(cluster.awaitReady());
    const follower = cluster.running.find((one) => one !== cluster.leader)!;
    cluster.grant(follower, 7n, 3);
    assert.ok(cluster.awaitAnswers());
    const ttls: number[] = [];
    const renewal = {
      here: () => assert.fail("it does not lead"),
      renewed: (ttl: number) => ttls.push(ttl),
      fail: (error: { message: string }) => assert.fail(error.message),
    };
    for (let second = 1; second <= 10; second++) {
      cluster.world.runFor(1000);
      follower.leaseForwarding.renew(7n, renewal);
      assert.ok(cluster.until(() => ttls.length === second));
      assert.equal(ttls.at(-1), 3);
    }
    let left = 0;
    follower.leaseForwarding.timeToLive(7n, false, {
      here: () => assert.fail("it does not lead"),
      told: (response) => {
        left = response?.ttl ?? -1;
      },
      fail: (error) => assert.fail(error.message),
    });
    assert.ok(cluster.until(() => left !== 0));
    assert.ok(left > 0 && left <= 3);
    assert.ok(
      cluster.until(() => !follower.state.leases.exists(7n)),
      "it ends by itself",
    );
    follower.leaseForwarding.renew(7n, renewal);
    assert.ok(cluster.until(() => ttls.length === 11));
    assert.equal(ttls.at(-1), 0);
  }
});
