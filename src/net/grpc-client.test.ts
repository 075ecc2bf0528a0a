import assert from "node:assert/strict";
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { after, test } from "node:test";
import { Code, RpcError } from "../wire/status.ts";
import { Channel, type ChannelOptions } from "./grpc-client.ts";
import {
  CONTEXT_CANCELED,
  CONTEXT_DEADLINE_EXCEEDED,
  frame,
  timeoutHeader,
  Unprocessed,
} from "./grpc-client-call.ts";
import { dialErrorText } from "./grpc-client-errors.ts";

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

interface Peer {
  port: number;
  server: Http2Server;
  sessions: ServerHttp2Session[];
}

async function serve(handle: Handler): Promise<Peer> {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    handle(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, sessions };
}

const grpc = { ":status": 200, "content-type": "application/grpc" };

/** Answers with messages and a status. */
function answer(messages: Uint8Array[], status = 0, text = ""): Handler {
  return (stream) => {
    stream.respond(grpc, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      stream.sendTrailers({ "grpc-status": String(status), "grpc-message": encodeURI(text) });
    });
    for (const message of messages) stream.write(frame(message));
    stream.end();
    stream.resume();
  };
}

function open(port: number, more: Partial<ChannelOptions> = {}): Channel {
  const channel = new Channel({
    address: { kind: "tcp", host: "127.0.0.1", port },
    authority: `127.0.0.1:${port}`,
    keepaliveTimeMs: 0,
    keepaliveTimeoutMs: 1000,
    sendBytesMax: 1 << 20,
    receiveBytesMax: 1 << 20,
    userAgent: "test",
    ...more,
  });
  closers.push(() => channel.close());
  return channel;
}

async function reach(channel: Channel, state: Channel["state"]): Promise<void> {
  const reached = new Promise<void>((resolve) => {
    channel.onChange(() => {
      if (channel.state === state) resolve();
    });
  });
  channel.connect();
  if (channel.state !== state) await reached;
}

async function ready(handle: Handler, more: Partial<ChannelOptions> = {}): Promise<Channel> {
  const channel = open((await serve(handle)).port, more);
  await reach(channel, "ready");
  return channel;
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof RpcError);
    return error;
  }
  return assert.fail("the call succeeded");
}

const hello = Buffer.from("hello");

test("a unary call sends one framed message and returns the answer", async () => {
  let seen: IncomingHttpHeaders = {};
  const parts: Buffer[] = [];
  const channel = await ready((stream, headers) => {
    seen = headers;
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => answer([Buffer.from("world")])(stream, headers));
  });
  const options = { metadata: { token: "t" }, timeoutMs: 2500 };
  const bytes = await channel.unary("/a.B/C", hello, options);
  assert.equal(Buffer.from(bytes).toString(), "world");
  assert.deepEqual(Buffer.concat(parts), Buffer.from("\0\0\0\0\x05hello", "latin1"));
  assert.equal(seen[":path"], "/a.B/C");
  assert.equal(seen[":authority"], `${channel.peer?.remote}`);
  assert.equal(seen["content-type"], "application/grpc");
  const { te, token } = seen;
  assert.deepEqual([te, token], ["trailers", "t"]);
  assert.equal(seen["grpc-timeout"], "2500m");
});

test("a status is an error with its decoded text", async () => {
  const channel = await ready(answer([], Code.NotFound, "żółć 100%"));
  const error = await failure(channel.unary("/x", hello, {}));
  assert.deepEqual([error.code, error.message], [Code.NotFound, "żółć 100%"]);
});

test("a status in the only block of headers counts, too", async () => {
  const channel = await ready((stream) => {
    stream.respond({ ...grpc, "grpc-status": "5", "grpc-message": "gone" }, { endStream: true });
  });
  assert.equal((await failure(channel.unary("/x", hello, {}))).message, "gone");
});

