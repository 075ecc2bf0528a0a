// Members of ours join clusters of Go's and the other way round: as voters, and as learners that
// are promoted. The removed end by themselves.

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { extent } from "../extent.ts";
import { runMixedLoad } from "../mixed-load.ts";
import { type Make, MixedCluster, SHORT_LOG } from "./mixed-cluster.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-changes-"));
after(() => rmSync(root, { recursive: true, force: true }));

async function load(cluster: MixedCluster, seed: number): Promise<void> {
  const client = cluster.connect();
  try {
    await runMixedLoad(client, seed, 300);
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

/** Who is there, and who joins. Go's 3.6 joins no cluster of which all members are newer. */
const pairs: readonly (readonly [readonly Make[], Make])[] = [
  [["3.6"], "ours"],
  [["ours"], "3.7"],
  [["3.7"], "ours"],
  [["ours", "3.6"], "3.6"],
  [["ours"], "ours"],
];

for (const [old, added] of extent(pairs, 2)) {
  test(`to ${old}: two of ${added}, then the first leaves`, { timeout: 300_000 }, async () => {
    await withCluster(old, SHORT_LOG, async (cluster) => {
      const [first] = cluster.members;
      await load(cluster, 1);
      await cluster.add(added);
      await load(cluster, 2);
      await cluster.assertEqual();
      const last = await cluster.add(added, true);
      await load(cluster, 3);
      await cluster.assertEqual();
      assert.equal((await last.status()).isLearner, true);
      await cluster.promote(last);
      await load(cluster, 4);
      await cluster.assertEqual();
      await cluster.makeLeader(last);
      await cluster.remove(first!);
      await first!.ended();
      await load(cluster, 5);
      await cluster.assertEqual();
    });
  });
}

for (const go of extent(["3.7", "3.6"] as const, 1)) {
  test(`a leader of ours is removed by ${go}'s, and ends`, { timeout: 300_000 }, async () => {
    await withCluster(["ours", go, go], [], async (cluster) => {
      const [ours] = cluster.members;
      await cluster.makeLeader(ours!);
      await load(cluster, 1);
      await cluster.remove(ours!);
      await ours!.ended();
      await cluster.leader();
      await load(cluster, 2);
      await cluster.assertEqual();
    });
  });
}
