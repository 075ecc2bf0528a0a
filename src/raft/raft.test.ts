import assert from "node:assert/strict";
import test from "node:test";
import { InvariantError } from "../base/assert.ts";
import { silentLogger } from "../base/log.ts";
import {
  ConfChangeType,
  decodeConfChange,
  encodeConfChange,
  type Message,
  MessageType,
  newMessage,
} from "../wire/messages/raft.ts";
import { Raft, type RaftOptions, type Restored } from "./raft.ts";
import { type ConfState, type Entry, EntryType } from "./ready.ts";

const noData = new Uint8Array(0);

function confStateOf(...voters: bigint[]): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

function entriesOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => ({ term, index: at + 1, type: EntryType.Normal, data: noData }));
}

const nothing: Restored = {
  hardState: { term: 0, vote: 0n, commit: 0 },
  confState: confStateOf(1n),
  snapshotIndex: 0,
  snapshotTerm: 0,
  entries: [],
  applied: 0,
};

function raftOf(restored: Partial<Restored> = {}, options: Partial<RaftOptions> = {}): Raft {
  return new Raft({
    id: 1n,
    electionTicks: 10,
    heartbeatTicks: 1,
    preVote: true,
    checkQuorum: true,
    maxSizePerMessageBytes: 1024 * 1024,
    inflightCountMax: 512,
    inflightBytesMax: 0,
    uncommittedBytesMax: 0,
    randomBelow: () => 0,
    log: silentLogger,
    restored: { ...nothing, ...restored },
    ...options,
  });
}

function drain(raft: Raft): void {
  while (raft.hasReady()) raft.advance(raft.ready());
}

function leaderOf(...voters: bigint[]): Raft {
  const raft = raftOf({ confState: confStateOf(...voters) });
  raft.campaign();
  drain(raft);
  for (const type of [MessageType.MsgPreVoteResp, MessageType.MsgVoteResp]) {
    for (const from of voters) if (from !== 1n) raft.step(message({ type, from, term: 1 }));
    drain(raft);
  }
  assert.equal(raft.role, "leader");
  return raft;
}

function message(fields: Partial<Message>): Message {
  return Object.assign(newMessage(), fields);
}

test("one Ready is outstanding at a time, and only that one is advanced", () => {
  const raft = leaderOf(1n);
  raft.propose(new Uint8Array(1));
  const ready = raft.ready();
  assert.throws(() => raft.ready(), InvariantError);
  assert.throws(() => raft.advance({ ...ready }), InvariantError);
  raft.advance(ready);
  assert.throws(() => raft.advance(ready), InvariantError);
});

test("entries are the same objects from the proposal on", () => {
  const raft = leaderOf(1n);
  const data = new Uint8Array([1, 2, 3]);
  assert.equal(raft.propose(data), "ok");
  const first = raft.ready();
  raft.advance(first);
  const second = raft.ready();
  assert.equal(first.entries[0]?.data, data);
  assert.equal(second.committed[0], first.entries[0]);
});

test("a restored commit index lies in the log", () => {
  const hardState = { term: 2, vote: 0n, commit: 3 };
  assert.throws(() => raftOf({ hardState, entries: entriesOf(1, 2) }), InvariantError);
  const snapshotted = { snapshotIndex: 5, snapshotTerm: 2, entries: [] };
  assert.throws(() => raftOf({ hardState, ...snapshotted }), InvariantError);
  // An empty hard state says nothing: everything up to the snapshot is committed.
  assert.equal(raftOf(snapshotted).commit, 5);
});

test("what was applied is not handed out again, as far as it is committed", () => {
  const hardState = { term: 1, vote: 0n, commit: 3 };
  const entries = entriesOf(1, 1, 1, 1, 1);
  const committedAfter = (applied: number) => {
    const raft = raftOf({ hardState, entries, applied });
    return raft.hasReady() ? raft.ready().committed.map(({ index }) => index) : [];
  };
  assert.deepEqual(committedAfter(0), [1, 2, 3]);
  assert.deepEqual(committedAfter(2), [3]);
  // The commit index is not synced, so it may come back older than what was applied.
  assert.deepEqual(committedAfter(5), []);
});

test("restored entries follow the snapshot and each other", () => {
  assert.throws(() => raftOf({ snapshotIndex: 3, snapshotTerm: 1, entries: entriesOf(1) }));
  const [first, , third] = entriesOf(1, 1, 1);
  assert.throws(() => raftOf({ entries: [first!, third!] }), InvariantError);
});

test("a cluster begins on an empty log only", () => {
  const peers = [{ id: 1n, context: noData }];
  assert.throws(() => raftOf({ entries: entriesOf(1) }).bootstrap(peers), InvariantError);
  assert.throws(() => raftOf().bootstrap([]), InvariantError);
});

test("options that cannot work are refused", () => {
  for (const options of [
    { id: 0n },
    { id: 2n ** 64n - 1n },
    { id: 2n ** 64n - 2n },
    { heartbeatTicks: 0 },
    { electionTicks: 1 },
    { inflightCountMax: 0 },
  ]) {
    assert.throws(() => raftOf({}, options), InvariantError);
  }
});

test("a heartbeat that commits more than there is means that the log was lost: fatal", () => {
  const raft = raftOf({ confState: confStateOf(1n, 2n), entries: entriesOf(1) });
  const heartbeat = { type: MessageType.MsgHeartbeat, from: 2n, term: 1, commit: 2 };
  assert.throws(() => raft.step(message(heartbeat)), InvariantError);
});