test("answers that are not gRPC", async () => {
  const html = await ready((stream) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("hi");
  });
  const error = await failure(html.unary("/x", hello, {}));
  assert.deepEqual(
    [error.code, error.message],
    [Code.Unknown, 'received unexpected content-type "text/html"'],
  );
  const proxy = await ready((stream) => stream.respond({ ":status": 503 }, { endStream: true }));
  assert.equal((await failure(proxy.unary("/x", hello, {}))).code, Code.Unavailable);
});

test("sizes are limited in both directions", async () => {
  const channel = await ready(answer([new Uint8Array(70)]), {
    sendBytesMax: 100,
    receiveBytesMax: 20,
  });
  const large = await failure(channel.unary("/x", new Uint8Array(208), {}));
  assert.equal(large.code, Code.ResourceExhausted);
  assert.equal(large.message, "trying to send message larger than max (208 vs. 100)");
  const received = await failure(channel.unary("/x", hello, {}));
  assert.equal(received.message, "grpc: received message larger than max (70 vs. 20)");
});

test("time and cancellation end a call", async () => {
  const resets: number[] = [];
  const channel = await ready((stream) => {
    stream.on("close", () => resets.push(stream.rstCode));
  });
  assert.equal(
    await failure(channel.unary("/x", hello, { timeoutMs: 20 })),
    CONTEXT_DEADLINE_EXCEEDED,
  );
  const controller = new AbortController();
  const call = channel.unary("/x", hello, { signal: controller.signal });
  controller.abort();
  assert.equal(await failure(call), CONTEXT_CANCELED);
  assert.equal(
    await failure(channel.unary("/x", hello, { timeoutMs: 0 })),
    CONTEXT_DEADLINE_EXCEEDED,
  );
});

