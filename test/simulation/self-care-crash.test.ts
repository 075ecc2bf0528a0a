// kill -9 in the middle of self-care: while a compaction or a defragmentation that the member began
// by itself goes on, at any moment of it. What is found then has sound pages, all that was
// acknowledged, and the history that there was: equal HashKV. SELF_CARE_CRASHES=100 for more.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "../../src/server/member.ts";
import { SmallCluster } from "./small-cluster.ts";

const ROUNDS = Number(process.env["SELF_CARE_CRASHES"] ?? 25);
const LIMIT_MS = 600_000;
const OPTIONS = {
  selfCare: "on",
  quotaBackendBytes: 1 << 20,
  compactionBatchLimit: 50,
  backendBatchIntervalMs: 50,
  snapshotCount: 300,
  snapshotCatchupEntries: 50,
} as const;

function hashOf(member: Member, revision: number): number {
  const hash = member.state.hashByRevision(revision);
  assert.ok("hash" in hash);
  return hash.hash;
}

/** Writes until the member has begun to care for itself. */
function fill(
  cluster: SmallCluster,
  member: Member,
  values: Map<string, string>,
  at: number,
): void {
  for (let i = 0; !member.care.self.isActing; i++) {
    assert.ok(i < 10_000, "pressure makes it act");
    const key = `k${i % 40}`;
    const value = `${at}.${i} `.padEnd(600, "v");
    const refused = cluster.failures.length;
    cluster.put(member, key, value);
    assert.ok(cluster.awaitAnswers());
    if (cluster.failures.length === refused) values.set(key, value);
    // The first one that finds no room is done and yet refused, as in etcd.
    else if (cluster.read(member, key) === value) values.set(key, value);
  }
}

test(`${ROUNDS} crashes in the middle of self-care: sound pages, equal HashKV`, () => {
  const cluster = new SmallCluster(7, 1, OPTIONS);
  const random = cluster.world.random.fork("crashes");
  const values = new Map<string, string>();
  const caught = new Map<string, number>();
  let member = cluster.start(1);
  assert.ok(cluster.awaitReady());
  for (let round = 0; round < ROUNDS; round++) {
    fill(cluster, member, values, round);
    // Sometimes the compaction ends meanwhile, and the defragmentation after it is hit.
    cluster.world.runFor(random.below(round % 2 === 0 ? 10 : 120));
    const { inflight, compacting } = stateOf(member);
    const what = `${inflight ? "defragment" : ""}${compacting ? "compact" : ""}`;
    caught.set(what, (caught.get(what) ?? 0) + 1);
    const { revision, appliedIndex } = member;
    const expected = hashOf(member, revision);
    cluster.crash(1);
    member = cluster.start(1);
    const disk = cluster.world.machine(1n).disk;
    assert.deepEqual(
      disk.list("/data/member/snap").filter((name) => name.includes("tmp")),
      ["db.tmp.spare"],
      "no leftovers beside the spare file of every member",
    );
    // The compaction is an entry as well: which revisions are hashed depends on it.
    assert.ok(cluster.world.runUntil(() => member.appliedIndex >= appliedIndex, LIMIT_MS));
    assert.equal(hashOf(member, revision), expected, `round ${round}: equal HashKV`);
    assert.deepEqual(member.backend.problems(), [], `round ${round}: pages`);
    for (const [key, value] of values) {
      assert.equal(cluster.read(member, key)?.slice(0, 20), value.slice(0, 20));
    }
  }
  assert.ok((caught.get("compact") ?? 0) > 0, "compactions were hit");
  assert.ok((caught.get("defragment") ?? 0) > 0, "defragmentations were hit");
  // The quota is tiny, and after each start history counts as young: it may be reached.
  for (const text of cluster.failures) assert.match(text, /database space exceeded/);
});

function stateOf(member: Member): { inflight: boolean; compacting: boolean } {
  return {
    inflight: member.backend.metrics.defragInflight.value === 1,
    compacting: member.state.compaction.current !== undefined,
  };
}
