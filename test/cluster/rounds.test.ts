// Three processes, a fault in each round, clients all the while: what they saw is linearizable,
// every acknowledged write is found, and in the end the members are equal and their files sound.
//
// QUORATE_FAULT_ROUNDS: how many (500 before a release). QUORATE_FAULT_SEED: replays the choice of
// faults, not the timing. QUORATE_FAULT_PROGRAMS: three programs, with commas, in place of ours.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { OUR_ETCD } from "../compat/member-process.ts";
import { Lcg } from "../compat/mixed-load.ts";
import { describe } from "../linearizability/history.ts";
import { findViolation } from "../linearizability/linearizable.ts";
import { findRevisionFault } from "../linearizability/revisions.ts";
import { compareMembers } from "./compare-members.ts";
import { FAULTS, restore } from "./faults.ts";
import { ProcessCluster } from "./process-cluster.ts";
import { Workload } from "./workload.ts";

const ROUNDS = Number(process.env["QUORATE_FAULT_ROUNDS"] ?? 9);
const SEED = Number(process.env["QUORATE_FAULT_SEED"] ?? Date.now() % 1_000_000);
const PROGRAMS = process.env["QUORATE_FAULT_PROGRAMS"]?.split(",") ?? Array(3).fill(OUR_ETCD);
const KEYS = 6;
const CLIENTS_PER_MEMBER = 2;
const HEALTHY_WITHIN_MS = 60_000;
/** Small, so that members that were away get snapshots. */
const FLAGS = ["--snapshot-count=200", "--snapshot-catchup-entries=50"];

const root = mkdtempSync(join(tmpdir(), "quorate-faults-"));
after(() => rmSync(root, { recursive: true, force: true }));

test(`${ROUNDS} faults, seed ${SEED}`, async (context) => {
  const cluster = await ProcessCluster.make(root, PROGRAMS as string[]);
  const random = new Lcg(SEED);
  let operations = 0;
  try {
    for (const member of cluster.members) member.start(FLAGS);
    await cluster.untilHealthy(HEALTHY_WITHIN_MS);
    for (let round = 0; round < ROUNDS; round++) {
      const fault = FAULTS[round < FAULTS.length ? round : random.below(FAULTS.length)]!;
      const workload = new Workload(`round${round}`, KEYS);
      for (const endpoint of cluster.endpoints) {
        for (let at = 0; at < CLIENTS_PER_MEMBER; at++)
          workload.run(endpoint, new Lcg(random.below(2 ** 30)));
      }
      await fault.strike(cluster, random);
      restore(cluster, FLAGS);
      await cluster.untilHealthy(HEALTHY_WITHIN_MS);
      await workload.stop();
      await workload.readAll(cluster.endpoints[random.below(cluster.endpoints.length)]!);
      operations += workload.answeredCount;
      const where = `round ${round} (${fault.name}), seed ${SEED}`;
      const violation = findViolation(workload.history);
      const told = violation?.operations.map(describe).join("\n");
      assert.equal(violation, undefined, `${where}: not linearizable:\n${told}`);
      assert.equal(findRevisionFault(workload.history), undefined, where);
    }
    await compareMembers(cluster);
    context.diagnostic(`${operations} operations answered`);
    assert.ok(operations > ROUNDS * 20, `only ${operations} operations were answered`);
  } finally {
    await cluster.close();
  }
});