test("numbers beyond what can be counted are ignored", () => {
  const raft = raftOf({ confState: confStateOf(1n, 2n) });
  raft.step(message({ type: MessageType.MsgApp, from: 2n, term: 2 ** 60 }));
  raft.step(message({ type: MessageType.MsgApp, from: 2n, term: 2, index: 2 ** 60 }));
  assert.equal(raft.term, 0);
});

test("unknown types of messages change nothing but the term", () => {
  const raft = raftOf({ confState: confStateOf(1n, 2n) });
  raft.step(message({ type: 99 as MessageType, from: 2n, term: 7 }));
  assert.equal(raft.term, 7);
  for (const role of ["follower", "leader"]) {
    const one = role === "leader" ? leaderOf(1n, 2n) : raft;
    const before = one.status();
    one.step(message({ type: 99 as MessageType, from: 2n, term: one.term }));
    assert.deepEqual(one.status(), before);
  }
});

test("a leader ignores appends, heartbeats and snapshots of its own term", () => {
  const raft = leaderOf(1n, 2n);
  const before = raft.status();
  for (const type of [MessageType.MsgApp, MessageType.MsgHeartbeat, MessageType.MsgSnap]) {
    raft.step(message({ type, from: 2n, term: raft.term, commit: 9, index: 9 }));
  }
  assert.deepEqual(raft.status(), before);
});

test("reads that nobody confirms are limited in number", () => {
  const raft = leaderOf(1n, 2n);
  raft.step(message({ type: MessageType.MsgAppResp, from: 2n, term: raft.term, index: 1 }));
  drain(raft);
  for (let count = 0; count < 10_000; count++) raft.readIndex(noData);
  const heartbeat = raft.ready().messages.find((one) => one.type === MessageType.MsgHeartbeat);
  const position = new DataView(heartbeat!.context.buffer).getBigUint64(0, true);
  assert.equal(position, 4096n);
});

test("a single voter that leads reads without asking, once it has committed in its term", () => {
  assert.equal(leaderOf(1n).isOnlyVoterAndLeader, true);
  assert.equal(raftOf().isOnlyVoterAndLeader, false);
  assert.equal(leaderOf(1n, 2n).isOnlyVoterAndLeader, false);

  // The commit index that comes back is older than what was answered before the restart.
  const raft = raftOf({ hardState: { term: 1, vote: 0n, commit: 2 }, entries: entriesOf(1, 1, 1) });
  raft.campaign();
  while (!raft.isLeader) raft.advance(raft.ready());
  assert.equal(raft.isOnlyVoterAndLeader, false);
  raft.readIndex(noData);
  const early = raft.ready();
  assert.deepEqual(early.readStates, []);
  raft.advance(early);
  assert.deepEqual(raft.ready().readStates, [{ index: 4, context: noData }]);
  assert.equal(raft.isOnlyVoterAndLeader, true);
});

test("a leader that was removed does not read on its own: the voter that is left may lead", () => {
  const raft = leaderOf(1n, 2n);
  raft.proposeConfChange({ id: 0n, type: 1, nodeId: 1n, context: noData });
  drain(raft);
  raft.step(message({ type: MessageType.MsgAppResp, from: 2n, term: 1, index: 2 }));
  const ready = raft.ready();
  assert.deepEqual(raft.applyConfChange(decodeConfChange(ready.committed[1]!.data)).voters, [2n]);
  raft.advance(ready);
  assert.equal(raft.isLeader, true);
  assert.equal(raft.isOnlyVoterAndLeader, false);
  raft.readIndex(noData);
  const asking = raft.ready();
  assert.deepEqual(asking.readStates, []);
  assert.ok(asking.messages.some(({ type }) => type === MessageType.MsgHeartbeat));
});

test("a change that is applied after a snapshot has overtaken it leaves the newer configuration", () => {
  const change = { id: 0n, type: ConfChangeType.ConfChangeAddNode, nodeId: 5n, context: noData };
  const data = encodeConfChange(change);
  const raft = raftOf({
    hardState: { term: 1, vote: 0n, commit: 1 },
    confState: confStateOf(1n, 2n),
    entries: [{ term: 1, index: 1, type: EntryType.ConfChange, data }],
  });
  const ready = raft.ready();
  assert.equal(ready.committed.length, 1);
  const metadata = { index: 9, term: 1, confState: confStateOf(1n, 2n, 3n) };
  const snapshot = { data: noData, metadata };
  raft.step(message({ type: MessageType.MsgSnap, from: 2n, term: 1, snapshot }));
  // What is applied is recorded as it was then; raft itself is ahead of it.
  assert.deepEqual(raft.applyConfChange(change), confStateOf(1n, 2n, 5n));
  assert.deepEqual(raft.status().confState, confStateOf(1n, 2n, 3n));
  raft.advance(ready);
  assert.equal(raft.ready().snapshot, snapshot);
  assert.deepEqual(raft.applyConfChange(change).voters, [1n, 2n, 3n, 5n]);
});

test("the log in memory is compacted only up to a snapshot of applied entries", () => {
  const raft = leaderOf(1n);
  for (let count = 0; count < 9; count++) raft.propose(new Uint8Array(1));
  assert.throws(() => raft.createSnapshot(5, confStateOf(1n)), InvariantError);
  drain(raft);
  assert.throws(() => raft.compact(5), InvariantError);
  assert.equal(raft.createSnapshot(10, confStateOf(1n)), true);
  assert.equal(raft.createSnapshot(10, confStateOf(1n)), false);
  assert.equal(raft.compact(6), true);
  assert.equal(raft.compact(6), false);
  assert.deepEqual([raft.firstIndex, raft.lastIndex, raft.applied], [7, 10, 10]);
  assert.deepEqual([raft.termAt(5), raft.termAt(6), raft.termAt(11)], [-1, 1, -1]);
});
