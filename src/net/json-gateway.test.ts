// The gateway behind a real HTTP server and in front of methods made for the test: what is on the
// wire, byte by byte where it matters, as recorded from etcd.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import type { Clock, Timer } from "../io/io.ts";
import { Errors } from "../wire/errors.ts";
import {
  decodePutRequest,
  encodePutResponse,
  encodeRangeResponse,
  type PutRequest,
} from "../wire/messages/rpc-kv.ts";
import {
  decodeLeaseKeepAliveRequest,
  encodeLeaseKeepAliveResponse,
} from "../wire/messages/rpc-lease.ts";
import { encodeSnapshotResponse } from "../wire/messages/rpc-maintenance.ts";
import { decodeWatchRequest, encodeWatchResponse } from "../wire/messages/rpc-watch.ts";
import type { Method, MethodTable, StreamCall, UnaryCall } from "../wire/rpc.ts";
import { METHODS, Paths } from "../wire/services.ts";
import { Code, RpcError } from "../wire/status.ts";
import { JsonGateway } from "./json-gateway.ts";
import { gatewayRoutes } from "./json-gateway-routes.ts";
import { gatewayMetadata, parseGatewayTimeout } from "./json-gateway-text.ts";

const header = { clusterId: 2n ** 64n - 1n, memberId: 7n, revision: 2, raftTerm: 3 };
const HEADER_JSON =
  '{"cluster_id":"18446744073709551615", "member_id":"7", "revision":"2", "raft_term":"3"}';
const HEADER_COMPACT = HEADER_JSON.replaceAll(", ", ",");

function sendBytes(call: UnaryCall, bytes: Uint8Array): void {
  const at = call.reserve(bytes.length);
  call.buffer.set(bytes, at);
  call.send();
}

function streamBytes(call: StreamCall, bytes: Uint8Array): void {
  const at = call.reserve(bytes.length);
  call.buffer.set(bytes, at);
  call.sendMessage();
}

class TestClock implements Clock {
  readonly tasks: { delayMs: number; task: () => void; isCancelled: boolean }[] = [];

  monotonicMs(): number {
    return 0;
  }

  wallMs(): number {
    return 0;
  }

  after(delayMs: number, task: () => void): Timer {
    const entry = { delayMs, task, isCancelled: false };
    this.tasks.push(entry);
    return {
      cancel: () => {
        entry.isCancelled = true;
      },
    };
  }

  endOfTurn(task: () => void): void {
    setImmediate(task);
  }
}

const clock = new TestClock();
const log: string[] = [];
let onLog = (): void => {};
let lastPut: PutRequest | undefined;
let lastMetadata: { authorization?: string | undefined } = {};
let watchCall: StreamCall | undefined;

function note(text: string): void {
  log.push(text);
  onLog();
}

/** Resolves when the methods have noted `text`. */
function noted(text: string): Promise<void> {
  return new Promise((resolve) => {
    onLog = () => {
      if (log.includes(text)) resolve();
    };
    onLog();
  });
}

const put: Method = {
  kind: "unary",
  handle: (call, bytes, start, end) => {
    lastPut = decodePutRequest(bytes, start, end);
    const names = ["token", "authorization", "hasleader", "grpcgateway-user-agent"];
    lastMetadata = Object.fromEntries(names.map((name) => [name, call.metadata(name)]));
    assert.equal(call.transport, "gateway");
    assert.match(call.remoteAddress, /^127\.0\.0\.1:\d+$/);
    if (lastPut.key.length === 0) call.fail(Errors.EmptyKey);
    else sendBytes(call, encodePutResponse({ header }));
  },
};

const range: Method = {
  kind: "unary",
  handle: (call) => {
    note(`range ${call.isCancelled}`);
    setImmediate(() => {
      const kvs = [{ key: new Uint8Array(9), lease: -1n }];
      sendBytes(call, encodeRangeResponse({ header, kvs, count: 1 }));
    });
  },
};

const failing = (error: RpcError): Method => ({
  kind: "unary",
  handle: (call) => call.fail(error),
});

const keepAlive: Method = {
  kind: "bidi-stream",
  open: (call) => ({
    onMessage: (bytes, start, end) => {
      const { id } = decodeLeaseKeepAliveRequest(bytes, start, end);
      streamBytes(call, encodeLeaseKeepAliveResponse({ header, id, ttl: 5 }));
    },
    onEnd: () => call.end(),
    onCancel: () => note("keepalive cancelled"),
  }),
};

