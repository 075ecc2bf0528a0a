import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { frame, grpcHeaders, message, RawClient } from "../../test/net/raw-client.ts";
import { TestServer } from "../../test/net/test-server.ts";
import { ErrorCode, Flag, FrameType, PREFACE, readUint32 } from "./frames.ts";
import { DRAIN_PING_TIMEOUT_MS, TICK_MS } from "./limits.ts";
import { bindAll } from "./listener.ts";
import { makeSelfCert, type PemPair } from "./self-cert.ts";
import type { ClientServerOptions } from "./server.ts";

let directory = "";
const day = 86_400_000;
const first = makeCert("first");

before(() => {
  directory = mkdtempSync(join(tmpdir(), "quorate-net-"));
});

after(() => rmSync(directory, { recursive: true }));

function makeCert(commonName: string): PemPair {
  const notBeforeMs = Date.now() - day;
  const hosts = ["127.0.0.1", "localhost", "::1"];
  return makeSelfCert({ hosts, notBeforeMs, notAfterMs: notBeforeMs + 3 * day, commonName });
}

function writeCert(pair: PemPair): { certFile: string; keyFile: string } {
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  writeFileSync(files.certFile, pair.cert);
  writeFileSync(files.keyFile, pair.key);
  return files;
}

/** A server that is closed with the test, however that ends. */
function serve(t: TestContext, options: Partial<ClientServerOptions> = {}): TestServer {
  const target = new TestServer(options);
  t.after(() => target.close());
  return target;
}

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function get(
  address: string,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  body = "",
): Promise<Reply> {
  const colon = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, colon), address.slice(colon + 1)];
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("latin1");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** GET over HTTP/2. */
function get2(url: string, path: string, ca?: string, method = "GET", body = ""): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url, ca === undefined ? {} : { ca });
    session.on("error", reject);
    const stream = session.request(
      { ":path": path, ":method": method },
      { endStream: body === "" },
    );
    let headers: Record<string, string | string[] | undefined> = {};
    let text = "";
    stream.on("response", (fields) => {
      headers = fields as typeof headers;
    });
    stream.setEncoding("latin1");
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve({ status: Number(headers[":status"]), headers, body: text });
    });
    if (body !== "") stream.end(body);
  });
}

test("one port serves HTTP/1.1 and both kinds of HTTP/2", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  const plain = await get(address, "/health?x=1");
  assert.equal(plain.status, 200);
  assert.equal(plain.body, '{"health":"true"}');
  assert.equal(plain.headers["content-type"], "application/json");
  assert.equal(plain.headers["access-control-allow-origin"], "*");
  const missing = await get(address, "/nothing");
  assert.equal(missing.status, 404);
  assert.equal(missing.body, "404 page not found\n");
  assert.equal(missing.headers["content-length"], "19");
  assert.equal(missing.headers["keep-alive"], undefined);
  const http2 = await get2(`http://${address}`, "/health");
  assert.equal(http2.status, 200);
  assert.equal(http2.body, '{"health":"true"}');
  const missing2 = await get2(`http://${address}`, "/nothing", undefined, "POST", "x".repeat(1000));
  assert.equal(missing2.status, 404);
  assert.equal(missing2.body, "404 page not found\n");
});

test("OPTIONS is answered, origins and hosts are checked", async (t) => {
  const access = { cors: ["http://good.example"], hostWhitelist: ["127.0.0.1", "etcd.example"] };
  const target = serve(t, { access });
  const address = await target.listen();
  const options = await get(address, "/anything", { origin: "http://good.example" }, "OPTIONS");
  assert.equal(options.status, 200);
  assert.equal(options.headers["access-control-allow-origin"], "http://good.example");
  const other = await get(address, "/health", { origin: "http://bad.example" });
  assert.equal(other.headers["access-control-allow-origin"], undefined);
  assert.equal((await get(address, "/health", { host: "etcd.example:2379" })).status, 200);
  const refused = await get(address, "/health", { host: "evil.example" });
  assert.equal(refused.status, 421);
  assert.match(refused.body, /--host-whitelist "evil.example"/);
});

test("the gateway is asked first, streams, and gets upgrades", async (t) => {
  const target = serve(t, {
    gateway: {
      handle(incoming, response) {
        if (incoming.url !== "/v3/echo") return false;
        incoming.on("data", (chunk) => response.write(chunk));
        incoming.on("end", () => response.end("!"));
        return true;
      },
      handleUpgrade(incoming, socket) {
        if (incoming.url !== "/v3/watch") return false;
        socket.end(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello",
        );
        return true;
      },
    },
  });
  const address = await target.listen();
  assert.equal((await get(address, "/v3/echo", {}, "POST", "body")).body, "body!");
  const large = "z".repeat(500_000);
  const over2 = await get2(`http://${address}`, "/v3/echo", undefined, "POST", large);
  assert.equal(over2.body.length, 500_001);
  assert.equal(await raw(address, upgrade("/v3/watch")), "101 hello");
  assert.match(await raw(address, upgrade("/v3/other")), /^404/);
});

