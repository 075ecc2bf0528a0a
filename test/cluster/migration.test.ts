// A cluster of Go etcd becomes one of ours and goes back, one member at a time, each on its own
// data directory, while clients write and read through all members. What the clients saw is
// linearizable, so no acknowledged write is lost and no read is wrong.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { OUR_ETCD } from "../compat/member-process.ts";
import { Lcg } from "../compat/mixed-load.ts";
import { stockBinaries } from "../compat/stock-binaries.ts";
import { describe } from "../linearizability/history.ts";
import { findViolation } from "../linearizability/linearizable.ts";
import { findRevisionFault } from "../linearizability/revisions.ts";
import { compareMembers } from "./compare-members.ts";
import { ProcessCluster } from "./process-cluster.ts";
import { Workload } from "./workload.ts";

const HEALTHY_WITHIN_MS = 60_000;
const KEYS = 24;
const CLIENTS_PER_MEMBER = 3;
/** Between two changes of a member. */
const CALM_MS = 800;
/** Small, so that logs are cut and snapshots are made on the way. */
const FLAGS = ["--snapshot-count=300", "--snapshot-catchup-entries=100"];

const root = mkdtempSync(join(tmpdir(), "quorate-migration-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Of the version before ours there is no way back: the cluster has a new version then. */
for (const [version, goesBack] of [
  ["3.7", true],
  ["3.6", false],
] as const) {
  test(`from etcd ${version} ${goesBack ? "and back" : ""}`, async (context) => {
    const stock = stockBinaries(version)["etcd"]!;
    const directory = mkdtempSync(join(root, version));
    const cluster = await ProcessCluster.make(directory, [stock, stock, stock]);
    const workload = new Workload("migrated", KEYS);
    try {
      for (const member of cluster.members) member.start(FLAGS);
      await cluster.untilHealthy(HEALTHY_WITHIN_MS);
      const random = new Lcg(1);
      for (const endpoint of cluster.endpoints) {
        for (let at = 0; at < CLIENTS_PER_MEMBER; at++) {
          workload.run(endpoint, new Lcg(random.below(2 ** 30)));
        }
      }
      for (const program of goesBack ? [OUR_ETCD, stock] : [OUR_ETCD]) {
        for (const member of cluster.members) {
          await new Promise((resolve) => setTimeout(resolve, CALM_MS));
          await member.stop("SIGTERM");
          member.start(FLAGS, program);
          await cluster.untilHealthy(HEALTHY_WITHIN_MS);
        }
      }
      await workload.stop();
      await workload.readAll(cluster.endpoints[0]!);
      await compareMembers(cluster);
    } finally {
      await cluster.close();
    }
    const { history } = workload;
    const violation = findViolation(history);
    assert.equal(violation, undefined, violation?.operations.map(describe).join("\n"));
    assert.equal(findRevisionFault(history), undefined);
    const unanswered = history.length - workload.answeredCount;
    context.diagnostic(`${workload.answeredCount} operations answered, ${unanswered} not`);
    assert.ok(workload.answeredCount > 1000);
  });
}
