import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMember } from "../state/members/member-json.ts";
import { Errors } from "../wire/errors.ts";
import { ConfChangeType } from "../wire/messages/raft.ts";
import { memberIdOf } from "./identity.ts";
import { OWN, SmallCluster, told } from "./testing/small-cluster.ts";

const TWO = 0x22n;
const THREE = 0x33n;
const FOUR = 0x44n;

function three(isStrict = true): SmallCluster {
  return new SmallCluster(isStrict)
    .has(OWN, "http://1:1")
    .has(TWO, "http://2:2")
    .has(THREE, "http://3:3")
    .connected(TWO, THREE);
}

test("an added member has an id of its URLs and the second, and is answered after raft advanced", () => {
  const cluster = three();
  const { membership, clock } = cluster;
  const answer = told();
  membership.add(["http://5:5", "http://4:4"], true, answer.done);
  const [change] = cluster.proposed;
  const second = Math.floor(clock.wallMs() / 1000);
  assert.equal(change!.nodeId, memberIdOf(["http://4:4", "http://5:5"], `${second}`));
  assert.equal(change!.type, ConfChangeType.ConfChangeAddLearnerNode);
  assert.deepEqual(decodeMember(change!.context), {
    id: change!.nodeId,
    peerUrls: ["http://4:4", "http://5:5"],
    isLearner: true,
    name: "",
    clientUrls: [],
    isPromote: false,
  });
  cluster.apply(cluster.proposed.shift()!);
  assert.deepEqual([answer.value], [undefined]);
  membership.advanced();
  assert.equal(answer.value?.length, 4);
});

test("a change that all members refuse is answered with their reason", () => {
  const cluster = three();
  const answer = told();
  cluster.membership.update(TWO, ["http://3:3"], answer.done);
  cluster.settle();
  assert.equal(answer.value, Errors.PeerURLExist.message);
  cluster.membership.remove(0x99n, answer.done);
  cluster.settle();
  assert.equal(answer.value, Errors.MemberNotFound.message);
});

test("without a leader a change waits for one, and not for ever", () => {
  const cluster = three();
  const answer = told();
  cluster.answerOfRaft = "no leader";
  cluster.membership.update(TWO, ["http://2:9"], answer.done);
  cluster.clock.pass(100);
  cluster.membership.expire();
  assert.equal(cluster.proposed.length, 0);
  cluster.answerOfRaft = "ok";
  cluster.membership.expire();
  cluster.membership.expire();
  assert.equal(cluster.proposed.length, 1);
  cluster.clock.pass(7000);
  cluster.membership.expire();
  assert.equal(answer.value, Errors.Timeout.message);
  cluster.settle();
  assert.equal(answer.value, Errors.Timeout.message);
});

test("a member that stops says so to all who wait", () => {
  const cluster = three();
  const [before, after] = [told(), told()];
  cluster.membership.update(TWO, ["http://2:9"], before.done);
  cluster.membership.stop();
  cluster.membership.update(TWO, ["http://2:9"], after.done);
  assert.deepEqual([before.value, after.value], [Errors.Stopped.message, Errors.Stopped.message]);
});

test("strict check: who is added needs a quorum of connected members with it", () => {
  const cluster = three();
  const add = (isLearner = false) => {
    const answer = told();
    cluster.membership.add(["http://4:4"], isLearner, answer.done);
    return answer.value ?? "proposed";
  };
  assert.equal(add(), "proposed");
  cluster.activeSinceMs.delete(THREE);
  assert.equal(add(), Errors.Unhealthy.message);
  assert.equal(add(true), Errors.Unhealthy.message);
  cluster.activeSinceMs.set(THREE, cluster.clock.monotonicMs() - 5000);
  assert.equal(add(), Errors.Unhealthy.message);
  cluster.clock.pass(1);
  assert.equal(add(), "proposed");
});

test("strict check: not while members that were added never started", () => {
  const cluster = new SmallCluster().has(OWN, "http://1:1");
  const add = (isLearner = false) => {
    const answer = told();
    cluster.membership.add(["http://9:9"], isLearner, answer.done);
    return answer.value ?? "proposed";
  };
  // A cluster of one may always grow, connected to nobody.
  assert.equal(add(), "proposed");
  cluster.has(TWO, "http://2:2", { name: "" }).connected(TWO);
  assert.equal(add(), Errors.MemberNotEnoughStarted.message);
  assert.equal(add(true), "proposed");
});

