// What is let through between peers and raft, in both directions.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AppliedState } from "../../test/model/applied-state.ts";
import { silentLogger } from "../base/log.ts";
import type { Network } from "../io/network.ts";
import { type Message, MessageType, newMessage } from "../wire/messages/raft.ts";
import { NO_NETWORK } from "./no-network.ts";
import { Peers } from "./peers.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const OWN = 1n;

function messageOf(type: MessageType, fields: Partial<Message>): Message {
  return { ...newMessage(), type, from: OWN, to: 2n, ...fields };
}

class Bench {
  readonly stepped: Message[] = [];
  readonly sent: Message[] = [];
  readonly snapshots: Message[] = [];
  readonly warnings: string[] = [];
  readonly clock: ManualClock = new ManualClock();
  readonly metrics: ServerMetrics = new ServerMetrics();
  readonly peers: Peers;
  readonly removed: Set<bigint> = new Set();

  constructor() {
    const { members } = new AppliedState().state;
    const network: Network = {
      ...NO_NETWORK,
      send: (messages) => void this.sent.push(...messages),
    };
    members.isRemoved = (id) => this.removed.has(id);
    this.peers = new Peers({
      ...{ clock: this.clock, metrics: this.metrics, network, members },
      log: { ...silentLogger, warn: (text) => void this.warnings.push(text) },
      raft: { step: (message: Message) => void this.stepped.push(message) } as never,
      ...{ memberId: OWN, clusterId: 7n, tickMs: 100, ownUrls: ["http://own"] },
      wake: () => {},
      receiver: { stop: () => {} } as never,
      sender: { send: (message: Message) => void this.snapshots.push(message) } as never,
      answer: () => assert.fail("nobody asks"),
      onRemoved: () => {},
    });
  }
}

describe("Peers", () => {
  it("gives raft what is for this member and of nobody who was removed", () => {
    const bench = new Bench();
    bench.removed.add(9n);
    const usual = messageOf(MessageType.MsgApp, { from: 2n, to: OWN });
    bench.peers.message(usual);
    bench.peers.message(messageOf(MessageType.MsgApp, { from: 9n, to: OWN }));
    bench.peers.message(messageOf(MessageType.MsgProp, { from: 9n, to: OWN }));
    bench.peers.message(messageOf(MessageType.MsgApp, { from: 2n, to: 5n }));
    assert.deepEqual(bench.stepped, [usual]);
    assert.deepEqual(bench.warnings, [
      "rejected Raft message from removed member",
      "rejected Raft message from removed member",
      "rejected Raft message to mismatch member",
    ]);
  });

  it("believes no snapshot without its database", () => {
    const bench = new Bench();
    bench.peers.message(messageOf(MessageType.MsgSnap, { from: 2n, to: OWN }));
    assert.deepEqual(bench.stepped, []);
    let refusal: Error | null = null;
    bench.removed.add(9n);
    const stranger = messageOf(MessageType.MsgSnap, { from: 9n, to: OWN });
    bench.peers.snapshot(stranger).write(new Uint8Array(1), (error) => {
      refusal = error;
    });
    assert.match(String(refusal), /not for this member/);
  });

  it("sends the furthest acknowledgement of a turn only, and every refusal", () => {
    const bench = new Bench();
    const answer = (index: number, reject = false): Message =>
      messageOf(MessageType.MsgAppResp, { index, reject });
    const vote = messageOf(MessageType.MsgVoteResp, { to: 3n });
    bench.peers.send([answer(5), answer(9), answer(4, true), vote, answer(7)]);
    assert.deepEqual(
      bench.sent.map(({ type, index }) => [type, index]),
      [
        [MessageType.MsgAppResp, 9],
        [MessageType.MsgAppResp, 4],
        [MessageType.MsgVoteResp, 0],
      ],
    );
  });

  it("leaves snapshots to who adds the database", () => {
    const bench = new Bench();
    const snapshot = messageOf(MessageType.MsgSnap, {});
    const append = messageOf(MessageType.MsgApp, { index: 3 });
    bench.peers.send([append, snapshot, append]);
    assert.deepEqual(bench.snapshots, [snapshot]);
    assert.deepEqual(bench.sent, [append, append]);
  });

  it("notices that heartbeats leave late, but not over a change of the leader", () => {
    const bench = new Bench();
    const beat = (afterMs: number): void => {
      bench.clock.pass(afterMs);
      bench.peers.send([messageOf(MessageType.MsgHeartbeat, {})]);
    };
    beat(0);
    beat(150);
    assert.equal(bench.metrics.heartbeatSendFailures.value, 0);
    beat(250);
    assert.equal(bench.metrics.heartbeatSendFailures.value, 1);
    bench.peers.leaderChanged();
    beat(5000);
    assert.equal(bench.metrics.heartbeatSendFailures.value, 1);
  });

  it("says what it was told to say of itself until it is in the log", () => {
    assert.deepEqual(new Bench().peers.peerUrls(), ["http://own"]);
  });
});
