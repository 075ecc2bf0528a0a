import assert from "node:assert/strict";
import { type ClientHttp2Session, connect } from "node:http2";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { grpcHeaders, message, RawClient } from "../../test/net/raw-client.ts";
import { TestServer } from "../../test/net/test-server.ts";
import { CODE_COUNT } from "./grpc-metrics.ts";

const MESSAGE_BYTES_MAX = 100_000;
const target = new TestServer({ limits: { messageBytesMax: MESSAGE_BYTES_MAX } });
let address = "";
let session: ClientHttp2Session;

before(async () => {
  address = await target.listen();
  session = connect(`http://${address}`);
});

after(async () => {
  session.close();
  await target.close();
});

interface Answer {
  readonly head: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: Buffer;
}

interface Request {
  readonly path: string;
  readonly headers?: Record<string, string>;
  /** Written one by one. */
  readonly chunks?: readonly Uint8Array[];
}

/** A call by an independent implementation of HTTP/2. */
function call(request: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": request.path,
      "content-type": "application/grpc",
      te: "trailers",
      ...request.headers,
    });
    let head: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    const body: Buffer[] = [];
    stream.on("response", (fields) => {
      head = fields;
    });
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => resolve({ head, trailers, body: Buffer.concat(body) }));
    for (const chunk of request.chunks ?? []) stream.write(chunk);
    stream.end();
  });
}

/** "code message" of an answer with or without a body. */
function status(answer: Answer): string {
  const fields = { ...answer.head, ...answer.trailers };
  return `${fields["grpc-status"]} ${decodeURIComponent(String(fields["grpc-message"] ?? ""))}`;
}

test("a unary call is answered with head, message and trailers", async () => {
  const answer = await call({ path: "/test.T/Echo", chunks: [message(Buffer.from("hello"))] });
  assert.equal(answer.head[":status"], 200);
  assert.equal(answer.head["content-type"], "application/grpc");
  assert.deepEqual(answer.body, message(Buffer.from("hello")));
  assert.equal(answer.trailers["grpc-status"], "0");
});

test("an empty message is a message", async () => {
  const answer = await call({ path: "/test.T/Echo", chunks: [message(Buffer.alloc(0))] });
  assert.deepEqual(answer.body, message(Buffer.alloc(0)));
});

test("a message may come in any pieces", async () => {
  const body = Buffer.from("a message that is cut");
  const whole = message(body);
  for (let cut = 1; cut < whole.length; cut += 3) {
    const chunks = [whole.subarray(0, cut), whole.subarray(cut)];
    const answer = await call({ path: "/test.T/Echo", chunks });
    assert.deepEqual(answer.body, whole, `cut at ${cut}`);
  }
});

test("large messages pass in both directions", async () => {
  const body = Buffer.alloc(MESSAGE_BYTES_MAX, 0x62);
  const answer = await call({ path: "/test.T/Echo", chunks: [message(body)] });
  assert.equal(answer.trailers["grpc-status"], "0");
  assert.ok(answer.body.equals(message(body)));
});

test("a message sent in pieces is one message", async () => {
  for (const [count, sizeBytes] of [
    [1, 1],
    [3, 70],
    [200, 90_000],
  ] as const) {
    const body = Buffer.alloc(sizeBytes, 0x63);
    body[0] = count;
    const answer = await call({ path: "/test.T/Pieces", chunks: [message(body)] });
    const whole = Buffer.concat(Array.from({ length: count }, () => body));
    assert.equal(answer.trailers["grpc-status"], "0");
    assert.ok(answer.body.equals(message(whole)), `${count} pieces of ${sizeBytes}`);
  }
});

test("an error has code and percent-encoded text, and no body", async () => {
  const answer = await call({ path: "/test.T/Fail", chunks: [message(Buffer.from("x"))] });
  assert.equal(answer.head["grpc-message"], "etcdserver: n%C3%B6 100%25");
  assert.equal(status(answer), "5 etcdserver: nö 100%");
  assert.equal(answer.body.length, 0);
});

test("unknown services and methods are told apart", async () => {
  const texts: Record<string, string> = {
    "/test.T/Nope": "12 unknown method Nope for service test.T",
    "/no.Such/Echo": "12 unknown service no.Such",
    "/a/b/c": "12 unknown service a/b",
    "/nonsense": '12 malformed method name: "/nonsense"',
  };
  for (const [path, text] of Object.entries(texts)) {
    assert.equal(status(await call({ path, chunks: [message(Buffer.alloc(1))] })), text);
  }
});

test("a wrong content type for a gRPC path is 415", async () => {
  for (const type of ["text/plain", "application/grpcx", "application/json"]) {
    const answer = await call({ path: "/test.T/Echo", headers: { "content-type": type } });
    assert.equal(answer.head[":status"], 415);
    assert.equal(status(answer), `3 invalid gRPC request content-type "${type}"`);
  }
  for (const type of ["application/grpc+proto", "application/grpc; charset=utf-8"]) {
    const chunks = [message(Buffer.from("x"))];
    const answer = await call({ path: "/test.T/Echo", headers: { "content-type": type }, chunks });
    assert.equal(status(answer), "0 ");
  }
});