test("strict check: a removal keeps a quorum that works", () => {
  const cluster = three();
  const remove = (id: bigint) => {
    const answer = told();
    cluster.membership.remove(id, answer.done);
    return answer.value ?? "proposed";
  };
  assert.equal(remove(THREE), "proposed");
  cluster.activeSinceMs.delete(THREE);
  // Two of three work: none of them may go, but the one that is down.
  assert.equal(remove(TWO), Errors.Unhealthy.message);
  assert.equal(remove(OWN), Errors.Unhealthy.message);
  assert.equal(remove(THREE), "proposed");
  cluster.has(FOUR, "http://4:4", { isLearner: true, name: "" });
  assert.equal(remove(FOUR), "proposed");
  const alone = new SmallCluster().has(OWN, "http://1:1");
  const answer = told();
  alone.membership.remove(OWN, answer.done);
  assert.equal(answer.value, Errors.MemberNotEnoughStarted.message);
});

test("without the strict check everything is proposed", () => {
  const cluster = three(false);
  cluster.activeSinceMs.clear();
  cluster.membership.add(["http://4:4"], false, told().done);
  cluster.membership.remove(TWO, told().done);
  assert.equal(cluster.proposed.length, 2);
});

// --- promotion

function withLearner(match: number): SmallCluster {
  const cluster = three().has(FOUR, "http://4:4", { isLearner: true });
  cluster.match.set(OWN, 1000).set(TWO, 1000).set(THREE, 990).set(FOUR, match);
  return cluster;
}

test("a learner that has nine tenths of the leader's log becomes a voter", () => {
  const cluster = withLearner(899);
  const answer = told();
  cluster.promotion.promote(FOUR, answer.done);
  assert.equal(answer.value, Errors.LearnerNotReady.message);
  cluster.match.set(FOUR, 900);
  cluster.promotion.promote(FOUR, answer.done);
  const [change] = cluster.proposed;
  assert.equal(
    Buffer.from(change!.context).toString(),
    `{"id":${FOUR},"peerURLs":null,"isPromote":true}`,
  );
  cluster.settle();
  assert.equal(cluster.applied.state.members.find(FOUR)?.isLearner, false);
  assert.equal(cluster.promotion.successes.value, 1);
  cluster.promotion.promote(FOUR, answer.done);
  cluster.settle();
  assert.equal(answer.value, Errors.MemberNotLearner.message);
  cluster.promotion.promote(0x99n, answer.done);
  assert.equal(answer.value, Errors.MemberNotFound.message);
});

test("the leader judges only when it has applied what is committed", () => {
  const cluster = withLearner(1000);
  const answer = told();
  cluster.commitIndex = cluster.applied.state.appliedIndex + 1;
  cluster.promotion.promote(FOUR, answer.done);
  assert.equal(cluster.proposed.length, 0);
  cluster.clock.pass(1000);
  assert.equal(answer.value, Errors.TimeoutWaitAppliedIndex.message);
});

test("a follower asks the leader, again when it has no answer that counts", () => {
  const cluster = withLearner(1000);
  cluster.lead = TWO;
  const body = Buffer.from('[{"id":18446744073709551615,"peerURLs":["http://x:1"],"name":"x"}]\n');
  cluster.answers = [
    () => new Error("connection refused"),
    () => ({ status: 500, headers: {}, body: Buffer.from("Internal Server Error") }),
    () => ({ status: 200, headers: {}, body }),
  ];
  const answer = told();
  cluster.promotion.promote(FOUR, answer.done);
  cluster.clock.pass(1000);
  assert.deepEqual(answer.value, ["http://x:1"]);
  assert.equal(cluster.asked.length, 3);
  assert.equal(cluster.asked[0]!.url, "http://2:2");
  assert.equal(cluster.asked[0]!.path, `/members/promote/${FOUR}`);
});

test("what the leader says of a learner is final", () => {
  const cases = [
    [404, "membership: ID not found\n", Errors.MemberNotFound],
    [412, `${Errors.LearnerNotReady.message}\n`, Errors.LearnerNotReady],
    [412, "membership: can only promote a learner member\n", Errors.MemberNotLearner],
  ] as const;
  for (const [status, text, error] of cases) {
    const cluster = withLearner(1000);
    cluster.lead = THREE;
    cluster.answers = [() => ({ status, headers: {}, body: Buffer.from(text) })];
    const answer = told();
    cluster.promotion.promote(FOUR, answer.done);
    assert.equal(answer.value, error.message);
  }
});

test("a follower without a leader gives up in time", () => {
  const cluster = withLearner(1000);
  cluster.lead = 0n;
  const answer = told();
  cluster.promotion.promote(FOUR, answer.done);
  cluster.clock.pass(6999);
  assert.equal(answer.value, undefined);
  cluster.clock.pass(1);
  assert.equal(answer.value, Errors.NoLeader.message);
});
