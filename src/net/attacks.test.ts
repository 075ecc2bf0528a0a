// Misbehaving peers over real sockets: each is stopped, and another client is served meanwhile.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  frame,
  grpcHeaders,
  headerBlock,
  message,
  RawClient,
  uint32,
} from "../../test/net/raw-client.ts";
import { TestServer } from "../../test/net/test-server.ts";
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from "./frames.ts";
import {
  CONNECTION_STREAMS_MAX,
  CONTROL_FRAMES_PER_SECOND_MAX,
  LINGER_MS,
  PREFACE_TIMEOUT_MS,
  QUEUED_BYTES_MAX,
  REQUEST_STALL_MS,
  RESETS_PER_SECOND_MAX,
  SETTINGS_ACK_TIMEOUT_MS,
  TICK_MS,
  WRITE_STALL_MS,
} from "./limits.ts";

const CONNECTIONS_MAX = 20;
const target = new TestServer({ limits: { connectionsMax: CONNECTIONS_MAX } });
let address = "";

before(async () => {
  address = await target.listen();
});

after(() => target.close());

afterEach(async () => {
  const honest = new RawClient(address).hello();
  honest.call(1, "/test.T/Echo", Buffer.from("still there"));
  assert.deepEqual((await honest.answer(1)).body, message(Buffer.from("still there")));
  honest.destroy();
  await target.until(() => target.server.connectionCount === 0);
  assert.equal(target.server.queuedBytes, 0);
  assert.equal(target.server.partialRequestBytes, 0);
});

/** Sends `parts` over and over until the server ends the connection. */
async function flood(
  client: RawClient,
  times: number,
  part: (round: number) => Buffer,
): Promise<number> {
  for (let round = 0; round < times && !client.isClosed; round++) {
    client.send(part(round));
    if (client.socket.writableLength > 1 << 20) await client.until(() => true);
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return client.goAway();
}

test("rapid reset (CVE-2023-44487)", async () => {
  const client = new RawClient(address).hello();
  const code = await flood(client, 100 * RESETS_PER_SECOND_MAX, (round) => {
    const id = 2 * round + 1;
    return Buffer.concat([client.headers(id, grpcHeaders("/test.T/Hold")), client.reset(id, 8)]);
  });
  assert.equal(code, ErrorCode.EnhanceYourCalm);
});

test("cancelling calls is no attack when others are served", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 1 << 20]]);
  client.send(client.windowUpdate(0, 1 << 20));
  let id = 1;
  for (let round = 0; round < 3 * RESETS_PER_SECOND_MAX; round++) {
    client.call(id, "/test.T/Echo", Buffer.from("x"));
    id += 2;
    client.send(client.headers(id, grpcHeaders("/test.T/Hold")), client.reset(id, 8));
    id += 2;
    if (round % 200 === 0) await client.until(() => true);
  }
  client.call(id, "/test.T/Echo", Buffer.from("x"));
  await client.frame(FrameType.Data, id);
  assert.equal(client.of(FrameType.GoAway, 0).length, 0);
  client.destroy();
});

test("CONTINUATION without an end (CVE-2024-27316), empty and full", async () => {
  for (const size of [0, 1000]) {
    const client = new RawClient(address).hello();
    client.send(frame(FrameType.Headers, 0, 1, headerBlock(grpcHeaders("/test.T/Echo"))));
    const more = headerBlock([["a", "b".repeat(size)]]).subarray(0, size);
    const code = await flood(client, 10_000, () => frame(FrameType.Continuation, 0, 1, more));
    assert.equal(code, ErrorCode.EnhanceYourCalm);
  }
});

test("HPACK bomb: a large entry named thousands of times", async () => {
  const client = new RawClient(address).hello();
  const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61]), stringOf(3000)]);
  const references = Buffer.alloc(15_000 - entry.length, 0xbe);
  for (let id = 1; id < 100; id += 2) {
    const block = Buffer.concat([headerBlock(grpcHeaders("/test.T/Echo")), entry, references]);
    client.send(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, id, block));
  }
  const { fields } = await client.answer(1);
  assert.equal(fields.get(":status"), "431");
  assert.equal(fields.get("grpc-status"), "8");
  client.destroy();
});