test("a method other than POST is 405", async () => {
  const answer = await call({ path: "/test.T/Echo", headers: { ":method": "PUT" } });
  assert.equal(answer.head[":status"], 405);
  const text = '13 Received a HEADERS frame with :method "PUT" which should be POST';
  assert.equal(status(answer), text);
});

test("a message above the limit is refused by its prefix", async () => {
  const prefix = message(Buffer.alloc(MESSAGE_BYTES_MAX + 1)).subarray(0, 100);
  const answer = await call({ path: "/test.T/Echo", chunks: [prefix] });
  const text = "8 grpc: received message larger than max (100001 vs. 100000)";
  assert.equal(status(answer), text);
});

test("gzip requests are understood, and nothing else is", async () => {
  const body = Buffer.from("squeeze ".repeat(100));
  const gzip = { "grpc-encoding": "gzip" };
  const path = "/test.T/Echo";
  const good = await call({ path, headers: gzip, chunks: [message(gzipSync(body), 1)] });
  assert.deepEqual(good.body, message(body));
  // With the encoding announced a message may still be sent as it is.
  const plain = await call({ path, headers: gzip, chunks: [message(body)] });
  assert.deepEqual(plain.body, message(body));
  const snappy = { "grpc-encoding": "snappy" };
  const unknown = await call({ path, headers: snappy, chunks: [message(body, 1)] });
  const text = '12 grpc: Decompressor is not installed for grpc-encoding "snappy"';
  assert.equal(status(unknown), text);
  const silent = await call({ path, chunks: [message(gzipSync(body), 1)] });
  assert.equal(status(silent), "13 grpc: compressed flag set with identity or empty encoding");
  const broken = await call({ path, headers: gzip, chunks: [message(body, 1)] });
  assert.match(status(broken), /^13 grpc: failed to decompress the message: /);
  const strange = await call({ path, chunks: [message(body, 2)] });
  assert.equal(status(strange), "13 grpc: received unexpected payload format 2");
});

test("a gzip bomb is cut off at the message limit", async () => {
  const bomb = gzipSync(Buffer.alloc(MESSAGE_BYTES_MAX * 500));
  assert.ok(bomb.length < MESSAGE_BYTES_MAX);
  const headers = { "grpc-encoding": "gzip" };
  const answer = await call({ path: "/test.T/Echo", headers, chunks: [message(bomb, 1)] });
  const text = "8 grpc: received message after decompression larger than max 100000";
  assert.equal(status(answer), text);
});

test("a call that ends without its message fails", async () => {
  assert.equal(status(await call({ path: "/test.T/Echo" })), "2 EOF");
  const half = message(Buffer.alloc(10)).subarray(0, 9);
  assert.equal(status(await call({ path: "/test.T/Echo", chunks: [half] })), "13 unexpected EOF");
});

test("timeouts: malformed, zero and passed", async () => {
  const path = "/test.T/Hold";
  const chunks = [message(Buffer.from("x"))];
  const malformed = await call({ path, headers: { "grpc-timeout": "5x" }, chunks });
  assert.equal(malformed.head[":status"], 400);
  const text = 'transport: timeout unit is not recognized: "5x"';
  assert.equal(status(malformed), `13 malformed grpc-timeout: ${text}`);
  const zero = await call({ path, headers: { "grpc-timeout": "0m" }, chunks });
  assert.equal(status(zero), "4 context deadline exceeded");

  const held = target.held.length;
  let isDone = false;
  const pending = call({ path, headers: { "grpc-timeout": "5S" }, chunks });
  pending.then(() => {
    isDone = true;
  });
  await target.until(() => target.held.length > held);
  target.clock.advance(4900);
  const one = target.held.at(-1)!;
  assert.equal(one.isCancelled, false);
  target.clock.advance(200);
  assert.equal(one.isCancelled, true);
  assert.equal(status(await pending), "4 context deadline exceeded");
  assert.equal(isDone, true);
  // Too late: dropped.
  one.reserve(10);
  one.send();
  one.fail(failureOf());
});

function failureOf(): never {
  return { code: 2, message: "too late" } as never;
}

test("metadata and addresses are there when asked for", async () => {
  const held = target.held.length;
  const headers = { token: "secret", hasleader: "true", "client-api-version": "3.7" };
  const path = "/test.T/Hold";
  const pending = call({ path, headers, chunks: [message(Buffer.from("x"))] });
  await target.until(() => target.held.length > held);
  const one = target.held.at(-1)!;
  assert.equal(one.metadata("token"), "secret");
  assert.equal(one.metadata("hasleader"), "true");
  assert.equal(one.metadata(":authority"), address);
  assert.equal(one.metadata("content-type"), undefined);
  assert.equal(one.metadata("absent"), undefined);
  assert.match(one.remoteAddress, /^127\.0\.0\.1:\d+$/);
  assert.equal(one.transport, "grpc");
  const at = one.reserve(1);
  one.buffer[at] = 0x79;
  one.send();
  target.server.flush();
  assert.deepEqual((await pending).body, message(Buffer.from("y")));
});

