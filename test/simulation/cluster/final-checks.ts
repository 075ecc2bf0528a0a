// The end of a run: faults are over, a majority (or all) is well again. The cluster must come to
// life, every member must get to the same state, and that state must be the model's.

import { deepStrictEqual } from "node:assert";
import { encodePutRequest, encodeRangeRequest } from "../../../src/wire/messages/rpc-kv.ts";
import type { SimCluster } from "./cluster.ts";
import { SLOWEST_WRITE_MS } from "./nemesis.ts";
import { SimClient } from "./sim-client.ts";
import type { SimNode } from "./sim-node.ts";
import { require, Violation } from "./violation.ts";
import type { Workload } from "./workload.ts";

/** Elections, requests that wait, snapshots for those who are far behind. */
const RECOVERY_LIMIT_MS = 120_000;
const RETRY_MS = 500;
/** A disk of ordinary pace has failed by then, if it is to fail. */
const SICK_MS = 3000;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Some minority may be dead for good then, unless `mayLose` is false. */
export function recover(cluster: SimCluster, mayLose = true): void {
  const { world, plan } = cluster;
  const { network } = world;
  network.heal();
  network.faults = { ...network.faults, lossOneIn: Infinity, snapshotCutOneIn: Infinity };
  const areStopped = (): boolean => !cluster.nodes.some(({ isStopping }) => isStopping);
  require(cluster.runUntil(areStopped, RECOVERY_LIMIT_MS), "a stop ends", () => {
    return `m${cluster.nodes.find(({ isStopping }) => isStopping)?.number} is still there`;
  });
  if (mayLose && !plan.operations.includes("members")) loseSome(cluster);
  for (const { machine } of cluster.nodes) {
    machine.disk.clearFaults();
    machine.disk.syncMs = plan.syncMs;
  }
  // A write of before may still fail, and end its member.
  cluster.runFor(plan.faults.has("slowDisk") ? SLOWEST_WRITE_MS : SICK_MS);
  for (const node of cluster.nodes) if (!node.isLost && !node.isUp) cluster.start(node);
  cluster.trace.add(`recovery of ${cluster.upNodes.map(({ number }) => `m${number}`)}`);
  awaitRemoved(cluster);
  proveLife(cluster);
}

/** A minority never comes back, in some runs. */
function loseSome(cluster: SimCluster): void {
  const random = cluster.world.random.fork("recovery");
  const lost = cluster.nodes.filter((node) => node.isLost).length;
  let spare = Math.ceil(cluster.nodes.length / 2) - 1 - lost;
  if (!random.oneIn(3)) return;
  for (const node of cluster.nodes) {
    if (spare <= 0 || node.isLost || !random.oneIn(2)) continue;
    spare--;
    if (node.isUp) node.crash();
    node.isLost = true;
  }
}

/** Whoever is not a member any more is told so by those who are. */
function awaitRemoved(cluster: SimCluster): void {
  const strangers = (): SimNode[] => {
    const members = cluster.leader?.member?.members;
    if (members === undefined) return [];
    return cluster.upNodes.filter(({ memberId }) => members.isRemoved(memberId!));
  };
  const hasLeader = (): boolean => cluster.leader !== undefined;
  require(cluster.runUntil(hasLeader, RECOVERY_LIMIT_MS), "a majority goes on", () => {
    return "nobody leads";
  });
  // Who was removed before it heard anything has nobody to ask, in etcd as here.
  for (const node of strangers()) {
    if (node.member!.term > 0) continue;
    node.kill();
    node.isLost = true;
  }
  const isSettled = (): boolean => hasLeader() && strangers().length === 0;
  require(cluster.runUntil(isSettled, RECOVERY_LIMIT_MS), "the removed stop for good", () =>
    strangers()
      .map(({ number }) => `m${number} goes on`)
      .join(", "));
}

/** Each member takes a write, and all come to the same index. */
function proveLife(cluster: SimCluster): void {
  const living = cluster.upNodes;
  for (const node of living) {
    if (isLearner(cluster, node)) continue;
    const client = new SimClient(0, cluster, cluster.world.random.fork(`last ${node.number}`));
    client.node = node;
    let isWritten = false;
    const key = bytes(`last ${node.number}`);
    const attempt = (): void => {
      client.ask("last put", "/etcdserverpb.KV/Put", encodePutRequest({ key }), (result) => {
        if (result instanceof Uint8Array) isWritten = true;
        else cluster.world.schedule.after(RETRY_MS, attempt);
      });
    };
    attempt();
    // A request that slept with its member may remove one of the others now.
    const isOver = (): boolean => isWritten || node.isLost;
    require(cluster.runUntil(isOver, RECOVERY_LIMIT_MS), "a majority goes on", () => {
      return `m${node.number} takes no writes`;
    });
  }
  awaitEqual(cluster, living);
}

