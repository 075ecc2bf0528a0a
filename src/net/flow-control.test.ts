import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { frame, grpcHeaders, message, RawClient, uint32 } from "../../test/net/raw-client.ts";
import { sendBytes, TestServer } from "../../test/net/test-server.ts";
import { ErrorCode, FrameType, readUint32, Setting } from "./frames.ts";

const target = new TestServer();
let address = "";

before(async () => {
  address = await target.listen();
});

after(() => target.close());

function receivedBytes(client: RawClient, streamId: number): number {
  return client.of(FrameType.Data, streamId).reduce((sum, one) => sum + one.payload.length, 0);
}

/** Lets everything that is under way arrive: the answer to a PING comes after it, maybe rested. */
async function settle(client: RawClient): Promise<void> {
  const count = client.of(FrameType.Ping, 0).length;
  client.send(frame(FrameType.Ping, 0, 0, Buffer.alloc(8)));
  const time = setInterval(() => target.clock.advance(5), 1);
  await client.until(() => client.of(FrameType.Ping, 0).length > count);
  clearInterval(time);
}

test("an answer stops at the window and goes on with updates of both kinds", async () => {
  const client = new RawClient(address).hello();
  client.call(1, "/test.T/Big", Buffer.from([200]));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 65_535);
  assert.ok(target.server.queuedBytes > 0);
  client.send(client.windowUpdate(1, 100_000));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 65_535, "the connection's window is shut still");
  client.send(client.windowUpdate(0, 50_000));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 115_535);
  client.send(client.windowUpdate(0, 1 << 20), client.windowUpdate(1, 1 << 20));
  const { fields, body } = await client.answer(1);
  assert.equal(body.length, 200 * 1024 + 5);
  assert.equal(fields.get("grpc-status"), "0");
  assert.equal(target.server.queuedBytes, 0);
  client.destroy();
});

test("frames never exceed 16 KiB", async () => {
  const client = new RawClient(address).hello([[Setting.MaxFrameSize, 1 << 20]]);
  client.call(1, "/test.T/Big", Buffer.from([60]));
  await client.answer(1);
  const sizes = client.of(FrameType.Data, 1).map(({ payload }) => payload.length);
  assert.deepEqual(sizes, [16_384, 16_384, 16_384, 60 * 1024 + 5 - 3 * 16_384]);
  client.destroy();
});

test("with an initial window of 0 the head comes, and data by the byte", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0]]);
  client.call(1, "/test.T/Echo", Buffer.from("abc"));
  await settle(client);
  assert.equal(client.of(FrameType.Headers, 1).length, 1);
  assert.equal(receivedBytes(client, 1), 0);
  for (let count = 1; count < 8; count++) {
    client.send(client.windowUpdate(1, 1));
    await settle(client);
    assert.equal(receivedBytes(client, 1), count);
    assert.equal(client.of(FrameType.Headers, 1).length, 1);
  }
  client.send(client.windowUpdate(1, 1));
  const { fields, body } = await client.answer(1);
  assert.deepEqual(body, message(Buffer.from("abc")));
  assert.equal(fields.get("grpc-status"), "0");
  client.destroy();
});

test("a smaller initial window may make that of an open stream negative", async () => {
  const client = new RawClient(address).hello();
  client.send(client.headers(1, grpcHeaders("/test.T/Bidi")));
  client.send(client.data(1, message(Buffer.alloc(995))));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 1000);
  const settings = Buffer.concat([Buffer.from([0, Setting.InitialWindowSize]), uint32(100)]);
  client.send(frame(FrameType.Settings, 0, 0, settings));
  // The window is -900 now.
  client.send(client.data(1, message(Buffer.alloc(5))), client.windowUpdate(1, 900));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 1000);
  client.send(client.windowUpdate(1, 7));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 1007);
  client.destroy();
});

test("streams take turns in the connection's window", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 1 << 20]]);
  client.call(1, "/test.T/Big", Buffer.from([100]));
  client.call(3, "/test.T/Big", Buffer.from([100]));
  client.call(5, "/test.T/Echo", Buffer.from("small"));
  await settle(client);
  client.send(client.windowUpdate(0, 16_384 * 4));
  await settle(client);
  assert.equal(receivedBytes(client, 5), 10, "the small one is not behind the large ones");
  const large = receivedBytes(client, 3);
  assert.ok(large >= 16_384 && large <= 3 * 16_384, `stream 3 has got ${large}`);
  client.send(client.windowUpdate(0, 1 << 20));
  await client.answer(3);
  assert.equal(receivedBytes(client, 1) + receivedBytes(client, 3), 2 * (100 * 1024 + 5));
  client.destroy();
});

test("messages queued on a stream keep their order, and the status comes last", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 3]]);
  client.send(client.headers(1, grpcHeaders("/test.T/Count")));
  client.send(client.data(1, message(Buffer.from([5])), true));
  await settle(client);
  assert.equal(receivedBytes(client, 1), 3);
  client.send(client.windowUpdate(1, 20));
  await settle(client);
  client.send(client.windowUpdate(1, 1000));
  const { fields, body } = await client.answer(1);
  const expected = [0, 1, 2, 3, 4].map((one) => message(Buffer.from([one])));
  assert.deepEqual(body, Buffer.concat(expected));
  assert.equal(fields.get("grpc-status"), "0");
  client.destroy();
});

