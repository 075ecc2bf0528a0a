// A leader that refuses a change of the configuration writes an empty entry in its place, and that
// looks like the first entry of a new leader. It is none: the leases go on ending as they would.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "../../src/server/member.ts";
import { Errors } from "../../src/wire/errors.ts";
import { RpcError } from "../../src/wire/status.ts";
import { SmallCluster } from "./small-cluster.ts";

const LEASE = 7n;
const TTL_SECONDS = 60;

/** Twice in one turn a change of nothing: the second comes while the first is not applied. */
function changeTwice(cluster: SmallCluster, leader: Member): string[] {
  const { peerUrls } = leader.members.find(leader.id)!;
  const answers: string[] = [];
  for (let asked = 0; asked < 2; asked++) {
    leader.duties.membership.update(leader.id, peerUrls, (result) => {
      answers.push(result instanceof RpcError ? result.message : "ok");
    });
  }
  assert.ok(cluster.until(() => answers.length === 2));
  return answers;
}

function leased(size: number): { cluster: SmallCluster; leader: Member; left: () => number } {
  const cluster = new SmallCluster(1, size);
  cluster.startAll();
  assert.ok(cluster.awaitReady());
  const leader = cluster.leader!;
  cluster.grant(leader, LEASE, TTL_SECONDS);
  assert.ok(cluster.awaitAnswers());
  const lease = [...leader.state.leases.all()].find(({ id }) => id === LEASE)!;
  return { cluster, leader, left: () => leader.leaseClock.remainingSeconds(lease) };
}

for (const size of [1, 3]) {
  test(`a refused change prolongs no lease, with ${size} members`, () => {
    const { cluster, leader, left } = leased(size);
    cluster.world.runFor(20_000);
    const beganMs = leader.clock.monotonicMs();
    const before = { term: leader.term, index: leader.appliedIndex, left: left() };
    assert.deepEqual(changeTwice(cluster, leader), ["ok", Errors.Timeout.message]);
    assert.equal(cluster.leader, leader);
    assert.equal(leader.term, before.term, "nobody else has led");
    assert.ok(leader.appliedIndex >= before.index + 2, "the refused one has an entry");
    const passed = (leader.clock.monotonicMs() - beganMs) / 1000;
    const expected = before.left - passed;
    assert.ok(Math.abs(left() - expected) < 0.1, `${left()} s are left instead of ${expected}`);
  });
}

test("who leads anew gives every lease its whole time", () => {
  const { cluster, leader } = leased(3);
  cluster.world.runFor(20_000);
  const next = cluster.running.find((member) => member !== leader)!;
  let isMoved = false;
  leader.moveLeader(next.id, () => {
    isMoved = true;
  });
  assert.ok(cluster.until(() => isMoved && next.leaseClock.isPrimary));
  const [lease] = next.state.leases.all();
  const left = next.leaseClock.remainingSeconds(lease!);
  assert.ok(left > TTL_SECONDS - 1, `${left} s are left`);
});