/** At one moment, that is: leases end all the time. */
function awaitEqual(cluster: SimCluster, living: readonly SimNode[]): void {
  const areEqual = (): boolean => {
    const { index } = cluster.oracle;
    return living.every(({ member, isLost }) => isLost || member?.appliedIndex === index);
  };
  require(cluster.runUntil(areEqual, RECOVERY_LIMIT_MS), "members catch up", () =>
    living.map(({ number, member }) => `m${number} ${member?.appliedIndex}`).join(", "));
}

/** It may not know it itself yet. */
function isLearner(cluster: SimCluster, { memberId }: SimNode): boolean {
  return cluster.leader?.member?.members.find(memberId!)?.isLearner === true;
}

export function checkEnd(cluster: SimCluster, workload: Workload): void {
  workload.watchers.finish();
  readAll(cluster);
  awaitEqual(cluster, cluster.upNodes);
  compareStates(cluster);
  compareHashes(cluster);
  for (const node of cluster.upNodes) checkDatabase(cluster, node);
}

/** Everything, from everyone; `checkAnswer` knows what is right. */
function readAll(cluster: SimCluster): void {
  let answers = 0;
  const request = encodeRangeRequest({ key: bytes("\0"), rangeEnd: bytes("\0") });
  const living = cluster.upNodes.filter((node) => !isLearner(cluster, node));
  for (const node of living) {
    const client = new SimClient(0, cluster, cluster.world.random.fork(`reader ${node.number}`));
    client.node = node;
    const attempt = (): void => {
      client.ask("read all", "/etcdserverpb.KV/Range", request, (result) => {
        if (result instanceof Uint8Array) answers++;
        else cluster.world.schedule.after(RETRY_MS, attempt);
      });
    };
    attempt();
  }
  const areRead = cluster.runUntil(() => answers === living.length, RECOVERY_LIMIT_MS);
  require(areRead, "a majority goes on", () => "somebody cannot be read");
}

function compareStates(cluster: SimCluster): void {
  const { model } = cluster.oracle;
  const [first] = cluster.upNodes;
  for (const { number, member } of cluster.upNodes) {
    const { state } = member!;
    const leases = [...state.leases.all()].map(({ id, ttl }) => `${id}/${ttl}`).sort();
    const right = [...model.leases].map(([id, ttl]) => `${id}/${ttl}`).sort();
    equal(leases, right, `the leases of m${number}`);
    equal(state.members.all(), first!.member!.members.all(), `the members of m${number}`);
    equal(member!.alarms, [], `the alarms of m${number}`);
    equal(state.mvcc.compactRevision, model.compactRevision, `the compaction of m${number}`);
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    throw new Violation("members are equal in the end", `${what}: ${(error as Error).message}`);
  }
}

/** When all compactions are done, too: until then the hash may depend on how far they are. */
function compareHashes(cluster: SimCluster): void {
  const hashes = (): string[] =>
    cluster.upNodes.map(({ member }) => {
      const result = member!.state.hashByRevision(cluster.oracle.revision);
      return "hash" in result ? `${result.hash}/${result.compactRevision}` : result.message;
    });
  const areEqual = (): boolean => new Set(hashes()).size === 1;
  let known = areEqual();
  for (let round = 0; round < 20 && !known; round++) {
    cluster.runFor(500);
    known = areEqual();
  }
  require(known, "hashes are equal in the end", () => hashes().join(" "));
}

/** The database of a member that runs: between two commits, what is free is known for the last. */
export function checkDatabase(cluster: SimCluster, node: SimNode): void {
  const { backend } = node.member!;
  let problems: string[] | undefined;
  backend.commit(() => {
    problems = backend.problems();
  });
  cluster.runUntil(() => problems !== undefined || !node.isUp, RECOVERY_LIMIT_MS);
  require(problems === undefined || problems.length === 0, "the database is sound", () => {
    return `m${node.number}: ${problems!.join("; ")}`;
  });
}
