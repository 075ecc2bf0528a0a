// Members of ours join clusters of Go's and the other way round: as voters, and as learners that
// are promoted. The removed end by themselves.

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { extent } from "../extent.ts";
import { type Make, SHORT_LOG, withCluster } from "./mixed-cluster.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-changes-"));
after(() => rmSync(root, { recursive: true, force: true }));

const OPERATIONS = 300;

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
    await withCluster(root, old, SHORT_LOG, async (cluster) => {
      const [first] = cluster.members;
      await cluster.load(1, OPERATIONS);
      await cluster.add(added);
      await cluster.load(2, OPERATIONS);
      await cluster.assertEqual();
      const last = await cluster.add(added, true);
      await cluster.load(3, OPERATIONS);
      await cluster.assertEqual();
      assert.equal((await last.status()).isLearner, true);
      await cluster.promote(last);
      await cluster.load(4, OPERATIONS);
      await cluster.assertEqual();
      await cluster.makeLeader(last);
      await cluster.remove(first!);
      await first!.ended();
      await cluster.load(5, OPERATIONS);
      await cluster.assertEqual();
    });
  });
}

for (const go of extent(["3.7", "3.6"] as const, 1)) {
  test(`a leader of ours is removed by ${go}'s, and ends`, { timeout: 300_000 }, async () => {
    await withCluster(root, ["ours", go, go], [], async (cluster) => {
      const [ours] = cluster.members;
      await cluster.makeLeader(ours!);
      await cluster.load(1, OPERATIONS);
      await cluster.remove(ours!);
      await ours!.ended();
      await cluster.leader();
      await cluster.load(2, OPERATIONS);
      await cluster.assertEqual();
    });
  });
}
