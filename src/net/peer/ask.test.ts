// Questions to other members, on all kinds of URLs.

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../base/log.ts";
import type { PeerAnswer, PeerRequest } from "../../io/network.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { bindAll } from "../listener.ts";
import { RecordingHandlers } from "./testing/recording-handlers.ts";
import { type Node, portOf, startNode } from "./testing/transports.ts";
import { PeerTransport } from "./transport.ts";

const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
});

async function start(): Promise<Node> {
  const node = await startNode(0x1n);
  closing.push(() => node.transport.close());
  return node;
}

/** It asks without having been told who it is, as one that joins does. */
function newcomer(): PeerTransport {
  const parts = { clock: new NodeClock(), log: silentLogger, listeners: [] };
  const transport = new PeerTransport(parts);
  closing.push(() => transport.close());
  return transport;
}

function ask(from: PeerTransport, url: string, request: PeerRequest): Promise<PeerAnswer | Error> {
  return new Promise((resolve) => from.ask(url, request, resolve));
}

test("an answer comes with its status, headers and body", async () => {
  const node = await start();
  node.handlers.answer = {
    status: 418,
    headers: { "x-etcd-cluster-id": "7b" },
    body: Buffer.from("short and stout"),
  };
  const answer = await ask(newcomer(), node.url, { method: "GET", path: "/members" });
  assert.ok(!(answer instanceof Error));
  assert.equal(answer.status, 418);
  assert.equal(answer.headers["x-etcd-cluster-id"], "7b");
  assert.equal(Buffer.from(answer.body).toString(), "short and stout");
});

test("a GET may have a body", async () => {
  const node = await start();
  const body = Buffer.from('{"revision":5}');
  const request = { method: "GET", path: "/members/hashkv", body } as const;
  await ask(newcomer(), node.url, request);
  const asked = node.handlers.requests[0]!;
  assert.equal(asked.method, "GET");
  assert.equal(Buffer.from(asked.body!).toString(), '{"revision":5}');
});

test("questions one after the other, and many at once", async () => {
  const node = await start();
  const from = newcomer();
  for (let at = 0; at < 5; at++) {
    const answer = await ask(from, node.url, { method: "GET", path: `/one/${at}` });
    assert.ok(!(answer instanceof Error));
  }
  const all = Array.from({ length: 30 }, (_, at) =>
    ask(from, node.url, { method: "POST", path: `/many/${at}`, body: Buffer.alloc(1000, at) }),
  );
  for (const answer of await Promise.all(all)) assert.ok(!(answer instanceof Error));
  assert.equal(node.handlers.requests.length, 35);
});

test("nobody there: an error in Go's words", async () => {
  const answer = await ask(newcomer(), "http://127.0.0.1:1", { method: "GET", path: "/version" });
  assert.ok(answer instanceof Error);
  assert.equal(answer.message, "dial tcp 127.0.0.1:1: connect: connection refused");
});

test("no URL: an error", async () => {
  const answer = await ask(newcomer(), "ftp://x", { method: "GET", path: "/version" });
  assert.ok(answer instanceof Error);
});

test("who does not answer in time: an error, once", async () => {
  const server: Server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const request = { method: "GET", path: "/version", timeoutMs: 20 } as const;
  const { port } = server.address() as AddressInfo;
  const answer = await ask(newcomer(), `http://127.0.0.1:${port}`, request);
  assert.ok(answer instanceof Error);
  assert.equal(answer.message, "i/o timeout");
});

test("a server that goes away between two questions", async () => {
  const from = newcomer();
  const first = await startNode(0x1n);
  assert.ok(!((await ask(from, first.url, { method: "GET", path: "/" })) instanceof Error));
  first.transport.close();
  const second = await startNode(0x1n, {}, portOf(first));
  closing.push(() => second.transport.close());
  assert.ok(!((await ask(from, second.url, { method: "GET", path: "/" })) instanceof Error));
});

test("by a socket file", async () => {
  const url = `unix://${join(mkdtempSync(join(tmpdir(), "ask-")), "peer")}`;
  const listeners = await bindAll([url]);
  const transport = new PeerTransport({ clock: new NodeClock(), log: silentLogger, listeners });
  closing.push(() => transport.close());
  const handlers = new RecordingHandlers(0x1n, 0x2n);
  handlers.answer = { status: 200, headers: {}, body: Buffer.from("hello") };
  transport.listen(handlers);
  const answer = await ask(newcomer(), url, { method: "GET", path: "/version" });
  assert.ok(!(answer instanceof Error));
  assert.equal(Buffer.from(answer.body).toString(), "hello");
});
