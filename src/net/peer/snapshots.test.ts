// Databases on their way to another member, and what comes of those that do not arrive.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { SnapshotSource } from "../../io/network.ts";
import { type Message, MessageType, newMessage, newSnapshot } from "../../wire/messages/raft.ts";
import { writeLength } from "./frame-input.ts";
import { encodeRaftMessage } from "./raft-message.ts";
import { peerHeaders, raw, sendBytes } from "./testing/raw-request.ts";
import { introduce, type Node, type NodeOptions, startNode } from "./testing/transports.ts";

const A = 0xan;
const B = 0xbn;

const nodes: Node[] = [];

async function start(id: bigint, options: NodeOptions = {}): Promise<Node> {
  const node = await startNode(id, options);
  nodes.push(node);
  return node;
}

after(() => {
  for (const { transport } of nodes) transport.close();
});

function snapshot(from: bigint, to: bigint): Message {
  const metadata = {
    index: 77,
    term: 3,
    confState: {
      voters: [A, B],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    },
  };
  const data = Buffer.from('{"version":2}');
  return {
    ...newMessage(),
    ...{ type: MessageType.MsgSnap, from, to, term: 3 },
    snapshot: { ...newSnapshot(), data, metadata },
  };
}

class Database implements SnapshotSource {
  readonly sizeBytes: number;
  readonly failAt: number;
  closedCount = 0;
  readonly largestRead: { bytes: number } = { bytes: 0 };

  constructor(sizeBytes: number, failAt: number = Number.POSITIVE_INFINITY) {
    this.sizeBytes = sizeBytes;
    this.failAt = failAt;
  }

  read(position: number, target: Uint8Array): number {
    if (position >= this.failAt) throw new Error("input/output error");
    const count = Math.min(target.length, this.sizeBytes - position);
    for (let at = 0; at < count; at++) target[at] = (position + at) % 251;
    this.largestRead.bytes = Math.max(this.largestRead.bytes, count);
    return count;
  }

  close(): void {
    this.closedCount++;
  }

  get sum(): number {
    let sum = 0;
    for (let at = 0; at < this.sizeBytes; at++) sum = (sum * 31 + (at % 251)) >>> 0;
    return sum;
  }
}

/** The body of the request, as etcd sends it. */
function body(message: Message, database: Uint8Array): Uint8Array {
  const envelope = encodeRaftMessage(message);
  const bytes = new Uint8Array(8 + envelope.length + database.length);
  writeLength(bytes, 0, envelope.length);
  bytes.set(envelope, 8);
  bytes.set(database, 8 + envelope.length);
  return bytes;
}

const post = (to: Node, bytes: Uint8Array) =>
  raw(to, "/raft/snapshot", { method: "POST", headers: peerHeaders(A), body: bytes });

test("a database arrives whole, read and sent in pieces", async () => {
  const [a, b] = [await start(A), await start(B)];
  introduce(a, b);
  const database = new Database(5_000_003);
  a.transport.sendSnapshot(snapshot(A, B), database);
  await a.handlers.until(() => a.handlers.sent.length > 0);
  assert.deepEqual(a.handlers.sent, [[B, true]]);
  const { sink } = b.handlers;
  assert.deepEqual([sink.bytes, sink.sum, sink.hasEnded], [5_000_003, database.sum, true]);
  assert.equal(sink.message?.snapshot?.metadata?.index, 77);
  assert.deepEqual(sink.message?.snapshot?.metadata?.confState?.voters, [A, B]);
  assert.equal(Buffer.from(sink.message!.snapshot!.data).toString(), '{"version":2}');
  assert.equal(database.closedCount, 1);
  assert.ok(database.largestRead.bytes <= 256 * 1024);
  assert.deepEqual(b.handlers.messages, []);
});

test("an empty database arrives too", async () => {
  const [a, b] = [await start(A), await start(B)];
  introduce(a, b);
  a.transport.sendSnapshot(snapshot(A, B), new Database(0));
  await a.handlers.until(() => a.handlers.sent.length > 0);
  assert.deepEqual(a.handlers.sent, [[B, true]]);
  assert.deepEqual([b.handlers.sink.bytes, b.handlers.sink.hasEnded], [0, true]);
});

test("a database that cannot be read any more: the receiver throws away what it has", async () => {
  const [a, b] = [await start(A), await start(B)];
  introduce(a, b);
  const database = new Database(2_000_000, 1_000_000);
  a.transport.sendSnapshot(snapshot(A, B), database);
  await a.handlers.until(() => a.handlers.sent.length > 0);
  assert.deepEqual(a.handlers.sent, [[B, false]]);
  assert.ok(a.handlers.unreachableIds.includes(B));
  assert.equal(database.closedCount, 1);
  await b.handlers.until(() => b.handlers.sink.aborted !== undefined);
  assert.equal(b.handlers.sink.hasEnded, false);
});

