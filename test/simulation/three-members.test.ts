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
