// Links between members when things go wrong.

import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, test } from "node:test";
import { type Message, MessageType, newMessage } from "../../wire/messages/raft.ts";
import {
  introduce,
  type Node,
  type NodeOptions,
  portOf,
  RecordingLog,
  startNode,
} from "./testing/transports.ts";

const A = 0xan;
const B = 0xbn;

const nodes: Node[] = [];
const servers: Server[] = [];

async function start(id: bigint, options: NodeOptions = {}): Promise<Node> {
  const node = await startNode(id, options);
  nodes.push(node);
  return node;
}

after(() => {
  for (const { transport } of nodes) transport.close();
  for (const server of servers) server.close();
});

function message(from: Node, to: bigint, fields: Partial<Message> = {}): Message {
  const ids = { type: MessageType.MsgHeartbeat, from: from.id, to };
  return { ...newMessage(), ...ids, term: 1, ...fields };
}

/** A peer of our making: what it says is up to the test. */
async function fakePeer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Calls back with the head of each request. */
function onHead(socket: Socket, answer: (head: string) => void): void {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    answer(text.slice(0, end));
    text = text.slice(end + 4);
  });
}

function times(count: number): { readonly promise: Promise<void>; readonly hit: () => void } {
  let left = count;
  let resolve!: () => void;
  const promise = new Promise<void>((go) => {
    resolve = go;
  });
  const hit = (): void => {
    if (--left === 0) resolve();
  };
  return { promise, hit };
}

test("the request for a stream has etcd's headers", async () => {
  const heads: string[] = [];
  const both = times(2);
  const url = await fakePeer((socket) =>
    onHead(socket, (head) => {
      if (!head.startsWith("GET /raft/stream/")) return;
      heads.push(head);
      both.hit();
    }),
  );
  const a = await start(0xfedcba9876543210n);
  a.transport.addPeer(B, [url]);
  await both.promise;
  const [first = ""] = heads.sort().slice(-1);
  assert.deepEqual(first.split("\r\n"), [
    "GET /raft/stream/msgapp/fedcba9876543210 HTTP/1.1",
    `Host: ${new URL(url).host}`,
    "X-Server-From: fedcba9876543210",
    "X-Server-Version: 3.7.3",
    "X-Min-Cluster-Version: 3.0.0",
    "X-Etcd-Cluster-ID: abcdef0123456789",
    `X-PeerURLs: ${a.url}`,
    "X-Raft-To: b",
  ]);
});

test("410: this member was removed and is told so, once", async () => {
  const b = await start(B, { change: ({ removedIds }) => removedIds.add(A) });
  const a = await start(A);
  a.transport.addPeer(B, [b.url]);
  await a.handlers.until(() => a.handlers.removedCount > 0);
  assert.equal(a.handlers.removedCount, 1);
});

test("403 to a POST means the same", async () => {
  const b = await start(B, { change: ({ removedIds }) => removedIds.add(A) });
  const a = await start(A);
  a.transport.addRemote(B, [b.url]);
  a.transport.send([message(a, B)]);
  await a.handlers.until(() => a.handlers.removedCount === 1);
  assert.deepEqual(b.handlers.messages, []);
});

test("another cluster, another version: nothing is heard, and the log says why", async () => {
  const log = new RecordingLog();
  const a = await start(A, { log });
  const b = await start(B, { clusterId: 1n });
  introduce(a, b);
  await log.until("request sent was ignored by remote peer due to cluster ID mismatch");
  await log.until("request cluster ID mismatch");
  const old = await start(0xcn, { change: (handlers) => (handlers.version = "2.3.0") });
  introduce(a, old);
  await log.until("failed version compatibility check");
  a.transport.send([message(a, B), message(a, old.id)]);
  await a.handlers.until(() => a.handlers.unreachableIds.length >= 2);
  assert.deepEqual([b.handlers.messages, old.handlers.messages], [[], []]);
});

test("one who is not known yet is answered by POST", async () => {
  const b = await start(B);
  const a = await start(A);
  // B does not know A, so it refuses the streams; but it has A's address now.
  a.transport.addPeer(B, [b.url]);
  a.transport.send([message(a, B)]);
  await b.handlers.until(() => b.handlers.messages.length > 0);
  b.transport.send([message(b, A)]);
  await a.handlers.until(() => a.handlers.messages.length > 0);
});

test("a peer that comes back is dialled again", async () => {
  const log = new RecordingLog();
  const a = await start(A, { log });
  const first = await startNode(B);
  introduce(a, first);
  await a.handlers.until(() => true);
  await log.until("peer became active");
  first.transport.close();
  await log.until("lost TCP streaming connection with remote peer");
  const second = await startNode(B, {}, portOf(first));
  nodes.push(second);
  introduce(a, second);
  second.transport.send([message(second, A)]);
  await a.handlers.until(() => a.handlers.messages.length > 0);
});

test("a peer whose process has ended is told to be refused", async () => {
  const log = new RecordingLog();
  const a = await start(A, { log });
  const b = await startNode(B);
  introduce(a, b);
  await log.until("peer became active");
  assert.deepEqual(a.handlers.refusedIds, []);
  b.transport.close();
  await a.handlers.until(() => a.handlers.refusedIds.length > 0);
  assert.equal(a.handlers.refusedIds[0], B);
});

test("a peer that is gone, but listens at one of its URLs, is not told to be refused", async () => {
  const again = times(6);
  const url = await fakePeer((socket) => {
    again.hit();
    socket.destroy();
  });
  const a = await start(A, { timeouts: { redialMs: 1 } });
  a.transport.addPeer(B, ["http://127.0.0.1:1", url]);
  await again.promise;
  assert.deepEqual(a.handlers.refusedIds, []);
});