test("what HTTP/1.1 cannot express is a reset stream", async (t) => {
  const target = serve(t);
  const client = new RawClient(await target.listen()).hello();
  const get = (...more: [string, string][]): [string, string][] => [
    [":method", "GET"],
    [":scheme", "http"],
    ...more,
  ];
  client.send(client.headers(1, get([":path", "/a b"]), true));
  client.send(client.headers(3, get([":path", "/health"], ["x", "\u0001"]), true));
  client.send(client.headers(5, [[":method", "B D"], ...get([":path", "/"]).slice(1)], true));
  client.send(
    client.headers(
      7,
      [
        [":method", "CONNECT"],
        [":authority", "x"],
      ],
      true,
    ),
  );
  for (const id of [1, 3, 5]) assert.equal(await client.resetCode(id), ErrorCode.ProtocolError);
  assert.equal(await client.resetCode(7), ErrorCode.InternalError);
  client.send(client.headers(9, get([":path", "/health"]), true));
  const { body, fields } = await client.answer(9);
  assert.equal(body.toString(), '{"health":"true"}');
  assert.equal(fields.get("content-length"), "17");
});

test("no more ordinary requests over HTTP/2 at once than the process can bear", async (t) => {
  const waiting: (() => void)[] = [];
  const gateway = {
    handle(_request: unknown, response: { end(text: string): void }): boolean {
      waiting.push(() => response.end("done"));
      return true;
    },
  };
  const target = serve(t, { gateway, limits: { bridgedRequestsMax: 5 } });
  const client = new RawClient(await target.listen()).hello();
  const count = 6;
  for (let at = 0; at < count; at++) {
    const fields = [":method", ":scheme", ":path"].map((name, of): [string, string] => [
      name,
      ["GET", "http", "/"][of]!,
    ]);
    client.send(client.headers(2 * at + 1, fields, true));
  }
  assert.equal(await client.resetCode(2 * count - 1), ErrorCode.RefusedStream);
  await target.until(() => waiting.length === 5);
  for (const finish of waiting) finish();
  await client.frame(FrameType.Data, 2 * count - 3);
});

function upgrade(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
}

/** "status body" of what comes back for `bytes`, or "closed". */
function raw(address: string, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const colon = address.lastIndexOf(":");
    const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      const match = /^HTTP\/1.1 (\d+)[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(text);
      resolve(match === null ? "closed" : `${match[1]} ${match[2]}`);
    });
    socket.write(bytes);
  });
}

test("who speaks nothing known is closed, bad HTTP/1.1 is 400", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  assert.equal(await raw(address, "INVALID CONNECTION PREFACE\r\n\r\n"), "closed");
  assert.equal(await raw(address, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), "closed");
  assert.equal(await raw(address, Buffer.from([0x16, 3, 1, 0, 1, 0])), "closed");
  assert.match(await raw(address, "GET /health HTTP/1.1\r\nbad header\r\n\r\n"), /^400/);
});

test("the preface may come byte by byte", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  const client = new RawClient(address);
  client.socket.setNoDelay(true);
  for (const byte of Buffer.concat([PREFACE, frame(FrameType.Settings, 0, 0)])) {
    client.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.call(1, "/test.T/Echo", Buffer.from("x"));
  assert.deepEqual((await client.answer(1)).body, message(Buffer.from("x")));
});

test("TLS: ALPN h2 and http/1.1, no ALPN, and plain text refused in Go's words", async (t) => {
  const target = serve(t, { tls: writeCert(first) });
  const address = await target.listen("https://127.0.0.1:0");
  const reply = await get2(`https://${address}`, "/health", first.cert);
  assert.equal(reply.body, '{"health":"true"}');
  for (const alpn of [["http/1.1"], []]) {
    const text = await overTls(address, alpn, "GET /health HTTP/1.0\r\n\r\n");
    assert.match(text, /"health":"true"/);
  }
  assert.equal(await raw(address, "GET /health HTTP/1.0\r\n\r\n"), "closed");
  await target.until(() => target.warnings.length === 1);
  const [warning] = target.warnings;
  assert.equal(warning!.message, "rejected connection on client endpoint");
  const fields = warning!.fields as { error: string };
  assert.equal(fields.error, "tls: first record does not look like a TLS handshake");
  await assert.rejects(get2(`https://${address}`, "/health"), /self.signed/);
  await target.until(() => target.warnings.length === 2);
  const { error } = target.warnings[1]!.fields as Record<string, string>;
  assert.match(error!, /^(remote error: tls: (bad certificate|unknown certificate)|EOF)/);
  assert.equal(target.server.failedHandshakes.value, 2);
  await target.until(() => target.server.connectionCount === 0);
});