function stringOf(length: number): Buffer {
  const rest = length - 127;
  const prefix = Buffer.from([127, 0x80 | (rest & 127), rest >>> 7]);
  return Buffer.concat([prefix, Buffer.alloc(length, 0x78)]);
}

test("floods of control frames", async () => {
  const floods: Record<string, Buffer> = {
    "acknowledged PING": frame(FrameType.Ping, Flag.Ack, 0, Buffer.alloc(8)),
    SETTINGS: frame(FrameType.Settings, 0, 0),
    PRIORITY: frame(FrameType.Priority, 0, 1, Buffer.alloc(5)),
    unknown: frame(0xbe, 0, 0),
    "WINDOW_UPDATE of 1": frame(FrameType.WindowUpdate, 0, 0, uint32(1)),
  };
  for (const [name, one] of Object.entries(floods)) {
    const client = new RawClient(address).hello();
    const many = Buffer.concat(Array.from({ length: 100 }, () => one));
    const times = (2 * CONTROL_FRAMES_PER_SECOND_MAX) / 100;
    assert.equal(await flood(client, times, () => many), ErrorCode.EnhanceYourCalm, name);
  }
});

test("empty DATA frames without an end (CVE-2019-9518)", async () => {
  const client = new RawClient(address).hello();
  client.send(client.headers(1, grpcHeaders("/test.T/Hold")));
  const many = Buffer.concat(Array.from({ length: 100 }, () => client.data(1, Buffer.alloc(0))));
  const times = (2 * CONTROL_FRAMES_PER_SECOND_MAX) / 100;
  assert.equal(await flood(client, times, () => many), ErrorCode.EnhanceYourCalm);
});

test("a ping for every answer is no flood, and no strike", async () => {
  const client = new RawClient(address).hello();
  client.send(client.windowUpdate(0, 1 << 24));
  const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
  const update = client.windowUpdate(0, 10);
  for (let round = 0; round < CONTROL_FRAMES_PER_SECOND_MAX; round++) {
    client.call(2 * round + 1, "/test.T/Echo", Buffer.from("x"));
    client.send(ping, update);
    if (round % 200 === 0) await client.until(() => true);
  }
  const last = 2 * CONTROL_FRAMES_PER_SECOND_MAX - 1;
  await client.frame(FrameType.Data, last);
  assert.equal(client.of(FrameType.GoAway, 0).length, 0);
  client.destroy();
});

test("more than two early pings (keepalive enforcement)", async () => {
  const client = new RawClient(address).hello();
  const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
  client.send(ping, ping, ping, ping);
  assert.equal(await client.goAway(), ErrorCode.EnhanceYourCalm);
  const reason = client.of(FrameType.GoAway, 0)[0]!.payload.toString("latin1", 8);
  assert.equal(reason, "too_many_pings");
});

test("windows that overflow", async () => {
  const connection = new RawClient(address).hello();
  connection.send(connection.windowUpdate(0, 0x7fff_ffff));
  assert.equal(await connection.goAway(), ErrorCode.FlowControlError);

  const stream = new RawClient(address).hello();
  stream.send(stream.headers(1, grpcHeaders("/test.T/Hold")), stream.windowUpdate(1, 0x7fff_ffff));
  assert.equal(await stream.resetCode(1), ErrorCode.FlowControlError);
  stream.destroy();

  const settings = new RawClient(address).hello([[Setting.InitialWindowSize, 0x8000_0000]]);
  assert.equal(await settings.goAway(), ErrorCode.FlowControlError);

  const both = new RawClient(address).hello();
  both.send(both.headers(1, grpcHeaders("/test.T/Hold")), both.windowUpdate(1, 0x7fff_0000));
  const larger = Buffer.concat([Buffer.from([0, Setting.InitialWindowSize]), uint32(0x7fff_ffff)]);
  both.send(frame(FrameType.Settings, 0, 0, larger));
  assert.equal(await both.goAway(), ErrorCode.FlowControlError);
});

