import assert from "node:assert/strict";
import test from "node:test";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

function progress(fields: Partial<Progress> = {}): Progress {
  const made = new Progress(2n, 1, new Inflights(3, 0), false);
  return Object.assign(made, fields);
}

function view({ match, next, state, paused, pendingSnapshot, sentCommit }: Progress) {
  return { match, next, state, paused, pendingSnapshot, sentCommit };
}

test("entering a state sets what it needs and forgets the rest", () => {
  const replicating = progress({ match: 5, next: 9, state: "replicate", sentCommit: 8 });
  replicating.inflights.add(8, 10);
  replicating.becomeProbe();
  const base = { match: 5, next: 6, paused: false, pendingSnapshot: 0 };
  assert.deepEqual(view(replicating), { ...base, state: "probe", sentCommit: 5 });
  assert.equal(replicating.inflights.count, 0);

  const behind = progress({ match: 5, next: 9, state: "probe", paused: true, sentCommit: 8 });
  behind.becomeSnapshot(20);
  const waiting = { match: 5, next: 21, paused: false, pendingSnapshot: 20 };
  assert.deepEqual(view(behind), { ...waiting, state: "snapshot", sentCommit: 20 });
  assert.equal(behind.isPaused(), true);
  behind.becomeProbe();
  assert.deepEqual(view(behind), { ...base, next: 21, state: "probe", sentCommit: 20 });

  const overtaken = progress({ match: 30, next: 31, state: "snapshot", pendingSnapshot: 20 });
  overtaken.becomeProbe();
  assert.equal(overtaken.next, 31);
  overtaken.sentCommit = 40;
  overtaken.becomeReplicate();
  assert.deepEqual(view(overtaken), {
    match: 30,
    next: 31,
    state: "replicate",
    paused: false,
    pendingSnapshot: 0,
    sentCommit: 40,
  });
});

test("an acknowledgement is news only above what is known", () => {
  for (const [match, next, index, isNews, newMatch, newNext] of [
    [3, 5, 2, false, 3, 5],
    [3, 5, 3, false, 3, 5],
    [3, 5, 4, true, 4, 5],
    [3, 5, 5, true, 5, 6],
    [3, 5, 9, true, 9, 10],
  ] as const) {
    const member = progress({ match, next, paused: true });
    assert.equal(member.acknowledge(index), isNews);
    assert.deepEqual([member.match, member.next, member.paused], [newMatch, newNext, !isNews]);
  }
});

test("a refusal moves back as far as the hint, if it is of the last probe", () => {
  for (const [state, match, next, rejected, hint, isNews, newNext] of [
    ["replicate", 5, 10, 5, 5, false, 10],
    ["replicate", 5, 10, 4, 4, false, 10],
    ["replicate", 5, 10, 9, 9, true, 6],
    ["probe", 0, 10, 8, 8, false, 10],
    ["probe", 0, 10, 9, 9, true, 9],
    ["probe", 0, 10, 9, 2, true, 3],
    ["probe", 0, 1, 0, 0, true, 1],
    ["probe", 5, 10, 9, 2, true, 6],
    ["snapshot", 0, 10, 9, 2, true, 3],
  ] as const) {
    const member = progress({ state, match, next, sentCommit: 99, paused: true });
    assert.equal(member.retreat(rejected, hint), isNews);
    assert.equal(member.next, newNext);
    assert.equal(member.sentCommit, isNews ? newNext - 1 : 99);
    assert.equal(member.paused, !(isNews && state !== "replicate"));
  }
});

test("what is sent moves on, and pauses a probe with entries or a full window", () => {
  const probing = progress({ next: 4 });
  probing.sent(0, 0, 2);
  assert.deepEqual([probing.next, probing.isPaused(), probing.sentCommit], [4, false, 2]);
  probing.sent(2, 20, 3);
  assert.deepEqual([probing.next, probing.isPaused(), probing.sentCommit], [4, true, 3]);

  const streaming = progress({ next: 4, state: "replicate" });
  streaming.sent(2, 20, 0);
  streaming.sent(1, 10, 0);
  assert.deepEqual([streaming.next, streaming.isPaused()], [7, false]);
  streaming.sent(1, 10, 0);
  assert.deepEqual([streaming.next, streaming.isPaused()], [8, true]);
  streaming.paused = false;
  streaming.sent(0, 0, 0);
  assert.equal(streaming.isPaused(), true);
});

test("a commit index is worth a message if the member may have its entries", () => {
  assert.equal(progress({ next: 9, sentCommit: 4 }).canBumpCommit(5), true);
  assert.equal(progress({ next: 9, sentCommit: 5 }).canBumpCommit(5), false);
  assert.equal(progress({ next: 5, sentCommit: 4 }).canBumpCommit(9), false);
});