function overTls(address: string, alpn: string[], text: string): Promise<string> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      ca: first.cert,
      ...(alpn.length === 0 ? {} : { ALPNProtocols: alpn }),
    });
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
    socket.write(text);
  });
}

test("http and https share a port", async (t) => {
  const target = serve(t, { tls: writeCert(first) });
  // The port has to be known for the second URL.
  const probe = serve(t);
  const port = (await probe.listen()).split(":")[1];
  await probe.close();
  await target.server.listen([`http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`]);
  assert.deepEqual(target.server.addresses, [`127.0.0.1:${port}`]);
  assert.equal((await get(`127.0.0.1:${port}`, "/health")).status, 200);
  assert.equal((await get2(`https://127.0.0.1:${port}`, "/health", first.cert)).status, 200);
  assert.equal((await get2(`http://127.0.0.1:${port}`, "/health")).status, 200);
});

test("who connects to a bound address waits until it is served", async (t) => {
  for (const scheme of ["http", "https"]) {
    const target = serve(t, { tls: writeCert(first) });
    const [listener] = await bindAll([`${scheme}://127.0.0.1:0`]);
    const address = listener!.address;
    const ca = scheme === "https" ? first.cert : undefined;
    const reply = get2(`${scheme}://${address}`, "/health", ca);
    const gone = connect(Number(address.split(":")[1]), "127.0.0.1", () => gone.destroy());
    await target.until(() => listener!.waitingCount === 1 && gone.closed);
    target.server.serve([listener!]);
    assert.equal((await reply).status, 200);
    assert.equal(listener!.waitingCount, 0);
  }
});

test("who waits is sent away when the address is given up", async (t) => {
  const target = serve(t);
  const [listener] = await bindAll(["http://127.0.0.1:0"]);
  const reply = raw(listener!.address, "GET /health HTTP/1.0\r\n\r\n");
  await target.until(() => listener!.waitingCount === 1);
  listener!.close();
  assert.equal(await reply, "closed");
});

test("a changed certificate is used at the next handshake; half a pair is not", async (t) => {
  const files = writeCert(first);
  const target = serve(t, { tls: files });
  const address = await target.listen("https://127.0.0.1:0");
  assert.equal(await certificateOf(address), "first");
  const second = makeCert("second");
  writeFileSync(files.certFile, second.cert);
  assert.equal(await certificateOf(address), "first");
  assert.ok(target.warnings.some((one) => one.message === "failed to load TLS certificate"));
  writeFileSync(files.keyFile, second.key);
  assert.equal(await certificateOf(address), "second");
});

