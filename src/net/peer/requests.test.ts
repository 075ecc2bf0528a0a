// What the peer port answers, status by status, as etcd does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Message, MessageType, newMessage } from "../../wire/messages/raft.ts";
import { encodeRaftMessage } from "./raft-message.ts";
import { peerHeaders, raw } from "./testing/raw-request.ts";
import { type Node, startNode } from "./testing/transports.ts";

const SELF = 0xf1n;
const OTHER = 0xf2n;
const REMOVED = 0xf3n;

let node: Node;
before(async () => {
  node = await startNode(SELF, {
    change: ({ removedIds }) => removedIds.add(REMOVED),
  });
});
after(() => node.transport.close());

function message(fields: Partial<Message>): Uint8Array {
  return encodeRaftMessage({
    ...newMessage(),
    type: MessageType.MsgHeartbeat,
    from: OTHER,
    to: SELF,
    ...fields,
  });
}

function post(body: Uint8Array, changes: Record<string, string> = {}) {
  return raw(node, "/raft", { method: "POST", headers: peerHeaders(OTHER, changes), body });
}

const stream = (path: string, changes: Record<string, string> = {}) =>
  raw(node, path, { headers: peerHeaders(OTHER, { "X-Raft-To": "f1", ...changes }) });

test("a message by POST is taken: 204, and whose cluster this is", async () => {
  const before = node.handlers.messages.length;
  const answer = await post(message({ commit: 5 }));
  assert.deepEqual([answer.status, answer.body], [204, ""]);
  assert.equal(answer.headers["x-etcd-cluster-id"], "abcdef0123456789");
  assert.equal(node.handlers.messages.length, before + 1);
  assert.equal(node.handlers.messages.at(-1)!.commit, 5);
});

test("a message from a removed member, or for somebody else: 403", async () => {
  const removed = await post(message({ from: REMOVED }));
  assert.equal(removed.status, 403);
  assert.equal(removed.body, '{"message":"cannot process message from removed member"}');
  assert.equal(removed.headers["content-type"], "application/json");
  const mismatch = await post(message({ to: 0x99n }));
  assert.equal(mismatch.status, 403);
  assert.equal(mismatch.body, '{"message":"cannot process message to mismatch member"}');
});

test("no message: 400", async () => {
  const answer = await post(Uint8Array.of(0xff));
  assert.deepEqual([answer.status, answer.body], [400, "error unmarshalling raft message\n"]);
});

test("another method: 405 and which one it is", async () => {
  const get = await raw(node, "/raft", { headers: peerHeaders(OTHER) });
  assert.deepEqual(
    [get.status, get.headers.allow, get.body],
    [405, "POST", "Method Not Allowed\n"],
  );
  const put = await raw(node, "/raft/stream/message/f2", { method: "POST" });
  assert.deepEqual([put.status, put.headers.allow], [405, "GET"]);
  const snapshot = await raw(node, "/raft/snapshot");
  assert.deepEqual([snapshot.status, snapshot.headers.allow], [405, "POST"]);
});

test("another cluster: 412 on all ways", async () => {
  const wrong = { "X-Etcd-Cluster-ID": "1" };
  const snapshot = { method: "POST", headers: peerHeaders(OTHER, wrong), body: "" };
  for (const answer of [
    await post(message({}), wrong),
    await stream("/raft/stream/msgapp/f2", wrong),
    await raw(node, "/raft/snapshot", snapshot),
  ]) {
    assert.deepEqual([answer.status, answer.body], [412, "cluster ID mismatch\n"]);
    assert.equal(answer.headers["x-etcd-cluster-id"], "abcdef0123456789");
  }
});

const versions: readonly [string, Record<string, string>, boolean][] = [
  ["the same", {}, true],
  ["an older minor", { "X-Server-Version": "3.6.16" }, true],
  ["a newer minor", { "X-Server-Version": "3.8.0-alpha.0" }, true],
  ["the oldest that is understood", { "X-Server-Version": "3.0.0" }, true],
  ["an older major", { "X-Server-Version": "2.3.8" }, false],
  ["none at all", { "X-Server-Version": "" }, false],
  ["no version", { "X-Server-Version": "three" }, false],
  ["one that wants a newer cluster", { "X-Min-Cluster-Version": "3.8.0" }, false],
];

for (const [name, changes, isTaken] of versions) {
  test(`a peer of ${name} ${isTaken ? "is heard" : "is not: 412"}`, async () => {
    const answer = await post(message({}), changes);
    if (isTaken) assert.equal(answer.status, 204);
    else assert.deepEqual([answer.status, answer.body], [412, "incompatible version\n"]);
  });
}

test("a stream for a removed member: 410", async () => {
  const answer = await stream("/raft/stream/message/f3");
  assert.deepEqual([answer.status, answer.body], [410, "removed member\n"]);
  assert.equal(answer.headers["x-server-version"], "3.7.3");
});

test("a stream for one who is not known: 404", async () => {
  const answer = await stream("/raft/stream/message/77");
  assert.deepEqual([answer.status, answer.body], [404, "error sender not found\n"]);
});

test("a stream of no kind, for no id: 404", async () => {
  const kind = await stream("/raft/stream/other/f2");
  assert.deepEqual([kind.status, kind.body], [404, "invalid path\n"]);
  const id = await stream("/raft/stream/message/xyz");
  assert.deepEqual([id.status, id.body], [404, "invalid from\n"]);
});

test("a stream meant for somebody else: 412", async () => {
  node.transport.addPeer(0xf4n, ["http://127.0.0.1:1"]);
  const answer = await stream("/raft/stream/message/f4", { "X-Raft-To": "99" });
  assert.deepEqual([answer.status, answer.body], [412, "to field mismatch\n"]);
  node.transport.removePeer(0xf4n);
});

test("a probe says that it is alive, and what time it has", async () => {
  const answer = await raw(node, "/raft/probing");
  const { OK: isOk, Now: now } = JSON.parse(answer.body) as { OK: boolean; Now: string };
  assert.equal(isOk, true);
  assert.ok(Math.abs(Date.parse(now) - Date.now()) < 60_000);
});

test("other paths are questions to the server, with their body and headers", async () => {
  node.handlers.answer = {
    status: 200,
    headers: { "x-etcd-cluster-id": "1" },
    body: Buffer.from("yes"),
  };
  const path = "/members/promote/1?x=1";
  const answer = await raw(node, path, {
    method: "POST",
    body: "abc",
    headers: { Authorization: "t" },
  });
  assert.deepEqual([answer.status, answer.body], [200, "yes"]);
  const asked = node.handlers.requests.at(-1)!;
  assert.deepEqual([asked.method, asked.path], ["POST", "/members/promote/1?x=1"]);
  assert.equal(Buffer.from(asked.body!).toString(), "abc");
  assert.equal(asked.headers?.["authorization"], "t");
});

test("what is below /raft and nothing: 404", async () => {
  const answer = await raw(node, "/raft/else");
  assert.deepEqual([answer.status, answer.body], [404, "404 page not found\n"]);
});
