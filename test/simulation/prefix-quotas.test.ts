// Quotas of prefixes in a cluster: every member refuses, also one that got the whole database, and
// what is applied does not depend on them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { QUOTA_KEYS } from "../../src/server/care/quota-keys.ts";
import type { Member } from "../../src/server/member.ts";
import { SmallCluster } from "./small-cluster.ts";

const SHORT_LOG = { snapshotCount: 50, snapshotCatchupEntries: 10, backendBatchIntervalMs: 20 };

const refusal = (member: Member, key: string): string | undefined =>
  member.care.quotas.refusePut(key, 1, member.nowMs)?.message;

function started(seed: number): SmallCluster {
  const cluster = new SmallCluster(seed, 3, SHORT_LOG);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  return cluster;
}

function settle(cluster: SmallCluster): void {
  assert.ok(cluster.awaitAnswers());
  assert.ok(cluster.awaitEqual());
}

test("all members refuse, whoever was told of the quota, until it is removed or raised", () => {
  for (const seed of [1, 2, 3]) {
    const cluster = started(seed);
    const [first, second] = [cluster.member(1), cluster.member(2)];
    cluster.put(first, `${QUOTA_KEYS}/jobs/`, ":1");
    cluster.put(second, "/jobs/a", "1");
    settle(cluster);
    for (const member of cluster.running) {
      assert.equal(
        refusal(member, "/jobs/b"),
        'etcdserver: quota of prefix "/jobs/" exceeded: 1 of 1 keys',
      );
      assert.equal(refusal(member, "/other"), undefined);
    }
    cluster.put(second, `${QUOTA_KEYS}/jobs/`, ":2");
    settle(cluster);
    for (const member of cluster.running) assert.equal(refusal(member, "/jobs/b"), undefined);
  }
});

test("a member that was away has the quota from the log, or with the database", () => {
  for (const puts of [1, 400]) {
    const cluster = started(puts);
    const away = cluster.running.find((member) => member !== cluster.leader)!;
    cluster.world.network.isolate(BigInt(cluster.numberOf(away)));
    cluster.put(cluster.leader!, `${QUOTA_KEYS}key3/`, ":0");
    cluster.putMany(cluster.leader!, puts);
    assert.ok(cluster.awaitAnswers());
    assert.equal(refusal(away, "key3/a"), undefined);
    cluster.world.network.heal();
    settle(cluster);
    assert.notEqual(refusal(away, "key3/a"), undefined);
    const at = cluster.numberOf(away);
    cluster.crash(at);
    const again = cluster.start(at);
    settle(cluster);
    assert.notEqual(refusal(again, "key3/a"), undefined, "nor does a crash forget it");
  }
});

test("what a member that does not check lets through is applied by all: they stay equal", () => {
  const cluster = started(4);
  cluster.put(cluster.member(1), `${QUOTA_KEYS}/jobs/`, ":0");
  settle(cluster);
  // As from a Go member: the harness proposes without a question.
  for (const member of cluster.running) cluster.put(member, `/jobs/${member.id}`, "1");
  settle(cluster);
  assert.deepEqual(cluster.failures, []);
  for (const member of cluster.running) {
    assert.equal(cluster.read(member, `/jobs/${cluster.member(1).id}`), "1");
    assert.match(refusal(member, "/jobs/more") ?? "", /exceeded: 3 of 0 keys/);
  }
});