function certificateOf(address: string): Promise<string> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    const options = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    const socket = connectTls({ ...options, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("versions and cipher suites of TLS", async (t) => {
  const files = writeCert(first);
  const cipherSuites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
  const target = serve(t, { tls: { ...files, maxVersion: "TLS1.2", cipherSuites } });
  const address = await target.listen("https://127.0.0.1:0");
  const colon = address.lastIndexOf(":");
  const names = await new Promise<string>((resolve, reject) => {
    const options = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    const socket = connectTls({ ...options, rejectUnauthorized: false }, () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
      socket.destroy();
    });
    socket.on("error", reject);
  });
  assert.equal(names, "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  await target.close();
  const wrong = { ...files, cipherSuites: ["TLS_MADE_UP"] };
  assert.throws(() => new TestServer({ tls: wrong }), /unexpected TLS cipher suite "TLS_MADE_UP"/);
  assert.throws(
    () => new TestServer({ tls: { ...files, minVersion: "TLS1.1" } }),
    /unexpected TLS version/,
  );
});

test("a socket file, again after a crash left it behind", async (t) => {
  const path = join(directory, "etcd.sock");
  writeFileSync(path, "");
  const target = serve(t);
  await target.server.listen([`unix://${path}`]);
  assert.deepEqual(target.server.addresses, [path]);
  const body = await new Promise((resolve) => {
    request({ socketPath: path, path: "/health", agent: false }, (response) => {
      response.on("data", (chunk) => resolve(String(chunk)));
    }).end();
  });
  assert.equal(body, '{"health":"true"}');
});

test("a port in use, and URLs that are none", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  const second = serve(t);
  await assert.rejects(second.listen(`http://${address}`), {
    message: `listen tcp ${address}: bind: address already in use`,
    code: "EADDRINUSE",
  });
  await assert.rejects(
    second.server.listen(["http://127.0.0.1:0", `http://${address}`]),
    /address already in use/,
  );
  assert.deepEqual(second.server.addresses, [], "all or nothing");
  await assert.rejects(second.listen("https://127.0.0.1:0"), /TLS key\/cert must be provided/);
  await assert.rejects(second.listen("ftp://127.0.0.1:0"), /URL scheme must be http/);
});

test("only gRPC, or only HTTP, on a port", async (t) => {
  const grpc = serve(t, { traffic: "grpc" });
  const grpcAddress = await grpc.listen();
  assert.equal(await raw(grpcAddress, "GET /health HTTP/1.0\r\n\r\n"), "closed");
  assert.equal((await get2(`http://${grpcAddress}`, "/health")).status, 415);
  await grpc.close();
  const http = serve(t, { traffic: "http" });
  const client = new RawClient(await http.listen()).hello();
  client.call(1, "/test.T/Echo", Buffer.from("x"));
  assert.equal((await client.answer(1)).fields.get(":status"), "415");
});

function lastStreamIds(client: RawClient): number[] {
  return client.of(FrameType.GoAway, 0).map(({ payload }) => readUint32(payload, 0));
}

test("closing: two GOAWAYs, calls under way end, then the end", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  const client = new RawClient(address).hello();
  client.call(1, "/test.T/Hold", Buffer.from("x"));
  await target.until(() => target.held.length === 1);
  const closed = target.server.close(60_000);
  const ping = await client.frame(FrameType.Ping, 0);
  assert.deepEqual(lastStreamIds(client), [0x7fff_ffff]);
  // A request that crossed the GOAWAY is served.
  client.call(3, "/test.T/Hold", Buffer.from("x"));
  await target.until(() => target.held.length === 2);
  client.send(frame(FrameType.Ping, Flag.Ack, 0, ping!.payload));
  await client.until(() => lastStreamIds(client).length === 2);
  assert.deepEqual(lastStreamIds(client), [0x7fff_ffff, 3]);
  client.send(client.headers(5, grpcHeaders("/test.T/Hold")));
  assert.equal(await client.resetCode(5), 7);
  for (const call of target.held) {
    call.reserve(0);
    call.send();
  }
  await client.closed();
  assert.equal(client.of(FrameType.Headers, 1).length, 2);
  assert.equal(client.of(FrameType.Headers, 3).length, 2);
  await target.until(() => target.server.connectionCount === 0);
  target.clock.advance(100);
  await closed;
  await assert.rejects(get(address, "/health"), /ECONNREFUSED/);
});

test("closing does not wait longer than it may", async (t) => {
  const target = serve(t);
  const address = await target.listen();
  const client = new RawClient(address).hello();
  client.call(1, "/test.T/Hold", Buffer.from("x"));
  const idle = connect(Number(address.split(":")[1]), "127.0.0.1");
  idle.on("error", () => {});
  await target.until(() => target.held.length === 1 && target.server.connectionCount === 2);
  let isClosed = false;
  const closed = target.server.close(5000).then(() => {
    isClosed = true;
  });
  for (let at = 0; at < DRAIN_PING_TIMEOUT_MS + 2 * TICK_MS; at += TICK_MS)
    target.clock.advance(TICK_MS);
  await client.until(() => lastStreamIds(client).length === 2);
  assert.deepEqual(lastStreamIds(client), [0x7fff_ffff, 1], "without an answer to the PING too");
  target.clock.advance(3000);
  assert.equal(isClosed, false);
  await target.until(() => {
    target.clock.advance(500);
    return isClosed;
  });
  await closed;
  assert.ok(target.held[0]!.isCancelled);
  client.destroy();
  idle.destroy();
});

test("our keepalive: a ping after silence, the end without an answer", async (t) => {
  const target = serve(t, {
    limits: { keepaliveIntervalMs: 10_000, keepaliveTimeoutMs: 3000 },
  });
  const address = await target.listen();
  const client = new RawClient(address).hello();
  await client.frame(FrameType.Settings, 0);
  const step = (ms: number): void => {
    for (let at = 0; at < ms; at += TICK_MS) target.clock.advance(TICK_MS);
  };
  step(9000);
  assert.equal(client.of(FrameType.Ping, 0).length, 0);
  step(2000);
  const ping = await client.frame(FrameType.Ping, 0);
  client.send(frame(FrameType.Ping, Flag.Ack, 0, ping!.payload));
  client.call(1, "/test.T/Echo", Buffer.from("x"));
  await client.frame(FrameType.Data, 1);
  step(9000);
  assert.equal(client.isClosed, false);
  step(5000);
  await client.closed();
});