test("answers that nobody lets through: new streams are refused, then answers fail", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0]]);
  // 255 KiB each. Calls that are open before the first answer see the hard limit.
  const holds = Math.ceil(QUEUED_BYTES_MAX / (255 * 1024)) + 10;
  const held = target.held.length;
  for (let count = 0; count < holds; count++) {
    client.call(2 * count + 1, "/test.T/Hold", Buffer.from("x"));
  }
  await target.until(() => target.held.length === held + holds);
  for (const call of target.held.slice(held)) {
    const at = call.reserve(255 * 1024);
    call.buffer[at] = 1;
    call.send();
  }
  assert.ok(target.server.queuedBytes > QUEUED_BYTES_MAX - (1 << 20));
  assert.ok(target.server.queuedBytes <= QUEUED_BYTES_MAX);
  const refused = 2 * holds + 1;
  client.call(refused, "/test.T/Echo", Buffer.from("x"));
  assert.equal(await client.resetCode(refused), ErrorCode.RefusedStream);
  const { fields } = await client.answer(2 * holds - 1);
  assert.equal(fields.get("grpc-status"), "8");
  client.destroy();
});

test("no more streams than agreed", async () => {
  const few = new TestServer({ limits: { concurrentStreamsMax: 3 } });
  const client = new RawClient(await few.listen()).hello();
  const settings = await client.frame(FrameType.Settings, 0);
  assert.equal(settings!.payload.readUInt32BE(2), 3);
  for (let id = 1; id <= 7; id += 2) client.send(client.headers(id, grpcHeaders("/test.T/Hold")));
  assert.equal(await client.resetCode(7), ErrorCode.RefusedStream);
  client.send(client.reset(1, 8), client.headers(9, grpcHeaders("/test.T/Echo")));
  client.send(client.data(9, message(Buffer.from("x")), true));
  assert.ok(await client.frame(FrameType.Data, 9));
  client.destroy();
  await few.close();
  assert.equal(CONNECTION_STREAMS_MAX, 65_536, "what is announced without a limit");
});

test("a slow reader behind an open window: TCP pushes back, and a stuck one is cut", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0x7fff_ffff]]);
  client.send(client.windowUpdate(0, 0x7fff_0000));
  await client.frame(FrameType.Settings, 0);
  client.socket.pause();
  for (let id = 1; id < 600; id += 2) client.call(id, "/test.T/Big", Buffer.from([255]));
  // More than socket buffers hold: the rest is queued here, and counted.
  await target.until(() => target.server.queuedBytes > 10 << 20);
  const bytes = target.server.queuedBytes;
  assert.ok(bytes < 300 * 256 * 1024);
  for (let at = 0; at <= WRITE_STALL_MS + 2000; at += 1000) target.clock.advance(1000);
  await target.until(() => target.server.connectionCount === 0);
  client.destroy();
});

test("a slow reader that reads on gets everything", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0x7fff_ffff]]);
  client.send(client.windowUpdate(0, 0x7fff_0000));
  await client.frame(FrameType.Settings, 0);
  client.socket.pause();
  for (let id = 1; id < 200; id += 2) client.call(id, "/test.T/Big", Buffer.from([255]));
  await target.until(() => target.server.queuedBytes > 1 << 20);
  client.socket.resume();
  const ended = (): number =>
    client.frames.filter((one) => (one.flags & Flag.EndStream) !== 0 && one.type === 1).length;
  await client.until(() => ended() === 100);
  const bytes = client.frames
    .filter(({ type }) => type === FrameType.Data)
    .reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal(bytes, 100 * (255 * 1024 + 5));
  client.destroy();
});

test("DATA of nothing but padding is counted and refunded", async () => {
  const client = new RawClient(address).hello();
  client.send(client.headers(1, grpcHeaders("/test.T/Bidi")));
  const padded = Buffer.alloc(256);
  padded[0] = 254;
  padded[1] = 0;
  // One byte of data each, of messages of no length: 5 bytes make a message.
  for (let sent = 0; sent < 1000; sent++)
    client.send(frame(FrameType.Data, Flag.Padded, 1, padded));
  await client.until(() => client.of(FrameType.Data, 1).length === 200);
  assert.ok(client.of(FrameType.WindowUpdate, 1).length > 0);
  client.destroy();
});