test("of several URLs those that do not answer are passed over", async () => {
  const b = await start(B);
  const a = await start(A);
  b.transport.addPeer(A, [a.url]);
  a.transport.addPeer(B, ["http://127.0.0.1:1", b.url]);
  // The streams stand when what is sent on them arrives.
  const send = (): void => {
    if (b.handlers.messages.length > 0) return;
    a.transport.send([message(a, B)]);
    setImmediate(send);
  };
  send();
  await b.handlers.until(() => b.handlers.messages.length > 0);
  b.transport.send([message(b, A)]);
  await a.handlers.until(() => a.handlers.messages.length > 0);
});

test("a peer that accepts and says nothing is dialled again", async () => {
  const again = times(6);
  const url = await fakePeer((socket) => onHead(socket, again.hit));
  const a = await start(A, { timeouts: { readMs: 30, redialMs: 1 } });
  a.transport.addPeer(B, [url]);
  await again.promise;
  assert.equal(a.transport.activeSinceMs(B), undefined);
});

test("a stream that falls silent is given up", async () => {
  const log = new RecordingLog();
  const url = await fakePeer((socket) =>
    onHead(socket, () => {
      const head =
        "HTTP/1.1 200 OK\r\nX-Server-Version: 3.7.3\r\nTransfer-Encoding: chunked\r\n\r\n";
      socket.write(head);
    }),
  );
  const a = await start(A, { log, timeouts: { readMs: 30, redialMs: 1 } });
  a.transport.addPeer(B, [url]);
  await log.until("peer became active");
  await log.until("lost TCP streaming connection with remote peer");
  const lost = log.lines.find((line) => line.message.startsWith("lost TCP"));
  assert.equal(lost?.fields["error"], "i/o timeout");
});

for (const [name, body] of [
  ["no chunks", "zz\r\n"],
  ["no frames", "9\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\r\n"],
] as const) {
  test(`a stream of ${name} is given up, and the member lives`, async () => {
    const log = new RecordingLog();
    const url = await fakePeer((socket) =>
      onHead(socket, () => {
        const head =
          "HTTP/1.1 200 OK\r\nX-Server-Version: 3.7.3\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write(head + body, "latin1");
      }),
    );
    const a = await start(A, { log });
    a.transport.addPeer(B, [url]);
    await log.until("lost TCP streaming connection with remote peer");
    assert.deepEqual(a.handlers.messages, []);
  });
}

test("a peer too old for streams is not read from", async () => {
  const log = new RecordingLog();
  const asked = times(3);
  const url = await fakePeer((socket) =>
    onHead(socket, () => {
      asked.hit();
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }),
  );
  const a = await start(A, { log, timeouts: { redialMs: 1 } });
  a.transport.addPeer(B, [url]);
  await asked.promise;
  assert.equal(log.has("established TCP streaming connection"), false);
});

test("who does not read is cut off, and what it misses is reported", async () => {
  const log = new RecordingLog();
  const a = await start(A, { log, timeouts: { readMs: 60, writeMs: 60 } });
  a.transport.addPeer(B, ["http://127.0.0.1:1"]);
  const socket = connect(portOf(a), "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(
    "GET /raft/stream/msgapp/b HTTP/1.1\r\nHost: x\r\nX-Server-From: b\r\n" +
      "X-Server-Version: 3.7.3\r\nX-Min-Cluster-Version: 3.0.0\r\n" +
      "X-Etcd-Cluster-ID: abcdef0123456789\r\nX-Raft-To: a\r\n\r\n",
  );
  await log.until("established TCP streaming connection");
  a.handlers.unreachableIds.length = 0;
  const data = new Uint8Array(1 << 20);
  for (let index = 1; index <= 100; index++) {
    const entries = [{ type: 0, term: 1, index, data } as const];
    const numbers = { type: MessageType.MsgApp, logTerm: 1, index: index - 1 };
    a.transport.send([message(a, B, { ...numbers, entries })]);
  }
  // 64 MiB wait in memory, the rest is refused at once …
  assert.ok(a.handlers.unreachableIds.length > 0);
  assert.ok(log.has("dropped internal Raft message since sending buffer is full"));
  // … and then the link is given up.
  await log.until("lost TCP streaming connection with remote peer");
  socket.destroy();
});

test("a new stream takes the place of the old one", async () => {
  const log = new RecordingLog();
  const a = await start(A, { log });
  const b = await start(B);
  introduce(a, b);
  await log.until("established TCP streaming connection");
  const again = await start(B);
  again.transport.addPeer(A, [a.url]);
  await log.until("closed TCP streaming connection with remote peer");
});

test("nothing is heard of a removed peer's links, and it can come back", async () => {
  const a = await start(A);
  const b = await start(B);
  introduce(a, b);
  a.transport.send([message(a, B, { commit: 1 })]);
  await b.handlers.until(() => b.handlers.messages.length > 0);
  a.transport.removePeer(B);
  assert.equal(a.transport.activeSinceMs(B), undefined);
  a.transport.send([message(a, B, { commit: 2 })]);
  a.transport.addPeer(B, [b.url]);
  const seen = (): boolean => b.handlers.messages.some(({ commit }) => commit === 3);
  const send = (): void => {
    if (seen()) return;
    a.transport.send([message(a, B, { commit: 3 })]);
    setImmediate(send);
  };
  send();
  await b.handlers.until(seen);
  assert.ok(!b.handlers.messages.some(({ commit }) => commit === 2));
});