test("a handler hears when its stream has drained", async () => {
  const client = new RawClient(address).hello();
  client.send(client.headers(1, grpcHeaders("/test.T/Bidi")));
  const streams = target.streams.length;
  await target.until(() => target.streams.length > streams);
  const call = target.streams.at(-1)!;
  let drained = 0;
  call.whenDrained(0, () => drained++);
  assert.equal(drained, 0, "never inside the caller");
  await target.until(() => drained === 1);
  sendBytes(call, Buffer.alloc(80_000));
  sendBytes(call, Buffer.alloc(80_000));
  assert.equal(call.queuedBytes, 160_010 - 65_535);
  call.whenDrained(50_000, () => {
    drained++;
    // From inside it may send on.
    if (drained < 4) call.whenDrained(10_000, () => drained++);
    sendBytes(call, Buffer.alloc(10));
  });
  await settle(client);
  assert.equal(drained, 1);
  client.send(client.windowUpdate(0, 60_000), client.windowUpdate(1, 60_000));
  await target.until(() => drained === 2);
  client.send(client.windowUpdate(0, 60_000), client.windowUpdate(1, 60_000));
  await target.until(() => drained === 3);
  assert.equal(call.queuedBytes, 0);
  await settle(client);
  const body = Buffer.concat(client.of(FrameType.Data, 1).map(({ payload }) => payload));
  const lengths: number[] = [];
  for (let at = 0; at < body.length; at += 5 + body.readUInt32BE(at + 1)) {
    lengths.push(body.readUInt32BE(at + 1));
  }
  assert.deepEqual(lengths, [80_000, 80_000, 10], "never inside another message");
  client.destroy();
});

test("a cancelled stream leaves nothing behind", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0]]);
  client.call(1, "/test.T/Big", Buffer.from([200]));
  client.call(3, "/test.T/Big", Buffer.from([200]));
  await settle(client);
  assert.ok(target.server.queuedBytes > 400 * 1024);
  client.send(client.reset(1, ErrorCode.Cancel));
  await settle(client);
  assert.ok(target.server.queuedBytes < 202 * 1024);
  client.destroy();
  await target.until(() => target.server.queuedBytes === 0);
});

test("a blocked answer is dropped at its deadline", async () => {
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 0]]);
  client.send(client.headers(1, grpcHeaders("/test.T/Echo", ["grpc-timeout", "1S"])));
  client.send(client.data(1, message(Buffer.from("x")), true));
  await settle(client);
  target.clock.advance(1200);
  assert.equal(await client.resetCode(1), ErrorCode.Cancel);
  assert.equal(target.server.queuedBytes, 0);
  client.destroy();
});

test("a large request is given the window that it needs", async () => {
  const client = new RawClient(address).hello();
  const body = message(Buffer.alloc(1_000_000, 0x64));
  client.send(client.headers(1, grpcHeaders("/test.T/Echo")));
  client.send(client.windowUpdate(0, 1 << 21), client.windowUpdate(1, 1 << 21));
  let sent = 0;
  let windowBytes = 65_535;
  let updates = 0;
  while (sent < body.length) {
    const count = Math.min(16_384, windowBytes, body.length - sent);
    if (count === 0) {
      await client.until(() => client.of(FrameType.WindowUpdate, 1).length > updates);
      windowBytes += readUint32(client.of(FrameType.WindowUpdate, 1)[updates++]!.payload, 0);
      continue;
    }
    const isEnd = sent + count === body.length;
    client.send(client.data(1, body.subarray(sent, sent + count), isEnd));
    sent += count;
    windowBytes -= count;
  }
  const answer = await client.answer(1);
  assert.ok(answer.body.equals(body));
  assert.equal(updates, 1, "all that is missing at once");
  assert.equal(target.server.partialRequestBytes, 0);
  client.destroy();
});

test("DATA beyond a stream's window ends the stream", async () => {
  const client = new RawClient(address).hello();
  client.send(client.headers(1, grpcHeaders("/test.T/Bidi")));
  // A prefix that promises little, so that no window is added; then too much padding.
  client.send(client.data(1, Buffer.from([0, 0, 0, 0, 100])));
  const padding = Buffer.alloc(256);
  padding[0] = 255;
  for (let sent = 0; sent <= 65_535; sent += 256) client.send(frame(FrameType.Data, 8, 1, padding));
  assert.equal(await client.resetCode(1), ErrorCode.FlowControlError);
  client.destroy();
});

test("the connection's window is refunded as it is used", async () => {
  const client = new RawClient(address).hello();
  const data = Buffer.alloc(16_384);
  const frames: Buffer[] = [];
  for (let id = 1; id < 1200; id += 2) {
    frames.push(client.headers(id, grpcHeaders("/test.T/Hold")), client.data(id, data));
  }
  client.send(...frames);
  await settle(client);
  const updates = client.of(FrameType.WindowUpdate, 0);
  const granted = updates.reduce((sum, one) => sum + readUint32(one.payload, 0), 65_535);
  assert.ok(granted > 600 * 16_384);
  assert.ok(updates.length < 5, "in large pieces");
  client.destroy();
});

test("an answer in pieces stops at the window, is forgotten as it goes, and may be cancelled", async () => {
  const client = new RawClient(address).hello();
  const body = Buffer.alloc(10_000, 0x64);
  body[0] = 50;
  client.call(1, "/test.T/Pieces", body);
  client.call(3, "/test.T/Pieces", body);
  await settle(client);
  assert.equal(receivedBytes(client, 1) + receivedBytes(client, 3), 65_535);
  const before = target.server.queuedBytes;
  assert.ok(before > 900_000);
  client.send(frame(FrameType.RstStream, 0, 3, uint32(ErrorCode.Cancel)));
  client.send(client.windowUpdate(0, 1 << 20), client.windowUpdate(1, 1 << 20));
  const { fields, body: received } = await client.answer(1);
  assert.equal(received.length, 500_000 + 5);
  assert.equal(fields.get("grpc-status"), "0");
  assert.equal(target.server.queuedBytes, 0);
  client.destroy();
});