const watch: Method = {
  kind: "bidi-stream",
  open: (call) => {
    watchCall = call;
    note("watch opened");
    return {
      onMessage: (bytes, start, end) => {
        const { createRequest, cancelRequest } = decodeWatchRequest(bytes, start, end);
        if (createRequest !== undefined) {
          const watchId = createRequest.watchId;
          streamBytes(call, encodeWatchResponse({ header, watchId, created: true }));
        } else if (cancelRequest !== undefined) {
          call.fail(Errors.WatchCanceled);
        }
      },
      onEnd: () => note("watch half closed"),
      onCancel: () => note(`watch cancelled ${call.isCancelled}`),
    };
  },
};

const snapshot: Method = {
  kind: "server-stream",
  handle: (call) => {
    streamBytes(call, encodeSnapshotResponse({ remainingBytes: 3, blob: Uint8Array.of(1, 2) }));
    call.whenDrained(0, () => {
      streamBytes(call, encodeSnapshotResponse({ blob: Uint8Array.of(3) }));
      call.end();
    });
    return { onCancel: () => note("snapshot cancelled") };
  },
};

const observe: Method = {
  kind: "server-stream",
  handle: (call) => {
    call.fail(new RpcError(Code.Unknown, 'a "<quoted>" text'));
    return { onCancel: () => note("observe cancelled") };
  },
};

const methods: MethodTable = new Map<string, Method>([
  [Paths.KV.Put, put],
  [Paths.KV.Range, range],
  [Paths.KV.Compact, failing(Errors.Compacted)],
  [Paths.Auth.UserList, failing(Errors.InvalidAuthToken)],
  [Paths.Lease.LeaseKeepAlive, keepAlive],
  [Paths.Watch.Watch, watch],
  [Paths.Maintenance.Snapshot, snapshot],
  [Paths.Election.Observe, observe],
]);

const gateway = new JsonGateway({ clock, methods, limits: { messageBytesMax: 1000 } });
let server: Server;

