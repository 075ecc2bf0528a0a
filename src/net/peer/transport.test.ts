import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Message, MessageType, newMessage } from "../../wire/messages/raft.ts";
import { introduce, type Node, type NodeOptions, startNode } from "./testing/transports.ts";

const A = 0xaaaaaaaaaaaaaaaan;
const B = 0xbn;

const nodes: Node[] = [];

async function pair(options: NodeOptions = {}): Promise<[Node, Node]> {
  const a = await startNode(A, options);
  const b = await startNode(B, options);
  nodes.push(a, b);
  introduce(a, b);
  return [a, b];
}

after(() => {
  for (const { transport } of nodes) transport.close();
});

function message(type: number, from: Node, to: Node, fields: Partial<Message> = {}): Message {
  const ids = { type: type as Message["type"], from: from.id, to: to.id };
  return { ...newMessage(), ...ids, term: 1, ...fields };
}

test("messages of all kinds arrive, in order", async () => {
  const [a, b] = await pair();
  for (let at = 1; at <= 500; at++) {
    const data = new Uint8Array(at).fill(at);
    const entries = [{ type: 0, term: 1, index: at, data } as const];
    a.transport.send([
      message(MessageType.MsgApp, a, b, { logTerm: 1, index: at - 1, entries }),
      message(MessageType.MsgHeartbeat, a, b, { commit: at }),
    ]);
    if (at % 50 === 0) await new Promise(setImmediate);
  }
  await b.handlers.until(() => b.handlers.messages.some((one) => one.commit > 400));
  const appends = b.handlers.messages.filter((one) => one.type === MessageType.MsgApp);
  assert.ok(appends.length > 0);
});

test("both directions have streams of their own", async () => {
  const [a, b] = await pair();
  b.transport.send([message(MessageType.MsgVote, b, a)]);
  a.transport.send([message(MessageType.MsgVoteResp, a, b)]);
  await a.handlers.until(() => a.handlers.messages.length > 0);
  await b.handlers.until(() => b.handlers.messages.length > 0);
  assert.notEqual(a.transport.activeSinceMs(B), undefined);
});