test("answers of a later turn need no flush", async () => {
  const held = target.held.length;
  const pending = call({ path: "/test.T/Hold", chunks: [message(Buffer.from("x"))] });
  await target.until(() => target.held.length > held);
  target.held.at(-1)!.reserve(0);
  target.held.at(-1)!.send();
  assert.equal(status(await pending), "0 ");
});

test("server streams", async () => {
  const answer = await call({ path: "/test.T/Count", chunks: [message(Buffer.from([3]))] });
  const expected = [0, 1, 2].map((one) => message(Buffer.from([one])));
  assert.deepEqual(answer.body, Buffer.concat(expected));
  assert.equal(answer.trailers["grpc-status"], "0");
  const none = await call({ path: "/test.T/Count", chunks: [message(Buffer.from([0]))] });
  assert.equal(none.body.length, 0);
  assert.equal(status(none), "0 ");
});

test("bidirectional streams: open, messages in pieces and together, end", async () => {
  target.events.length = 0;
  const two = Buffer.concat([message(Buffer.from("one")), message(Buffer.from("three"))]);
  const chunks = [two, two.subarray(0, 6), two.subarray(6)];
  const answer = await call({ path: "/test.T/Bidi", chunks });
  assert.deepEqual(answer.body, Buffer.concat([two, two]));
  const messages = ["message 3", "message 5", "message 3", "message 5"];
  assert.deepEqual(target.events, ["open", ...messages, "end"]);
});

test("a bidirectional stream carries more than its first window", async () => {
  const chunks = Array.from({ length: 30 }, () => message(Buffer.alloc(10_000, 0x63)));
  const answer = await call({ path: "/test.T/Bidi", chunks });
  assert.equal(answer.body.length, 30 * 10_005);
});

test("RST_STREAM cancels streams and unary calls", async () => {
  target.events.length = 0;
  const held = target.held.length;
  const client = new RawClient(address).hello();
  client.call(1, "/test.T/Hold", Buffer.from("x"));
  client.send(client.headers(3, grpcHeaders("/test.T/Bidi")));
  client.send(client.data(3, message(Buffer.from("x"))));
  await target.until(() => target.held.length > held && target.events.length === 2);
  client.send(client.reset(1, 8), client.reset(3, 8));
  await target.until(() => target.held.at(-1)!.isCancelled && target.events.length === 3);
  assert.deepEqual(target.events, ["open", "message 1", "cancel"]);
  target.streams.at(-1)!.reserve(1);
  target.streams.at(-1)!.sendMessage();
  target.streams.at(-1)!.end();
  client.destroy();
});

test("a lost connection cancels its calls", async () => {
  const client = new RawClient(address).hello();
  const held = target.held.length;
  client.call(1, "/test.T/Hold", Buffer.from("x"));
  await target.until(() => target.held.length > held);
  client.destroy();
  await target.until(() => target.held.at(-1)!.isCancelled);
});

test("answers of one turn share one write, in order", async () => {
  const client = new RawClient(address).hello();
  const requests: Buffer[] = [];
  for (let id = 1; id < 20; id += 2) {
    requests.push(client.headers(id, grpcHeaders("/test.T/Echo")));
    requests.push(client.data(id, message(Buffer.from([id])), true));
  }
  client.send(...requests);
  await client.until(() => client.frames.filter(({ type }) => type === 0).length === 10);
  const order = client.frames.filter(({ type }) => type === 0).map(({ streamId }) => streamId);
  assert.deepEqual(order, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  client.destroy();
});

test("messages and codes are counted by method", () => {
  const metrics = target.server.grpcMetrics;
  const index = metrics.methods.findIndex(({ method }) => method === "Fail");
  assert.equal(metrics.methods[index]!.service, "test.T");
  assert.equal(metrics.methods[index]!.type, "unary");
  assert.equal(metrics.started[index], 1);
  assert.equal(metrics.messagesReceived[index], 1);
  assert.equal(metrics.messagesSent[index], 0);
  assert.equal(metrics.handled[index * CODE_COUNT + 5], 1);
  const bidi = metrics.methods.findIndex(({ method }) => method === "Bidi");
  assert.equal(metrics.methods[bidi]!.type, "bidi_stream");
  assert.equal(metrics.messagesReceived[bidi], 35);
  assert.equal(metrics.messagesSent[bidi], 35);
  assert.equal(metrics.handled[bidi * CODE_COUNT + 1], 1, "one was cancelled");
  assert.ok(metrics.receivedBytes.value > MESSAGE_BYTES_MAX);
  assert.ok(metrics.sentBytes.value > MESSAGE_BYTES_MAX);
});

test("no connection was ended for anything above", () => {
  assert.equal(
    target.server.goAwayCounts.reduce((sum, count) => sum + count),
    0,
  );
});
