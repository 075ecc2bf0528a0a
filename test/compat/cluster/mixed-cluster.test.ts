// Members of ours and of Go's in one cluster, each leading once, under a varied load: all have the
// same data in the end. Snapshots in both directions; members that were away and come back.

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { amount, extent } from "../extent.ts";
import {
  type Make,
  type MixedCluster,
  type MixedMember,
  SHORT_LOG,
  withCluster,
} from "./mixed-cluster.ts";

const OPERATIONS = amount(400, 1000);
const root = mkdtempSync(join(tmpdir(), "quorate-mixed-"));
after(() => rmSync(root, { recursive: true, force: true }));

const compositions: readonly (readonly Make[])[] = [
  ["ours", "3.7", "3.6"],
  ["ours", "ours", "3.7"],
  ["ours", "3.7", "3.7"],
  ["ours", "3.6", "3.6"],
  ["ours", "ours", "3.6"],
  ["ours", "ours", "ours"],
];

for (const makes of extent(compositions, 1)) {
  test(`${makes.join(", ")}: each leads once`, { timeout: 300_000 }, async () => {
    await withCluster(root, makes, [], async (cluster) => {
      let seed = 1;
      for (const member of cluster.members) {
        await cluster.makeLeader(member);
        await cluster.load(seed++, OPERATIONS);
        await cluster.assertEqual();
      }
    });
  });
}

/** Away while so much is written that the log of the others does not reach back to it. */
async function assertSnapshot(
  cluster: MixedCluster,
  leader: MixedMember,
  away: MixedMember,
): Promise<void> {
  await cluster.makeLeader(leader);
  await away.stop();
  await cluster.load(7, 500);
  await cluster.restart(away);
  await cluster.assertEqual();
  assert.ok(await away.metric("etcd_network_snapshot_receive_success"), "by a snapshot");
  await cluster.load(8, 100);
  await cluster.assertEqual();
}

for (const go of extent(["3.7", "3.6"] as const, 1)) {
  test(`a snapshot from ours to ${go}, and back`, { timeout: 300_000 }, async () => {
    await withCluster(root, ["ours", go, "ours"], SHORT_LOG, async (cluster) => {
      const [first, second, third] = cluster.members as [MixedMember, MixedMember, MixedMember];
      await cluster.load(6, 500);
      await assertSnapshot(cluster, first, second);
      await assertSnapshot(cluster, second, first);
      await assertSnapshot(cluster, first, third);
    });
  });
}

test("kill -9 of each in turn, with load meanwhile", { timeout: 300_000 }, async () => {
  await withCluster(root, ["ours", "3.7", "ours"], SHORT_LOG, async (cluster) => {
    for (const [at, member] of cluster.members.entries()) {
      await member.stop("SIGKILL");
      await cluster.leader();
      await cluster.load(at, 200);
      await cluster.restart(member);
      await cluster.assertEqual();
    }
  });
});
