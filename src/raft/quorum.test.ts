import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { configurationOf } from "./confchange.ts";
import { jointVote, majorityReached, majorityVote, quorumOf, type VoteResult } from "./quorum.ts";
import { Tracker } from "./tracker.ts";

const limits = { inflightCountMax: 4, inflightBytesMax: 0 };

/** By definition: the highest of the values that a quorum is at or above. */
function reachedByDefinition(values: readonly number[]): number {
  const candidates = values.filter(
    (value) => values.filter((other) => other >= value).length >= quorumOf(values.length),
  );
  return values.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...candidates);
}

/** By trying all ways in which the others may still answer. */
function voteByTrying(answers: readonly (boolean | undefined)[]): VoteResult {
  const outcomes = new Set<boolean>();
  const open = answers.filter((answer) => answer === undefined).length;
  for (let ways = 0; ways < 2 ** open; ways++) {
    let bit = 0;
    const yes = answers.filter((answer) => answer ?? ((ways >> bit++) & 1) === 1).length;
    outcomes.add(answers.length === 0 || yes >= quorumOf(answers.length));
  }
  if (outcomes.size === 2) return "pending";
  return outcomes.has(true) ? "won" : "lost";
}

test("a quorum is more than half", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(quorumOf), [1, 2, 2, 3, 3, 4, 4]);
});

test("what a majority has reached, against the definition", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(12), { maxLength: 9 }), (values) => {
      assert.equal(majorityReached([...values]), reachedByDefinition(values));
    }),
  );
});

test("the outcome of a vote, against all possible answers", () => {
  const answer = fc.constantFrom(true, false, undefined);
  const answers = fc.array(answer, { maxLength: 7 });
  const countOf = (list: readonly (boolean | undefined)[]) =>
    majorityVote(
      list.length,
      list.filter((one) => one === true).length,
      list.filter((one) => one === false).length,
    );
  fc.assert(
    fc.property(answers, answers, (incoming, outgoing) => {
      assert.equal(countOf(incoming), voteByTrying(incoming));
      const halves = [voteByTrying(incoming), voteByTrying(outgoing)];
      const expected = halves.includes("lost")
        ? "lost"
        : halves.includes("pending")
          ? "pending"
          : "won";
      assert.equal(jointVote(countOf(incoming), countOf(outgoing)), expected);
    }),
  );
});

/** Voters of two overlapping halves, learners, and how far each member is. */
const joint = fc
  .record({
    incoming: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
    outgoing: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 6 }),
    matches: fc.array(fc.nat(9), { minLength: 20, maxLength: 20 }),
    answers: fc.array(fc.constantFrom(true, false, undefined), { minLength: 20, maxLength: 20 }),
  })
  .map((drawn) => ({ ...drawn, learners: [10, 11] }));

test("a joint configuration commits and votes by both halves; learners do not count", () => {
  fc.assert(
    fc.property(joint, ({ incoming, outgoing, learners, matches, answers }) => {
      const configuration = configurationOf({
        voters: incoming.map(BigInt),
        votersOutgoing: outgoing.map(BigInt),
        learners: learners.map(BigInt),
        learnersNext: [],
        autoLeave: false,
      });
      const tracker = new Tracker(1n, configuration, 20, limits);
      const positions = new Map<bigint, number>();
      for (const member of tracker.members) {
        const at = Number(member.id);
        member.acknowledge(matches[at]!);
        positions.set(member.id, matches[at]!);
        member.recentActive = answers[at] === true;
        if (answers[at] !== undefined) tracker.recordVote(member.id, answers[at]);
        // Only the first answer counts.
        if (answers[at] !== undefined) tracker.recordVote(member.id, !answers[at]);
      }
      const reached = (ids: readonly number[]) =>
        reachedByDefinition(ids.map((id) => matches[id]!));
      assert.equal(tracker.committed(), Math.min(reached(incoming), reached(outgoing)));
      assert.equal(tracker.reached(positions), tracker.committed());
      const vote = (ids: readonly number[]) => voteByTrying(ids.map((id) => answers[id]));
      assert.equal(tracker.voteResult(), jointVote(vote(incoming), vote(outgoing)));
      const active = (ids: readonly number[]) =>
        ids.length === 0 || ids.filter((id) => answers[id]).length >= quorumOf(ids.length);
      assert.equal(tracker.isQuorumActive(), active(incoming) && active(outgoing));
      assert.equal(tracker.isJoint, outgoing.length > 0);
      assert.equal(tracker.isSingleton, incoming.length === 1 && outgoing.length === 0);
      const voters = [...new Set([...incoming, ...outgoing])].sort((a, b) => a - b);
      assert.deepEqual(
        tracker.voters().map(({ id }) => Number(id)),
        voters,
      );
    }),
  );
});
