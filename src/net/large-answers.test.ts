import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RawClient } from "../../test/net/raw-client.ts";
import { TestServer } from "../../test/net/test-server.ts";
import type { AnswerSource, UnaryCall } from "../wire/rpc.ts";
import { ErrorCode, FrameType, Setting } from "./frames.ts";
import {
  LARGE_ANSWER_PART_BYTES,
  LARGE_ANSWER_STALL_MS,
  TICK_MS,
  TICKS_PER_SWEEP,
} from "./limits.ts";

/** Bytes that show their place; pieces of an odd size, as KeyValues have. */
class Counting implements AnswerSource {
  static open = 0;
  readonly #scratch = Buffer.alloc(1 << 20);
  #at = 0;
  readonly #sizeBytes: number;
  readonly #pieceBytes: number;

  constructor(sizeBytes: number, pieceBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#pieceBytes = pieceBytes;
    Counting.open++;
  }

  next(maxBytes: number): Uint8Array {
    const whole = Math.max(1, Math.floor(maxBytes / this.#pieceBytes)) * this.#pieceBytes;
    const length = Math.min(whole, this.#sizeBytes - this.#at);
    for (let i = 0; i < length; i++) this.#scratch[i] = (this.#at + i) % 251;
    this.#at += length;
    return this.#scratch.subarray(0, length);
  }

  close(): void {
    Counting.open--;
  }
}

function isCounting(body: Uint8Array): boolean {
  return body.every((byte, at) => byte === at % 251);
}

/** Request: size in KiB, size of a piece in units of 100 bytes. */
function flow(call: UnaryCall, bytes: Uint8Array, start: number): void {
  const sizeBytes = bytes[start]! * 1024 + bytes[start + 1]! * 256;
  call.sendFrom?.(sizeBytes, new Counting(sizeBytes, 100 * bytes[start + 2]! + 1));
}

function serverWith(largeAnswerBytesMax: number): TestServer {
  const methods = new Map([["/test.T/Flow", { kind: "unary" as const, handle: flow }]]);
  return new TestServer({ methods, limits: { largeAnswerBytesMax } });
}

const WINDOW_SHARES = [1, 7, 100, 5000, 65_535];

test("answers of all connections come whole, whatever the windows, inside the budget", async () => {
  const budgetBytes = 300_000;
  const server = serverWith(budgetBytes);
  const address = await server.listen();
  const scenario = fc.record({
    calls: fc.array(
      fc.record({
        connection: fc.nat(3),
        size: fc.constantFrom([1, 0], [20, 3], [200, 200], [255, 255]),
        piece: fc.constantFrom(1, 10, 255),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    initialWindow: fc.constantFrom(0, 1, 1000, 65_535, 1 << 24),
    shares: fc.array(fc.constantFrom(...WINDOW_SHARES), { minLength: 1, maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ calls, initialWindow, shares }) => {
      const clients = [0, 1, 2, 3].map(() =>
        new RawClient(address).hello([[Setting.InitialWindowSize, initialWindow]]),
      );
      const streams = calls.map(({ connection, size, piece }, at) => {
        const client = clients[connection]!;
        const id = 2 * at + 1;
        client.call(id, "/test.T/Flow", Buffer.from([...size, piece]));
        return { client, id, sizeBytes: size[0]! * 1024 + size[1]! * 256 };
      });
      for (const share of shares) {
        for (const { client, id } of streams) {
          client.send(client.windowUpdate(id, share), client.windowUpdate(0, share));
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const { client, id } of streams) {
        client.send(client.windowUpdate(id, 1 << 24), client.windowUpdate(0, 1 << 24));
      }
      for (const { client, id, sizeBytes } of streams) {
        const { body } = await client.answer(id);
        assert.equal(body.length, sizeBytes + 5);
        assert.ok(isCounting(body.subarray(5)));
        const frames = client.frames.filter(({ streamId }) => streamId === id);
        assert.equal(frames.at(-1)!.type, FrameType.Headers, "the status comes last");
      }
      const { budget, count } = server.server.largeAnswers;
      assert.equal(count, 0);
      for (const client of clients) client.destroy();
      await server.until(() => server.server.connectionCount === 0);
      assert.equal(budget.usedBytes, 0);
      assert.equal(Counting.open, 0);
    }),
    { numRuns: 60 },
  );
  assert.ok(server.server.largeAnswers.peakBytes <= budgetBytes);
  await server.close();
});

test("clients that do not read neither exceed the budget nor hold up the others", async () => {
  // Half of it may be held by whoever comes first, one part above that, a small part by each.
  const budgetBytes = LARGE_ANSWER_PART_BYTES * 8;
  const server = serverWith(budgetBytes);
  const address = await server.listen();
  const windows: [number, number][] = [[Setting.InitialWindowSize, 1 << 24]];
  const stuck = Array.from({ length: 6 }, () => {
    const client = new RawClient(address).hello(windows);
    client.send(client.windowUpdate(0, 1 << 24));
    client.socket.pause();
    for (let id = 1; id < 80; id += 2) {
      client.call(id, "/test.T/Flow", Buffer.from([255, 255, 10]));
    }
    return client;
  });
  await server.until(() => server.server.largeAnswers.count === 6 * 40);
  const reader = new RawClient(address).hello(windows);
  reader.send(reader.windowUpdate(0, 1 << 24));
  reader.call(1, "/test.T/Flow", Buffer.from([255, 255, 10]));
  const { body } = await reader.answer(1);
  assert.equal(body.length, 255 * 1024 + 255 * 256 + 5);
  assert.ok(server.server.largeAnswers.peakBytes <= budgetBytes);
  for (const client of [...stuck, reader]) client.destroy();
  await server.until(() => server.server.connectionCount === 0);
  assert.equal(Counting.open, 0);
  await server.close();
});

test("an answer whose window stays shut is given up after a minute", async () => {
  const server = serverWith(1 << 20);
  const address = await server.listen();
  const client = new RawClient(address).hello([[Setting.InitialWindowSize, 1000]]);
  client.call(1, "/test.T/Flow", Buffer.from([100, 0, 10]));
  await client.frame(FrameType.Data, 1);
  assert.equal(server.server.largeAnswers.count, 1);
  const second = TICK_MS * TICKS_PER_SWEEP;
  server.clock.advance(LARGE_ANSWER_STALL_MS + second);
  assert.equal(await client.resetCode(1), ErrorCode.Cancel);
  assert.equal(server.server.largeAnswers.count, 0);
  assert.equal(Counting.open, 0);
  client.destroy();
  await server.close();
});

test("what is longer than a message can be is refused before any of it is made", async () => {
  const huge = (call: UnaryCall): void => {
    call.sendFrom?.(2 ** 31, new Counting(2 ** 31, 1));
  };
  const server = new TestServer({
    methods: new Map([["/test.T/Huge", { kind: "unary" as const, handle: huge }]]),
  });
  const client = new RawClient(await server.listen()).hello();
  client.call(1, "/test.T/Huge", Buffer.alloc(1));
  const { fields } = await client.answer(1);
  assert.equal(fields.get("grpc-status"), "8");
  assert.match(fields.get("grpc-message")!, /trying to send message larger than max/);
  assert.equal(Counting.open, 0);
  client.destroy();
  await server.close();
});