test("a stream carries messages both ways until its status", async () => {
  const channel = await ready((stream) => {
    stream.respond(grpc, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("data", (part: Buffer) => stream.write(part));
    stream.on("end", () => stream.end());
  });
  const stream = channel.stream("/x", {});
  for (const text of ["a", "", "ccc"]) {
    stream.send(Buffer.from(text));
    const echo = await stream.next();
    assert.equal(Buffer.from(echo ?? []).toString(), text);
  }
  stream.end();
  assert.equal(await stream.next(), undefined);
  assert.equal(await stream.next(), undefined);
});

test("many messages in one chunk and one message in many chunks arrive whole", async () => {
  const big = Buffer.alloc(200_000, 7);
  const count = 500;
  const small = Array.from({ length: count }, (_, i) => Buffer.from(String(i)));
  const channel = await ready(answer([big, ...small]));
  const stream = channel.stream("/x", {});
  stream.end();
  assert.deepEqual(Buffer.from((await stream.next()) ?? []), big);
  for (let i = 0; i < count; i++) {
    assert.equal(Buffer.from((await stream.next()) ?? []).toString(), String(i));
  }
  assert.equal(await stream.next(), undefined);
});

test("a refused stream was not processed, a reset one may have been", async () => {
  let reset = 7;
  const channel = await ready((stream) => stream.close(reset));
  await assert.rejects(channel.unary("/x", hello, {}), (error) => error instanceof Unprocessed);
  reset = 2;
  const error = await failure(channel.unary("/x", hello, {}));
  assert.equal(error.code, Code.Internal);
  assert.match(error.message, /RST_STREAM with error code: INTERNAL_ERROR/);
});

test("a server that gives up at the deadline is our own deadline", async () => {
  const channel = await ready((stream) => stream.close(8));
  assert.equal(
    await failure(channel.unary("/x", hello, { timeoutMs: 15 })),
    CONTEXT_DEADLINE_EXCEEDED,
  );
  const early = await failure(channel.unary("/x", hello, { timeoutMs: 60_000 }));
  assert.deepEqual([early.code, early === CONTEXT_DEADLINE_EXCEEDED], [Code.Canceled, false]);
});

test("a lost connection makes its calls Unavailable, and is renewed", async () => {
  const peer = await serve((stream, headers) => {
    if (headers[":path"] === "/lose") peer.sessions[0]?.destroy();
    else answer([hello])(stream, headers);
  });
  const channel = open(peer.port);
  await reach(channel, "ready");
  const error = await failure(channel.unary("/lose", hello, {}));
  assert.equal(error.code, Code.Unavailable);
  assert.match(error.message, /^error reading from server: /);
  if (channel.state !== "ready") await reach(channel, "ready");
  assert.deepEqual(Buffer.from(await channel.unary("/x", hello, {})), hello);
});

test("after GOAWAY calls under way end well, and new ones go to a new connection", async () => {
  const held: ServerHttp2Stream[] = [];
  const peer = await serve((stream) => held.push(stream));
  const channel = open(peer.port);
  await reach(channel, "ready");
  const call = channel.unary("/x", hello, {});
  while (held.length === 0) await new Promise(setImmediate);
  const renewed = new Promise<void>((resolve) => {
    channel.onChange(() => {
      if (channel.state === "ready") resolve();
    });
  });
  peer.sessions[0]?.goaway();
  await renewed;
  assert.equal(peer.sessions.length, 2);
  answer([hello])(held[0]!, {});
  assert.deepEqual(Buffer.from(await call), hello);
});

test("a call on a channel that is not ready was not processed", () => {
  const channel = open(1);
  assert.throws(
    () => channel.stream("/x", {}),
    (error) => error instanceof Unprocessed,
  );
});

test("failed attempts are told in the words of Go's dialer", async () => {
  const plain = createPlainServer();
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as AddressInfo;
  await new Promise((resolve) => plain.close(resolve));
  const refused = open(port);
  await reach(refused, "failed");
  assert.equal(
    refused.lastError,
    `Error while dialing: dial tcp 127.0.0.1:${port}: connect: connection refused`,
  );
  const bad = open(0, { address: { kind: "bad", reason: "missing port in address" } });
  await reach(bad, "failed");
  assert.equal(bad.lastError, "missing port in address");
  const unix = open(0, { address: { kind: "unix", path: "/nosuch.sock" } });
  await reach(unix, "failed");
  assert.equal(
    unix.lastError,
    "Error while dialing: dial unix /nosuch.sock: connect: no such file or directory",
  );
});

test("errors of TLS are told in the words of Go's", () => {
  const address = { kind: "tcp", host: "10.0.0.1", port: 1 } as const;
  const textOf = (code: string, more: object = {}): string =>
    dialErrorText(Object.assign(new Error("openssl's words"), { code, ...more }), address);
  const handshake = "authentication handshake failed: ";
  const unverified = `${handshake}tls: failed to verify certificate: x509: `;
  assert.equal(
    textOf("SELF_SIGNED_CERT_IN_CHAIN"),
    `${unverified}certificate signed by unknown authority`,
  );
  assert.equal(
    textOf("CERT_HAS_EXPIRED"),
    `${unverified}certificate has expired or is not yet valid`,
  );
  const cert = { subjectaltname: "DNS:localhost, IP Address:127.0.0.1" };
  assert.equal(
    textOf("ERR_TLS_CERT_ALTNAME_INVALID", { host: "10.0.0.1", cert }),
    `${unverified}certificate is valid for localhost, 127.0.0.1, not 10.0.0.1`,
  );
  assert.equal(
    textOf("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    `${handshake}remote error: tls: certificate required`,
  );
  assert.equal(textOf("ENOTFOUND"), "Error while dialing: dial tcp: lookup 10.0.0.1: no such host");
  assert.equal(textOf("WHATEVER"), "openssl's words");
});

test("timeouts fit into eight digits", () => {
  assert.equal(timeoutHeader(0.001), "1u");
  assert.equal(timeoutHeader(999.5), "999500u");
  assert.equal(timeoutHeader(5000), "5000m");
  assert.equal(timeoutHeader(99_999_999), "99999999m");
  assert.equal(timeoutHeader(100_000_000), undefined);
});
