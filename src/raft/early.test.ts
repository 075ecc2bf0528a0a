// What goes on while a Ready is worked on, and what does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../base/log.ts";
import { ConfChangeType, type Message, MessageType, newMessage } from "../wire/messages/raft.ts";
import { Raft } from "./raft.ts";
import { EntryType, type Ready } from "./ready.ts";

const VOTERS = [1n, 2n, 3n];

function message(fields: Partial<Message>): Message {
  return Object.assign(newMessage(), fields);
}

function newRaft(): Raft {
  const confState = { voters: VOTERS, learners: [], votersOutgoing: [], learnersNext: [] };
  return new Raft({
    id: 1n,
    electionTicks: 10,
    heartbeatTicks: 1,
    preVote: false,
    checkQuorum: true,
    maxSizePerMessageBytes: 1024 * 1024,
    inflightCountMax: 512,
    inflightBytesMax: 0,
    uncommittedBytesMax: 0,
    randomBelow: () => 0,
    log: silentLogger,
    restored: {
      hardState: { term: 0, vote: 0n, commit: 0 },
      confState: { ...confState, autoLeave: false },
      snapshotIndex: 0,
      snapshotTerm: 0,
      entries: [],
      applied: 0,
    },
  });
}

function drain(raft: Raft): void {
  while (raft.hasReady()) raft.advance(raft.ready());
}

/** In term 1, with an entry of its own that all have. */
function newLeader(): Raft {
  const raft = newRaft();
  raft.campaign();
  drain(raft);
  raft.step(message({ type: MessageType.MsgVoteResp, from: 2n, to: 1n, term: 1 }));
  drain(raft);
  for (const from of [2n, 3n]) acknowledge(raft, from, 1);
  drain(raft);
  assert.equal(raft.commit, 1);
  return raft;
}

function acknowledge(raft: Raft, from: bigint, index: number): void {
  raft.step(message({ type: MessageType.MsgAppResp, from, to: 1n, term: 1, index }));
}

/** Two groups: the first one is durable here, the second is being written. */
function writingTwo(raft: Raft): Ready {
  raft.propose(Uint8Array.of(2));
  raft.advance(raft.ready());
  raft.propose(Uint8Array.of(3));
  return raft.ready();
}

function followerOf(lead: bigint): Raft {
  const raft = newRaft();
  const entries = [{ type: EntryType.Normal, term: 1, index: 1, data: Uint8Array.of(1) }];
  raft.step(message({ type: MessageType.MsgApp, from: lead, to: 1n, term: 1, entries }));
  drain(raft);
  assert.equal(raft.lastIndex, 1);
  return raft;
}

test("a quorum's word for the group before is heard, told and applied", () => {
  const raft = newLeader();
  const ready = writingTwo(raft);
  assert.equal(raft.early(2), undefined);
  acknowledge(raft, 2n, 2);
  const early = raft.early(2)!;
  assert.deepEqual(
    early.committed.map(({ index }) => index),
    [2],
  );
  assert.deepEqual(
    early.messages.map(({ type, to, commit }) => [type, to, commit]),
    [
      [MessageType.MsgApp, 2n, 2],
      [MessageType.MsgApp, 3n, 2],
    ],
  );
  assert.equal(raft.applied, 2);
  raft.advance(ready);
  acknowledge(raft, 2n, 3);
  assert.deepEqual(
    raft.ready().committed.map(({ index }) => index),
    [3],
    "nothing comes twice",
  );
});

test("under load only those are told a commit index alone where somebody waits for it", () => {
  const raft = newLeader();
  raft.holdsCommits = true;
  writingTwo(raft);
  const entries = [{ type: EntryType.Normal, term: 0, index: 0, data: Uint8Array.of(4) }];
  raft.step(message({ type: MessageType.MsgProp, from: 3n, to: 1n, entries }));
  acknowledge(raft, 2n, 2);
  const { committed, messages } = raft.early(2)!;
  assert.equal(committed.length, 1);
  assert.ok(messages.every(({ commit }) => commit === 2));
  assert.deepEqual(
    messages.map(({ to, entries: { length } }) => [to, length]),
    [
      [2n, 1],
      [3n, 1],
    ],
    "what was forwarded travels with the index",
  );
  acknowledge(raft, 2n, 3);
  acknowledge(raft, 3n, 3);
  assert.deepEqual(
    raft.early(2)!.messages.map(({ to, commit }) => [to, commit]),
    [[3n, 3]],
  );
  assert.ok(raft.owesCommits);
  raft.tellCommits();
  assert.deepEqual(
    raft.early(2)!.messages.map(({ to, commit }) => [to, commit]),
    [[2n, 3]],
  );
  assert.ok(!raft.owesCommits);
});

test("what is not durable here is not handed out, whoever has it", () => {
  const raft = newLeader();
  writingTwo(raft);
  for (const from of [2n, 3n]) acknowledge(raft, from, 3);
  assert.equal(raft.commit, 3);
  const { committed } = raft.early(2)!;
  assert.deepEqual(
    committed.map(({ index }) => index),
    [2],
  );
  assert.equal(raft.early(2), undefined);
});

test("changes of the configuration and what follows them wait", () => {
  const raft = newLeader();
  const type = ConfChangeType.ConfChangeUpdateNode;
  raft.proposeConfChange({ id: 1n, type, nodeId: 2n, context: new Uint8Array(0) });
  raft.advance(raft.ready());
  const ready = writingTwo(raft);
  acknowledge(raft, 2n, 3);
  assert.deepEqual(raft.early(3)!.committed, []);
  raft.advance(ready);
  assert.deepEqual(
    raft.ready().committed.map(({ index }) => index),
    [2, 3],
  );
});

test("new entries alone wait for the next turn", () => {
  const raft = newLeader();
  writingTwo(raft);
  raft.propose(Uint8Array.of(4));
  assert.equal(raft.early(2), undefined);
});

test("a follower passes requests on, and acknowledges nothing before it is durable", () => {
  const raft = followerOf(2n);
  const entries = [{ type: EntryType.Normal, term: 1, index: 2, data: Uint8Array.of(2) }];
  const append = { type: MessageType.MsgApp, from: 2n, to: 1n, term: 1, index: 1, logTerm: 1 };
  raft.step(message({ ...append, entries }));
  const ready = raft.ready();
  raft.propose(Uint8Array.of(9));
  raft.readIndex(Uint8Array.of(1));
  raft.step(message({ ...append, index: 2, commit: 2 }));
  const early = raft.early(1)!;
  assert.deepEqual(
    early.messages.map(({ type }) => type),
    [MessageType.MsgProp, MessageType.MsgReadIndex],
  );
  assert.deepEqual(
    early.committed.map(({ index }) => index),
    [1],
  );
  raft.advance(ready);
  const next = raft.ready();
  assert.deepEqual(
    next.messages.map(({ type }) => type),
    [MessageType.MsgAppResp],
  );
  assert.deepEqual(
    next.committed.map(({ index }) => index),
    [2],
  );
});

test("a leader that was deposed meanwhile says nothing early", () => {
  const raft = newLeader();
  writingTwo(raft);
  raft.tick();
  raft.step(message({ type: MessageType.MsgApp, from: 3n, to: 1n, term: 2, index: 2, logTerm: 1 }));
  assert.equal(raft.role, "follower");
  assert.equal(raft.early(2), undefined);
});