test("messages that begin and never end are given up", async () => {
  const client = new RawClient(address).hello();
  for (let id = 1; id < 20; id += 2) {
    const begun = message(Buffer.alloc(1_000_000)).subarray(0, 1000);
    client.send(client.headers(id, grpcHeaders("/test.T/Echo")), client.data(id, begun));
  }
  await target.until(() => target.server.partialRequestBytes >= 10 * 1_000_000);
  for (let at = 0; at <= REQUEST_STALL_MS + 2000; at += 1000) target.clock.advance(1000);
  const { fields } = await client.answer(19);
  assert.equal(fields.get("grpc-status"), "1");
  assert.equal(target.server.partialRequestBytes, 0);
  client.destroy();
});

test("connections that say nothing, or only half a preface, are closed", async () => {
  const silent = new RawClient(address);
  const half = new RawClient(address);
  half.send(PREFACE.subarray(0, 10));
  const mute = new RawClient(address);
  mute.send(PREFACE);
  await target.until(() => target.server.connectionCount === 3);
  await mute.frame(FrameType.Settings, 0);
  target.clock.advance(PREFACE_TIMEOUT_MS - 1000);
  assert.equal(target.server.connectionCount, 3);
  target.clock.advance(2000);
  await Promise.all([silent.closed(), half.closed(), mute.closed()]);
});

test("SETTINGS that are never acknowledged", async () => {
  const client = new RawClient(address);
  client.send(PREFACE, frame(FrameType.Settings, 0, 0));
  await client.frame(FrameType.Settings, 0);
  target.clock.advance(SETTINGS_ACK_TIMEOUT_MS + 1000);
  assert.equal(await client.goAway(), ErrorCode.SettingsTimeout);
});

test("a peer that does not leave after GOAWAY is cut off", async () => {
  const client = new RawClient(address).hello();
  client.socket.allowHalfOpen = true;
  client.send(frame(FrameType.Data, 0, 0));
  assert.equal(await client.goAway(), ErrorCode.ProtocolError);
  target.clock.advance(LINGER_MS + 2 * TICK_MS);
  await target.until(() => target.server.connectionCount === 0);
  client.destroy();
});

test("connections above the limit are closed on arrival", async () => {
  const clients = Array.from({ length: CONNECTIONS_MAX }, () => new RawClient(address).hello());
  await Promise.all(clients.map((client) => client.frame(FrameType.Settings, 0)));
  const refused = new RawClient(address).hello();
  await refused.closed();
  assert.equal(refused.frames.length, 0);
  assert.equal(target.server.refusedConnections.value, 1);
  for (const client of clients) client.destroy();
  await target.until(() => target.server.connectionCount === 0);
});

test("nonsense instead of frames", async () => {
  const nonsense = [
    Buffer.alloc(1000, 0xff),
    frame(FrameType.PushPromise, 4, 1, Buffer.alloc(10)),
    frame(FrameType.Headers, 4, 2, headerBlock(grpcHeaders("/x"))),
    frame(FrameType.Headers, 4, 1, Buffer.from([0x80])),
    frame(FrameType.Continuation, 4, 1),
    frame(FrameType.Data, 0, 1, Buffer.alloc(1)),
    frame(FrameType.RstStream, 0, 1, uint32(1)),
    frame(FrameType.WindowUpdate, 0, 0, uint32(0)),
    frame(FrameType.Settings, 0, 0, Buffer.alloc(5)),
    frame(FrameType.Ping, 0, 1, Buffer.alloc(8)),
    frame(FrameType.GoAway, 0, 3, Buffer.alloc(8)),
  ];
  for (const bytes of nonsense) {
    const client = new RawClient(address).hello();
    client.send(bytes);
    assert.ok((await client.goAway()) > 0, bytes.toString("hex", 0, 20));
  }
});