before(async () => {
  server = createServer((request, response) => {
    if (!gateway.handle(request, response)) response.writeHead(418).end();
  });
  server.on("upgrade", (request, socket, head) => {
    if (!gateway.handleUpgrade(request, socket, head)) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/** A client that sees bytes. */
class RawClient {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #wake = (): void => {};

  constructor() {
    this.socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    this.socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.socket.on("close", () => {
      this.#isEnded = true;
      this.#wake();
    });
    this.socket.on("error", () => {});
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** All bytes so far, once `isEnough` says so or the connection is closed. */
  async until(isEnough: (received: Buffer) => boolean): Promise<Buffer> {
    while (!isEnough(this.#received) && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#received;
  }

  async untilText(text: string): Promise<string> {
    return (await this.until((bytes) => bytes.includes(text))).toString();
  }

  async untilClosed(): Promise<string> {
    return (await this.until(() => false)).toString();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** One request on its own connection; the date is masked. */
async function roundTrip(line: string, body: string | Uint8Array, headers = ""): Promise<string> {
  const client = new RawClient();
  const length = Buffer.byteLength(body);
  client.send(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}`);
  client.send(`Content-Length: ${length}\r\n\r\n`);
  client.send(body);
  const answer = await client.untilClosed();
  return answer.replace(/\r\nDate: [^\r]*/, "\r\nDate: now");
}

function response(status: string, headers: readonly string[], body: string): string {
  return [`HTTP/1.1 ${status}`, ...headers, "", body].join("\r\n");
}

const JSON_TYPE = "Content-Type: application/json";
const METADATA = "Grpc-Metadata-Content-Type: application/grpc";
const CHUNKED = ["Date: now", "Connection: close", "Transfer-Encoding: chunked"];

/** Of an answer of known length, in Go's order. */
function tail(sizeBytes: number): string[] {
  return ["Date: now", `Content-Length: ${sizeBytes}`, "Connection: close"];
}

function failure(status: string, json: string, more: readonly string[] = []): string {
  return response(status, [JSON_TYPE, ...more, ...tail(Buffer.byteLength(json))], json);
}

/** Chunks of HTTP/1.1, then the end. */
function chunks(...lines: string[]): string {
  const parts = lines.map(
    (line) => `${(Buffer.byteLength(line) + 1).toString(16)}\r\n${line}\n\r\n`,
  );
  return `${parts.join("")}0\r\n\r\n`;
}

test("56 routes, each a known method, two of them by two names", () => {
  assert.equal(gatewayRoutes.size, 56);
  for (const [path, route] of gatewayRoutes) {
    assert.equal(METHODS.get(route.path), route, path);
  }
  assert.equal(new Set([...gatewayRoutes.values()]).size, 53);
  const withoutRoute = [...METHODS.keys()].filter(
    (path) => ![...gatewayRoutes.values()].some((route) => route.path === path),
  );
  assert.deepEqual(withoutRoute, [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    Paths.KV.RangeStream,
  ]);
});

test("a unary answer, header by header", async () => {
  const body = '{"key":"Zm9v", "value":"YmFy", "lease":"-5"}';
  const expected = `{"header":${HEADER_JSON}}`;
  assert.equal(
    await roundTrip("POST /v3/kv/put", body),
    response("200 OK", [JSON_TYPE, METADATA, ...tail(expected.length)], expected),
  );
  assert.equal(Buffer.from(lastPut!.value).toString(), "bar");
  assert.equal(lastPut!.lease, -5n);
});

test("an answer of a later turn; the old prefix; a query is ignored", async () => {
  for (const path of [
    "/v3/kv/range",
    "/v3beta/kv/range",
    "/v3/kv/range?key=eA",
    "/v3/kv/r%61nge",
  ]) {
    const answer = await roundTrip(`POST ${path}`, "{}");
    const kv = '{"key":"AAAAAAAAAAAA", "lease":"-1"}';
    assert.ok(answer.endsWith(`{"header":${HEADER_JSON}, "kvs":[${kv}], "count":"1"}`), answer);
  }
});

test("connections stay open without a word about it", async () => {
  const client = new RawClient();
  const request = "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n";
  client.send(`${request}{"key":"AA"}${request}{"key":"AA"}`);
  const received = await client.until(
    (bytes) => bytes.toString().split('"raft_term"').length === 3,
  );
  assert.doesNotMatch(received.toString(), /connection|keep-alive/i);
  client.destroy();
});

test("errors: status by code, and the error as JSON", async () => {
  const empty = '{"code":3, "message":"etcdserver: key is not provided"}';
  assert.equal(await roundTrip("POST /v3/kv/put", "{}"), failure("400 Bad Request", empty));
  assert.equal(await roundTrip("POST /v3/kv/put", ""), failure("400 Bad Request", empty));
  const compacted =
    '{"code":11, "message":"etcdserver: mvcc: required revision has been compacted"}';
  assert.equal(
    await roundTrip("POST /v3/kv/compaction", "{}"),
    failure("400 Bad Request", compacted),
  );
  assert.equal(
    await roundTrip("POST /v3/auth/user/list", "{}"),
    failure("401 Unauthorized", '{"code":16, "message":"etcdserver: invalid auth token"}', [
      "WWW-Authenticate: etcdserver: invalid auth token",
    ]),
  );
});

test("paths and methods that do not exist", async () => {
  const missing = failure("404 Not Found", '{"code":5, "message":"Not Found"}');
  const wrong = failure("501 Not Implemented", '{"code":12, "message":"Method Not Allowed"}');
  for (const path of ["/v3/nosuch", "/v3/kv", "/v3/kv/range/", "/v3/KV/range", "/v3/%zz"]) {
    assert.equal(await roundTrip(`POST ${path}`, "{}"), missing, path);
  }
  assert.equal(await roundTrip("GET /v3/kv/put", ""), wrong);
  assert.equal(await roundTrip("PUT /v3/kv/put", "{}"), wrong);
  const head = await roundTrip("HEAD /v3/kv/put", "");
  assert.deepEqual(head.split("\r\n").sort(), wrong.replace(/\{.*/, "").split("\r\n").sort());
  for (const path of ["/", "/v3", "/v4/kv/range", "/v3alpha/kv/range", "/etcdserverpb.KV/Range"]) {
    assert.match(await roundTrip(`POST ${path}`, "{}"), /^HTTP\/1.1 418 /, path);
  }
  assert.match(
    await roundTrip("POST /v3/kv/txn", "{}"),
    /^HTTP\/1.1 501 .*\{"code":12, "message":"unknown method Txn for service etcdserverpb.KV"\}$/s,
  );
  assert.match(
    await roundTrip("POST /v3/lock/lock", "{}"),
    /^HTTP\/1.1 501 .*\{"code":12, "message":"unknown service v3lockpb.Lock"\}$/s,
  );
});

test("bodies that are no message", async () => {
  const expectations: readonly (readonly [string, string | Uint8Array])[] = [
    ["unexpected EOF", "{"],
    ["invalid character 'o' in literal null (expecting 'u')", "nonsense"],
    ["proto:\u00a0syntax error (line 1:1): unexpected token [", "[]"],
    ['proto:\u00a0(line 1:8): invalid value for bytes field key: \\"!!!\\"', '{"key":"!!!"}'],
    [
      "proto:\u00a0syntax error (line 1:8): invalid UTF-8 in string",
      Uint8Array.from([...Buffer.from('{"key":"Zm9v'), 0xff, 0x22, 0x7d]),
    ],
    ["unexpected EOF", Uint8Array.from([...Buffer.from('{"key":"'), 0xff])],
  ];
  for (const [message, body] of expectations) {
    assert.equal(
      await roundTrip("POST /v3/kv/put", body),
      failure("400 Bad Request", `{"code":3, "message":"${message}"}`),
    );
  }
  const answer = await roundTrip("POST /v3/kv/put", '{"key":"AA"} trailing');
  assert.match(answer, /^HTTP\/1.1 200 /);
});

test("requests that are too large", async () => {
  const long = (bytes: number): string => `{"key":"${"A".repeat(bytes)}"}`;
  assert.match(await roundTrip("POST /v3/kv/put", long(1320)), /^HTTP\/1.1 200 /);
  assert.equal(
    await roundTrip("POST /v3/kv/put", long(1332)),
    failure(
      "429 Too Many Requests",
      '{"code":8, "message":"grpc: received message larger than max (1002 vs. 1000)"}',
    ),
  );
  const client = new RawClient();
  client.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  client.send(long(5000));
  const answer = await client.untilClosed();
  assert.match(answer, /^HTTP\/1.1 429 .*\r\nConnection: close\r\n.*larger than max/s);
});

test("metadata comes from headers", async () => {
  const headers =
    "Authorization: abc\r\nGrpc-Metadata-Token: t\r\n" +
    "Grpc-Metadata-Hasleader: true\r\nUser-Agent: u\r\n";
  await roundTrip("POST /v3/kv/put", '{"key":"AA"}', headers);
  assert.deepEqual(lastMetadata, {
    token: "t",
    authorization: "abc",
    hasleader: "true",
    "grpcgateway-user-agent": "u",
  });
  assert.equal(gatewayMetadata({ token: "x" }, "token"), undefined);
});

test("a stream of one answer per value of the body", async () => {
  const result = (id: number): string =>
    `{"result":{"header":${HEADER_COMPACT},"ID":"${id}","TTL":"5"}}`;
  const expected = response(
    "200 OK",
    [JSON_TYPE, METADATA, ...CHUNKED],
    chunks(result(7), result(8)),
  );
  // What follows a value that cannot be read is not looked at.
  for (const body of ['{"ID":7}{"ID":"8"}', '{"ID":7}\n{"ID":8} x {"ID":9}']) {
    assert.equal(await roundTrip("POST /v3/lease/keepalive", body), expected);
  }
});

test("after a stream the connection takes the next request", async () => {
  const client = new RawClient();
  const head = "POST /v3/lease/keepalive HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n";
  for (let i = 0; i < 2; i++) {
    client.send(head);
    client.send('{"ID":7}');
    const received = await client.until(
      (bytes) => bytes.toString().split("\r\n0\r\n\r\n").length === i + 2,
    );
    assert.doesNotMatch(received.toString(), /connection|keep-alive/i);
  }
  client.destroy();
});

test("a stream answers while requests still come, and ends when the client goes", async () => {
  log.length = 0;
  const client = new RawClient();
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  client.send("POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await noted("watch opened");
  client.send(chunk('{"create_request":{"watch_id":'));
  client.send(chunk('"7","key":"AA"}}'));
  const first = await client.untilText('"created":true}}');
  assert.match(first, /^HTTP\/1.1 200 OK\r\n/);
  assert.ok(
    first.includes(`{"result":{"header":${HEADER_COMPACT},"watch_id":"7","created":true}}`),
  );
  client.send(chunk('{"create_request":{"watch_id":8}}'));
  await client.untilText('"watch_id":"8"');
  assert.ok(!log.includes("watch half closed"));
  client.send("0\r\n\r\n");
  await noted("watch half closed");
  assert.equal(watchCall!.isCancelled, false);
  client.destroy();
  await noted("watch cancelled true");
});

test("a server that stops tells its streams, and nobody twice", async () => {
  log.length = 0;
  const client = new RawClient();
  const body = '{"create_request":{"key":"AA"}}';
  const head = "POST /v3/watch HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  client.send(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  await client.untilText('"created":true}}');
  gateway.cut();
  gateway.cut();
  const all = await client.untilClosed();
  const last = '{"error":{"code":14,"message":"error reading from server: EOF"}}\n';
  assert.equal(all.split(last).length, 2);
  assert.ok(all.endsWith(`${last}\r\n0\r\n\r\n`));
  assert.ok(log.includes("watch cancelled true"));
});

test("errors of streams: a status before the first answer, the last chunk after it", async () => {
  log.length = 0;
  const early = '{"error":{"code":2,"message":"a \\"\\u003cquoted\\u003e\\" text"}}';
  assert.equal(
    await roundTrip("POST /v3/election/observe", "{}"),
    response("500 Internal Server Error", [JSON_TYPE, ...CHUNKED], chunks(early)),
  );
  const late = await roundTrip("POST /v3/watch", '{"create_request":{}}{"cancel_request":{}}');
  const created = `{"result":{"header":${HEADER_COMPACT},"created":true}}`;
  const canceled = '{"error":{"code":1,"message":"etcdserver: watch canceled"}}';
  assert.equal(
    late,
    response("200 OK", [JSON_TYPE, METADATA, ...CHUNKED], chunks(created, canceled)),
  );
  assert.ok(!log.some((line) => line.includes("cancelled")), "who ended the call needs no telling");
});

test("a stream of the server's only", async () => {
  log.length = 0;
  assert.equal(
    await roundTrip("POST /v3/maintenance/snapshot", ""),
    response(
      "200 OK",
      [JSON_TYPE, METADATA, ...CHUNKED],
      chunks('{"result":{"remaining_bytes":"3","blob":"AQI="}}', '{"result":{"blob":"Aw=="}}'),
    ),
  );
  assert.match(await roundTrip("POST /v3/maintenance/snapshot", "{"), /^HTTP\/1.1 400 .*EOF/s);
  assert.deepEqual(log, []);
});

test("time limits", async () => {
  assert.equal(parseGatewayTimeout("5S"), 5000);
  assert.equal(parseGatewayTimeout("-3m"), -3);
  assert.equal(parseGatewayTimeout("250u"), 0.25);
  assert.equal(
    await roundTrip("POST /v3/kv/range", "{}", "Grpc-Timeout: bad\r\n"),
    failure("400 Bad Request", '{"code":3, "message":"invalid grpc-timeout: bad"}'),
  );
  log.length = 0;
  clock.tasks.length = 0;
  const answer = roundTrip("POST /v3/watch", '{"create_request":{}}', "Grpc-Timeout: 500m\r\n");
  await noted("watch half closed");
  assert.deepEqual(
    clock.tasks.map(({ delayMs, isCancelled }) => [delayMs, isCancelled]),
    [[500, false]],
  );
  clock.tasks[0]!.task();
  assert.ok(log.includes("watch cancelled true"));
  assert.ok(
    (await answer).includes('{"error":{"code":4,"message":"context deadline exceeded"}}\n'),
  );
  clock.tasks.length = 0;
  await roundTrip("POST /v3/kv/put", '{"key":"AA"}', "Grpc-Timeout: 1H\r\n");
  assert.equal(clock.tasks[0]!.isCancelled, true);
});

// ---- WebSocket --------------------------------------------------------------------------------

function clientFrame(opcode: number, payload: string | Uint8Array, isFinal = true): Buffer {
  const body = Buffer.from(payload as string);
  const mask = Uint8Array.of(1, 2, 3, 4);
  const head = Buffer.alloc(body.length < 126 ? 2 : 4);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = 0x80 | Math.min(body.length, 126);
  if (body.length >= 126) head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, mask, body.map((byte, i) => byte ^ mask[i & 3]!)]);
}

async function openSocket(path: string, headers = ""): Promise<[RawClient, string]> {
  const client = new RawClient();
  client.send(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`,
  );
  return [client, await client.untilText("\r\n\r\n")];
}

/** Frames of the server, as [opcode, text]. */
function framesOf(received: Buffer): [number, string][] {
  const frames: [number, string][] = [];
  let at = received.indexOf("\r\n\r\n") + 4;
  while (at + 2 <= received.length) {
    let length = received[at + 1]!;
    let start = at + 2;
    if (length === 126) {
      length = received.readUInt16BE(start);
      start += 2;
    }
    if (start + length > received.length) break;
    const isText = (received[at]! & 0x0f) === 1;
    const payload = received.subarray(start, start + length);
    frames.push([received[at]! & 0x0f, payload.toString(isText ? "utf8" : "hex")]);
    at = start + length;
  }
  return frames;
}

test("WebSocket: a watch with its messages in frames, pings answered", async () => {
  log.length = 0;
  const [client, head] = await openSocket("/v3/watch");
  const accept = createHash("sha1")
    .update("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    .digest("base64");
  assert.ok(head.startsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  assert.ok(head.includes(`\r\nSec-WebSocket-Accept: ${accept}\r\n`));
  client.send(clientFrame(1, '{"create_request":', false));
  client.send(clientFrame(9, "hi"));
  client.send(clientFrame(0, `{"watch_id":3,"key":"${"A".repeat(200)}"}}`));
  const created = `{"result":{"header":${HEADER_COMPACT},"watch_id":"3","created":true}}`;
  const received = await client.until((bytes) => framesOf(bytes).length === 2);
  assert.deepEqual(framesOf(received), [
    [10, "6869"],
    [1, created],
  ]);
  client.send(clientFrame(8, Uint8Array.of(3, 232)));
  await noted("watch cancelled true");
  await client.untilClosed();
});

test("WebSocket: a unary call ends with its answer; the token is a sub-protocol", async () => {
  const [client, head] = await openSocket(
    "/v3/kv/put",
    "Sec-WebSocket-Protocol: Bearer, tok.1\r\n",
  );
  assert.ok(head.includes("\r\nSec-WebSocket-Protocol: Bearer\r\n"));
  client.send(clientFrame(1, '{"key":"AA"}'));
  await client.untilClosed();
  assert.deepEqual(framesOf(await client.until(() => true)), [
    [1, `{"header":${HEADER_JSON}}`],
    [8, "03e8"],
  ]);
  assert.equal(lastMetadata.authorization, "Bearer tok.1");
});

test("WebSocket: bad JSON, broken frames, refused handshakes", async () => {
  const [client] = await openSocket("/v3/kv/put");
  client.send(clientFrame(1, "nonsense"));
  await client.untilClosed();
  const [first] = framesOf(await client.until(() => true));
  assert.match(first![1], /^\{"code":3, "message":"invalid character 'o' in literal null/);

  const broken: readonly Uint8Array[] = [
    Uint8Array.of(0x81, 0x01, 0x61), // not masked
    clientFrame(3, "x"), // unknown opcode
    clientFrame(0, "x"), // continuation of nothing
    clientFrame(9, "x", false), // a ping in parts
    Uint8Array.of(0xc1, 0x80, 0, 0, 0, 0), // a reserved bit
  ];
  for (const bytes of broken) {
    log.length = 0;
    const [bad] = await openSocket("/v3/watch");
    bad.send(bytes);
    await noted("watch cancelled true");
    await bad.untilClosed();
    assert.deepEqual(framesOf(await bad.until(() => true)), [[8, "03ea"]]);
  }
  const [lost] = await openSocket("/v3/nosuch");
  await lost.untilClosed();
  assert.deepEqual(framesOf(await lost.until(() => true))[0], [
    1,
    '{"code":5, "message":"Not Found"}',
  ]);
  const [, refused] = await openSocket("/v3/watch", "Sec-WebSocket-Version: 12\r\n");
  assert.match(refused, /^HTTP\/1.1 400 /);
});