for (const [name, change] of [
  ["while it is written", (node: Node) => (node.handlers.sink.writeError = new Error("full"))],
  ["at its end", (node: Node) => (node.handlers.sink.endError = new Error("full"))],
] as const) {
  test(`a receiver whose disk fails ${name} says so: 500`, async () => {
    const [a, b] = [await start(A), await start(B)];
    introduce(a, b);
    change(b);
    a.transport.sendSnapshot(snapshot(A, B), new Database(3_000_000));
    await a.handlers.until(() => a.handlers.sent.length > 0);
    assert.deepEqual(a.handlers.sent, [[B, false]]);
    const answer = await post(b, body(snapshot(A, B), new Uint8Array(10)));
    assert.equal(answer.status, 500);
    assert.equal(answer.body, "failed to save KV snapshot (full)\n");
  });
}

test("a sender that is cut in the middle: what came is thrown away", async () => {
  const b = await start(B);
  const bytes = body(snapshot(A, B), new Uint8Array(100_000));
  const head = Object.entries(peerHeaders(A)).map(([name, value]) => `${name}: ${value}\r\n`);
  const begin = `POST /raft/snapshot HTTP/1.1\r\nHost: x\r\n${head.join("")}`;
  const length = `Content-Length: ${bytes.length + 5}\r\n\r\n`;
  await sendBytes(b, Buffer.concat([Buffer.from(begin + length), bytes]), true);
  await b.handlers.until(() => b.handlers.sink.aborted !== undefined);
  assert.equal(b.handlers.sink.hasEnded, false);
});

test("a sender that stops without a word: what came is thrown away", async () => {
  const b = await start(B, { timeouts: { readMs: 50 } });
  const bytes = body(snapshot(A, B), new Uint8Array(1000));
  const head = Object.entries(peerHeaders(A)).map(([name, value]) => `${name}: ${value}\r\n`);
  const begin = `POST /raft/snapshot HTTP/1.1\r\nHost: x\r\n${head.join("")}`;
  const chunk = `Transfer-Encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n`;
  const open = await sendBytes(b, Buffer.concat([Buffer.from(begin + chunk), bytes]), false);
  await b.handlers.until(() => b.handlers.sink.aborted !== undefined);
  assert.equal(b.handlers.sink.hasEnded, false);
  open();
});

test("no message, or one of another kind: 400", async () => {
  const b = await start(B);
  const other = { ...newMessage(), type: MessageType.MsgApp, from: A, to: B };
  const wrong = await post(b, body(other, new Uint8Array(0)));
  assert.deepEqual([wrong.status, wrong.body], [400, "wrong raft message type\n"]);
  const short = await post(b, Uint8Array.of(0, 0, 0));
  assert.equal(short.status, 400);
  assert.match(short.body, /^failed to decode raft message \(/);
  const huge = new Uint8Array(8);
  writeLength(huge, 0, 2 ** 40);
  const answer = await post(b, huge);
  assert.equal(answer.status, 400);
  assert.equal(answer.body, "failed to decode raft message (rafthttp: error limit exceeded)\n");
});

test("from a removed member, or for somebody else: 403, and nothing is kept", async () => {
  const b = await start(B, { change: ({ removedIds }) => removedIds.add(0xcn) });
  const database = new Uint8Array(300_000);
  const removed = await post(b, body(snapshot(0xcn, B), database));
  assert.equal(removed.status, 403);
  assert.equal(removed.body, '{"message":"cannot process message from removed member"}');
  const mismatch = await post(b, body(snapshot(A, 0x99n), database));
  assert.equal(mismatch.status, 403);
  assert.equal(mismatch.body, '{"message":"cannot process message to mismatch member"}');
  assert.equal(b.handlers.sink.message, undefined);
});

test("to nobody that is known: reported as failed, and closed", async () => {
  const a = await start(A);
  const database = new Database(10);
  a.transport.sendSnapshot(snapshot(A, B), database);
  assert.deepEqual(a.handlers.sent, [[B, false]]);
  assert.equal(database.closedCount, 1);
});

test("a peer that is removed meanwhile: cut, reported, closed", async () => {
  const [a, b] = [await start(A), await start(B)];
  introduce(a, b);
  const database = new Database(50_000_000);
  a.transport.sendSnapshot(snapshot(A, B), database);
  await b.handlers.until(() => b.handlers.sink.message !== undefined);
  a.transport.removePeer(B);
  assert.deepEqual(a.handlers.sent, [[B, false]]);
  assert.equal(database.closedCount, 1);
});

test("what was sent and received is counted", async () => {
  const [a, b] = [await start(A), await start(B)];
  introduce(a, b);
  a.transport.sendSnapshot(snapshot(A, B), new Database(1000));
  await a.handlers.until(() => a.handlers.sent.length > 0);
  const sent = a.transport.metrics;
  assert.equal(sent.snapshotsSent.with("b").value, 1);
  assert.equal(sent.snapshotsSending.with("b").value, 0);
  assert.equal(sent.snapshotSendSeconds.with("b").count, 1);
  const received = b.transport.metrics;
  assert.equal(received.snapshotsReceived.with("a").value, 1);
  assert.equal(received.snapshotsReceiving.with("a").value, 0);
  assert.equal(received.snapshotReceiveSeconds.with("a").count, 1);
  await post(b, Uint8Array.of(1));
  assert.equal(received.snapshotReceiveFailures.with("0").value, 1);
});
