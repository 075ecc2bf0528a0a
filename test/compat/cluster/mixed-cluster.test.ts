// Members of ours and of Go's in one cluster, each leading once, under a varied load: all have the
// same data in the end. Snapshots in both directions; members that were away and come back.

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { amount, extent } from "../extent.ts";
import { runMixedLoad } from "../mixed-load.ts";
import { type Make, MixedCluster, type MixedMember, SHORT_LOG } from "./mixed-cluster.ts";

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

async function load(cluster: MixedCluster, seed: number, operations = OPERATIONS): Promise<void> {
  const client = cluster.connect();
  try {
    await runMixedLoad(client, seed, operations);
  } finally {
    client.close();
  }
}

async function withCluster(
  makes: readonly Make[],
  flags: readonly string[],
  work: (cluster: MixedCluster) => Promise<void>,
): Promise<void> {
  const cluster = await MixedCluster.start(mkdtempSync(join(root, "c-")), makes, flags);
  try {
    await work(cluster);
  } finally {
    await cluster.close();
  }
}

for (const makes of extent(compositions, 1)) {
  test(`${makes.join(", ")}: each leads once`, { timeout: 300_000 }, async () => {
    await withCluster(makes, [], async (cluster) => {
      let seed = 1;
      for (const member of cluster.members) {
        await cluster.makeLeader(member);
        await load(cluster, seed++);
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
  await load(cluster, 7, 500);
  await cluster.restart(away);
  await cluster.assertEqual();
  assert.ok(await away.metric("etcd_network_snapshot_receive_success"), "by a snapshot");
  await load(cluster, 8, 100);
  await cluster.assertEqual();
}

for (const go of extent(["3.7", "3.6"] as const, 1)) {
  test(`a snapshot from ours to ${go}, and back`, { timeout: 300_000 }, async () => {
    await withCluster(["ours", go, "ours"], SHORT_LOG, async (cluster) => {
      const [first, second, third] = cluster.members as [MixedMember, MixedMember, MixedMember];
      await load(cluster, 6, 500);
      await assertSnapshot(cluster, first, second);
      await assertSnapshot(cluster, second, first);
      await assertSnapshot(cluster, first, third);
    });
  });
}

test("kill -9 of each in turn, with load meanwhile", { timeout: 300_000 }, async () => {
  await withCluster(["ours", "3.7", "ours"], SHORT_LOG, async (cluster) => {
    for (const [at, member] of cluster.members.entries()) {
      await member.stop("SIGKILL");
      await cluster.leader();
      await load(cluster, at, 200);
      await cluster.restart(member);
      await cluster.assertEqual();
    }
  });
});
