// A connection on a socket that is none: any bytes, cut anywhere.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { frame, grpcHeaders, headerBlock, message, uint32 } from "../../test/net/raw-client.ts";
import { SteppedClock } from "../../test/net/stepped-clock.ts";
import { answer, sendBytes } from "../../test/net/test-server.ts";
import { silentLogger } from "../base/log.ts";
import type { Method } from "../wire/rpc.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ByteBudget } from "./byte-budget.ts";
import { ErrorCode, Flag, FrameType, Setting } from "./frames.ts";
import { GrpcService } from "./grpc-service.ts";
import { Http2Connection, type Http2Context } from "./http2-connection.ts";
import { LargeAnswers } from "./large-answers.ts";
import { defaultLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";

class FakeSocket extends EventEmitter {
  writableLength = 0;
  isEnded = false;
  isPaused = false;
  readonly written: Buffer[] = [];

  write(bytes: Uint8Array): boolean {
    assert.equal(this.isEnded, false, "nothing is written after the end");
    this.written.push(Buffer.from(bytes));
    return true;
  }

  end(): void {
    this.isEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  destroy(): void {
    this.isEnded = true;
  }
}

const methods = new Map<string, Method>([
  ["/test.T/Echo", { kind: "unary", handle: (call, ...view) => answer(call, ...view) }],
  ["/test.T/Hold", { kind: "unary", handle() {} }],
  [
    "/test.T/Bidi",
    {
      kind: "bidi-stream",
      open: (call) => ({
        onMessage: (bytes, start, end) => sendBytes(call, bytes.slice(start, end)),
        onEnd: () => call.end(),
        onCancel() {},
      }),
    },
  ],
]);

class Bench {
  readonly socket = new FakeSocket();
  readonly clock = new SteppedClock();
  readonly context: Http2Context;
  readonly connection: Http2Connection;

  constructor() {
    const grpc = new GrpcService(methods, 100_000);
    this.context = {
      clock: this.clock,
      log: silentLogger,
      limits: { ...defaultLimits, concurrentStreamsMax: 10 },
      outbox: new Outbox(this.clock),
      pool: new BufferPool(),
      queuedTotal: new ByteBudget(1 << 20),
      answers: new LargeAnswers(this.clock, 1 << 20),
      requestTotal: new ByteBudget(1 << 20),
      goAwayCounts: new Float64Array(14),
      open: (stream, head) =>
        grpc.isGrpc(head) ? grpc.open(stream, head) : grpc.refuse(stream, head),
    };
    const socket = this.socket as unknown as Socket;
    this.connection = new Http2Connection(this.context, socket, "peer", () => {});
  }

  get output(): Buffer {
    return Buffer.concat(this.socket.written);
  }

  close(): void {
    this.connection.destroy();
    assert.equal(this.context.queuedTotal.usedBytes, 0);
    assert.equal(this.context.requestTotal.usedBytes, 0);
    assert.equal(this.connection.streamCount, 0);
  }
}

const hello = frame(FrameType.Settings, 0, 0);

const streamId = fc.constantFrom(0, 1, 1, 3, 3, 5, 2, 7, 0x7fff_ffff);
const anyFrame = fc
  .tuple(fc.integer({ min: 0, max: 11 }), fc.integer({ min: 0, max: 255 }), streamId)
  .chain(([type, flags, id]) =>
    fc.uint8Array({ maxLength: 40 }).map((payload) => frame(type, flags, id, payload)),
  );
const path = fc.constantFrom("/test.T/Echo", "/test.T/Hold", "/test.T/Bidi", "/no/such");
const goodHeaders = fc
  .tuple(streamId, path, fc.boolean())
  .map(([id, name, isEnd]) =>
    frame(FrameType.Headers, isEnd ? 5 : 4, id, headerBlock(grpcHeaders(name))),
  );
const goodData = fc
  .tuple(streamId, fc.uint8Array({ maxLength: 50 }), fc.boolean())
  .map(([id, body, isEnd]) => frame(FrameType.Data, isEnd ? 1 : 0, id, message(body)));
const window = fc
  .tuple(streamId, fc.integer({ min: 1, max: 100 }))
  .map(([id, bytes]) => frame(FrameType.WindowUpdate, 0, id, uint32(bytes)));
const settings = fc
  .tuple(fc.constantFrom(1, 3, 4, 5, 6), fc.constantFrom(0, 1, 50, 16_384, 65_535, 1 << 24))
  .map(([id, value]) =>
    frame(FrameType.Settings, 0, 0, Buffer.concat([Buffer.from([0, id]), uint32(value)])),
  );
const anything = fc.oneof(
  { weight: 3, arbitrary: goodHeaders },
  { weight: 3, arbitrary: goodData },
  { weight: 1, arbitrary: window },
  { weight: 1, arbitrary: settings },
  { weight: 1, arbitrary: anyFrame },
);

test("no frames break anything, and nothing is left behind", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 40 }), fc.boolean(), (frames, isSlow) => {
      const bench = new Bench();
      bench.socket.writableLength = isSlow ? 2 << 20 : 0;
      bench.connection.receive(hello);
      for (const one of frames) bench.connection.receive(one);
      bench.socket.writableLength = 0;
      bench.socket.emit("drain");
      for (let at = 0; at < 30; at++) {
        bench.clock.advance(100);
        bench.connection.tick(bench.clock.monotonicMs(), at % 10 === 0);
      }
      bench.close();
    }),
    { numRuns: 1000 },
  );
});

test("no bytes break anything", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (chunks) => {
      const bench = new Bench();
      bench.connection.receive(hello);
      for (const chunk of chunks) bench.connection.receive(chunk);
      bench.close();
    }),
    { numRuns: 500 },
  );
});

function session(): Buffer {
  const block = headerBlock(grpcHeaders("/test.T/Bidi"));
  const large = Buffer.concat([Buffer.from([0, Setting.InitialWindowSize]), uint32(100)]);
  return Buffer.concat([
    hello,
    frame(FrameType.Headers, Flag.EndHeaders, 1, headerBlock(grpcHeaders("/test.T/Echo"))),
    frame(FrameType.Data, 0, 1, message(Buffer.alloc(3000, 1)).subarray(0, 2000)),
    frame(FrameType.Headers, 0, 3, block.subarray(0, 20)),
    frame(FrameType.Continuation, 0, 3, block.subarray(20, 21)),
    frame(FrameType.Continuation, Flag.EndHeaders, 3, block.subarray(21)),
    frame(FrameType.Data, 0, 3, message(Buffer.from("one"))),
    frame(FrameType.Settings, 0, 0, large),
    frame(FrameType.Data, 1, 1, message(Buffer.alloc(3000, 1)).subarray(2000)),
    frame(FrameType.Data, 1, 3, message(Buffer.from("two"))),
    frame(FrameType.WindowUpdate, 0, 1, uint32(5000)),
    frame(FrameType.Ping, 0, 0, Buffer.from("12345678")),
  ]);
}

test("the answers do not depend on where the input is cut", () => {
  const whole = new Bench();
  whole.connection.receive(session());
  assert.equal(
    whole.context.goAwayCounts.reduce((sum, count) => sum + count),
    0,
  );
  assert.equal(whole.connection.streamCount, 0, "all calls are answered");
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 50 }), (sizes) => {
      const bench = new Bench();
      const bytes = session();
      let at = 0;
      for (const size of sizes) {
        bench.connection.receive(bytes.subarray(at, at + size));
        at += size;
      }
      if (at < bytes.length) bench.connection.receive(bytes.subarray(at));
      assert.ok(bench.output.equals(whole.output));
      bench.close();
    }),
  );
});

test("while the socket holds too much, answers wait here and nothing is read", () => {
  const bench = new Bench();
  bench.connection.receive(hello);
  const block = headerBlock(grpcHeaders("/test.T/Echo"));
  const call = (id: number): Buffer =>
    Buffer.concat([
      frame(FrameType.Headers, Flag.EndHeaders, id, block),
      frame(FrameType.Data, 1, id, message(Buffer.from(`answer ${id}`))),
    ]);
  bench.socket.writableLength = 2 << 20;
  bench.connection.receive(call(1));
  assert.ok(bench.output.includes("answer 1"), "known only after the write");
  assert.equal(bench.socket.isPaused, true);
  // What had been read already.
  bench.connection.receive(call(3));
  assert.equal(bench.output.includes("answer 3"), false);
  assert.ok(bench.context.queuedTotal.usedBytes > 0);
  bench.socket.writableLength = 0;
  bench.socket.emit("drain");
  assert.ok(bench.output.includes("answer 3"));
  assert.equal(bench.context.queuedTotal.usedBytes, 0);
  assert.equal(bench.socket.isPaused, false);
  bench.close();
});

test("after the last answer of a drain nothing more is said, whatever comes", () => {
  const bench = new Bench();
  const block = headerBlock(grpcHeaders("/test.T/Bidi"));
  bench.connection.receive(Buffer.concat([hello, frame(FrameType.Headers, 4, 1, block)]));
  bench.connection.drain();
  for (let at = 0; at < 30; at++) {
    bench.clock.advance(100);
    bench.connection.tick(bench.clock.monotonicMs(), false);
  }
  assert.equal(bench.socket.isEnded, false);
  // The end of stream 1 ends the connection; what follows in the same bytes is not answered.
  const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
  const late = frame(FrameType.Headers, 4, 3, block);
  bench.connection.receive(Buffer.concat([frame(FrameType.Data, 1, 1), late, ping]));
  assert.equal(bench.socket.isEnded, true);
  bench.close();
});

test("answers of one input are one write; later ones are flushed once per turn", async () => {
  const bench = new Bench();
  bench.connection.receive(hello);
  const before = bench.socket.written.length;
  const block = headerBlock(grpcHeaders("/test.T/Echo"));
  const requests = [1, 3, 5].flatMap((id) => [
    frame(FrameType.Headers, Flag.EndHeaders, id, block),
    frame(FrameType.Data, 1, id, message(Buffer.from("x"))),
  ]);
  bench.connection.receive(Buffer.concat(requests));
  assert.equal(bench.socket.written.length, before + 1);
  bench.connection.drain();
  assert.equal(bench.socket.written.length, before + 1, "waits for the end of the turn");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bench.socket.written.length, before + 2);
  bench.close();
});

/** What a client may be sent, by its own account, and what it has been sent. */
class Ledger {
  connectionBytes = 65_535;
  initialBytes = 65_535;
  readonly streamBytes = new Map<number, number>();
  readonly bodies = new Map<number, Buffer[]>();

  read(output: Buffer): void {
    for (let at = 0; at < output.length; ) {
      const length = output.readUIntBE(at, 3);
      const id = output.readUInt32BE(at + 5);
      const payload = output.subarray(at + 9, at + 9 + length);
      if (output[at + 3] === FrameType.Data) this.#take(id, payload);
      at += 9 + length;
    }
  }

  #take(id: number, payload: Buffer): void {
    this.connectionBytes -= payload.length;
    const left = this.streamBytes.get(id)! - payload.length;
    this.streamBytes.set(id, left);
    if (payload.length > 0) assert.ok(this.connectionBytes >= 0 && left >= 0, "window exceeded");
    this.bodies.get(id)!.push(payload);
  }
}

type Step =
  | { readonly kind: "message"; readonly id: number; readonly bytes: number }
  | { readonly kind: "window"; readonly id: number; readonly bytes: number }
  | { readonly kind: "initial"; readonly bytes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("message" as const),
    id: fc.constantFrom(1, 3, 5),
    bytes: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 40_000 })),
  }),
  fc.record({
    kind: fc.constant("window" as const),
    id: fc.constantFrom(0, 0, 1, 3, 5),
    bytes: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50_000 })),
  }),
  fc.record({ kind: fc.constant("initial" as const), bytes: fc.constantFrom(0, 10, 1000, 70_000) }),
);

test("never sends more than it may, in order, and everything in the end", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bench = new Bench();
      const ledger = new Ledger();
      const expected = new Map<number, Buffer[]>();
      const receive = (bytes: Buffer): void => {
        bench.socket.written.length = 0;
        bench.connection.receive(bytes);
        ledger.read(bench.output);
      };
      receive(hello);
      for (const id of [1, 3, 5]) {
        ledger.streamBytes.set(id, ledger.initialBytes);
        ledger.bodies.set(id, []);
        expected.set(id, []);
        const block = headerBlock(grpcHeaders("/test.T/Bidi"));
        receive(frame(FrameType.Headers, Flag.EndHeaders, id, block));
      }
      const grow = (id: number, bytes: number): void => {
        if (id === 0) ledger.connectionBytes += bytes;
        else ledger.streamBytes.set(id, ledger.streamBytes.get(id)! + bytes);
        receive(frame(FrameType.WindowUpdate, 0, id, uint32(bytes)));
      };
      for (const [at, one] of steps.entries()) {
        if (one.kind === "window") {
          grow(one.id, one.bytes);
        } else if (one.kind === "initial") {
          const change = one.bytes - ledger.initialBytes;
          ledger.initialBytes = one.bytes;
          for (const [id, bytes] of ledger.streamBytes) ledger.streamBytes.set(id, bytes + change);
          const setting = Buffer.from([0, Setting.InitialWindowSize]);
          receive(frame(FrameType.Settings, 0, 0, Buffer.concat([setting, uint32(one.bytes)])));
        } else {
          const body = message(Buffer.alloc(one.bytes, at));
          expected.get(one.id)!.push(body);
          for (let start = 0; start < body.length; start += 16_384) {
            receive(frame(FrameType.Data, 0, one.id, body.subarray(start, start + 16_384)));
          }
        }
      }
      for (const id of [0, 1, 3, 5]) grow(id, 10_000_000);
      for (const [id, bodies] of expected) {
        assert.ok(Buffer.concat(ledger.bodies.get(id)!).equals(Buffer.concat(bodies)));
      }
      assert.equal(
        bench.context.goAwayCounts.reduce((sum, count) => sum + count),
        0,
      );
      bench.close();
    }),
    { numRuns: 300 },
  );
});

test("what crosses our early answer is ignored without a word", () => {
  const bench = new Bench();
  bench.connection.receive(hello);
  const block = headerBlock(grpcHeaders("/no/such"));
  bench.connection.receive(frame(FrameType.Headers, Flag.EndHeaders, 1, block));
  const resets = (): number => {
    let count = 0;
    for (let at = 0; at < bench.output.length; at += 9 + bench.output.readUIntBE(at, 3)) {
      if (bench.output[at + 3] === FrameType.RstStream) count++;
    }
    return count;
  };
  assert.equal(resets(), 1, "the answer, and NO_ERROR for what the client still wants to send");
  bench.connection.receive(frame(FrameType.Data, 0, 1, message(Buffer.alloc(100))));
  bench.connection.receive(frame(FrameType.WindowUpdate, 0, 1, uint32(100)));
  bench.connection.receive(frame(FrameType.Headers, 5, 1, headerBlock([["a", "b"]])));
  assert.equal(resets(), 1);
  bench.close();
});

test("nobody is told of an end that the client did not wait for", () => {
  const bench = new Bench();
  const block = headerBlock(grpcHeaders("/test.T/Bidi"));
  const open = [1, 3].map((id) => frame(FrameType.Headers, Flag.EndHeaders, id, block));
  bench.connection.receive(Buffer.concat([hello, ...open]));
  const before = bench.output.length;
  const end = (id: number): Buffer => frame(FrameType.Data, Flag.EndStream, id);
  const reset = frame(FrameType.RstStream, 0, 1, uint32(ErrorCode.Cancel));
  bench.connection.receive(Buffer.concat([end(1), reset, end(3)]));
  const said = bench.output.subarray(before);
  assert.equal(said.readUInt32BE(5), 3);
  assert.equal(said.length, 9 + said.readUIntBE(0, 3), "one frame");
  assert.equal(bench.connection.streamCount, 0);
  bench.close();
});

function pings(count: number): Buffer {
  const all = Array.from({ length: count }, () => frame(FrameType.Ping, 0, 0, new Uint8Array(8)));
  return Buffer.concat(all);
}

/** Types of the frames that were written, one list for each write. */
function writes(bench: Bench): number[][] {
  return bench.socket.written.map((bytes) => {
    const types: number[] = [];
    for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3))
      types.push(bytes[at + 3]!);
    return types;
  });
}

test("an acknowledged ping leaves at once when no answer is due, also while a stream is open", () => {
  const bench = new Bench();
  bench.connection.receive(hello);
  for (const isOpen of [false, true]) {
    const block = headerBlock(grpcHeaders("/test.T/Bidi"));
    if (isOpen) bench.connection.receive(frame(FrameType.Headers, Flag.EndHeaders, 1, block));
    bench.socket.written.length = 0;
    bench.connection.receive(pings(1));
    assert.deepEqual(writes(bench), [[FrameType.Ping]]);
  }
  bench.close();
});

test("acknowledged pings leave with the answer that is waited for, in one write", () => {
  const bench = new Bench();
  const call = (id: number, name: string): Buffer =>
    frame(FrameType.Headers, Flag.EndHeaders, id, headerBlock(grpcHeaders(name)));
  const hold = frame(FrameType.Data, Flag.EndStream, 1, message(Buffer.from("x")));
  bench.connection.receive(hello);
  bench.connection.receive(Buffer.concat([call(1, "/test.T/Hold"), call(3, "/test.T/Echo"), hold]));
  bench.socket.written.length = 0;
  bench.connection.receive(pings(1));
  bench.connection.receive(pings(2));
  assert.deepEqual(writes(bench), []);
  bench.connection.receive(frame(FrameType.Data, 1, 3, message(Buffer.from("x"))));
  const { Ping, Headers, Data } = FrameType;
  assert.deepEqual(writes(bench)[0]!.slice(0, 6), [Ping, Ping, Ping, Headers, Data, Headers]);
  assert.equal(writes(bench).length, 1);
  bench.close();
});

test("acknowledged pings do not wait long for an answer that does not come", () => {
  const bench = new Bench();
  bench.connection.receive(hello);
  const block = headerBlock(grpcHeaders("/test.T/Hold"));
  bench.connection.receive(frame(FrameType.Headers, Flag.EndHeaders, 1, block));
  bench.connection.receive(frame(FrameType.Data, Flag.EndStream, 1, message(Buffer.from("x"))));
  bench.socket.written.length = 0;
  for (let round = 1; round <= 3; round++) {
    bench.connection.receive(pings(1));
    assert.equal(bench.socket.written.length, round - 1);
    bench.clock.advance(10);
    assert.equal(bench.socket.written.length, round);
  }
  bench.close();
});

/** A connection on which a call was answered, and what it wrote for that forgotten. */
function answered(): { bench: Bench; call: (id: number, bytes?: number) => void } {
  const bench = new Bench();
  const call = (id: number, bytes = 1): void => {
    const head = frame(
      FrameType.Headers,
      Flag.EndHeaders,
      id,
      headerBlock(grpcHeaders("/test.T/Echo")),
    );
    bench.connection.receive(head);
    const body = message(Buffer.alloc(bytes, 1));
    for (let at = 0; at < body.length; at += 16_000) {
      const isLast = at + 16_000 >= body.length;
      bench.connection.receive(
        frame(FrameType.Data, isLast ? 1 : 0, id, body.subarray(at, at + 16_000)),
      );
    }
  };
  bench.connection.receive(hello);
  call(1);
  bench.socket.written.length = 0;
  return { bench, call };
}

const acks = (bench: Bench): number =>
  writes(bench)
    .flat()
    .filter((type) => type === FrameType.Ping).length;

test("a ping after a small answer rests, and is acknowledged in the end", () => {
  const { bench, call } = answered();
  bench.connection.receive(pings(1));
  bench.clock.advance(15);
  assert.equal(acks(bench), 0);
  bench.clock.advance(10);
  assert.deepEqual(writes(bench), [[FrameType.Ping]], "alone, when there is no answer");
  for (const [before, id] of [3, 5, 7].entries()) {
    call(id);
    bench.connection.receive(pings(1));
    assert.equal(acks(bench), before + 1, "and so does the next one");
    bench.clock.advance(25);
    assert.equal(acks(bench), before + 2);
  }
  bench.close();
});

test("a ping that rested leaves with the next answer", () => {
  const { bench } = answered();
  bench.connection.receive(pings(1));
  bench.clock.advance(20);
  assert.equal(acks(bench), 0);
  const head = frame(FrameType.Headers, 4, 3, headerBlock(grpcHeaders("/test.T/Echo")));
  const body = frame(FrameType.Data, Flag.EndStream, 3, message(Buffer.from("x")));
  bench.connection.receive(Buffer.concat([head, body]));
  const { Ping, Headers, Data } = FrameType;
  assert.deepEqual(writes(bench), [[Ping, Headers, Data, Headers]]);
  bench.close();
});

test("pings do not rest after much was sent, nor while windows hold data back", () => {
  const much = answered();
  much.call(3, 30_000);
  much.bench.connection.receive(pings(1));
  assert.equal(acks(much.bench), 1);
  much.bench.close();
  const { bench, call } = answered();
  bench.connection.receive(pings(1));
  assert.equal(acks(bench), 0);
  call(3, 90_000);
  bench.socket.written.length = 0;
  call(5, 1);
  bench.connection.receive(pings(1));
  assert.equal(acks(bench), 1, "the connection's window is used up");
  bench.close();
});

test("data that must wait for a window brings out the pings that rest", () => {
  const { bench } = answered();
  bench.connection.receive(pings(1));
  const head = frame(FrameType.Headers, 4, 3, headerBlock(grpcHeaders("/test.T/Echo")));
  const body = message(Buffer.alloc(90_000, 1));
  const parts = Array.from({ length: 6 }, (_, at) =>
    frame(FrameType.Data, at === 5 ? 1 : 0, 3, body.subarray(at * 16_000, (at + 1) * 16_000)),
  );
  bench.connection.receive(Buffer.concat([head, ...parts]));
  assert.equal(acks(bench), 1);
  bench.close();
});

test("only a few pings rest, and all are acknowledged in their order", () => {
  const { bench, call } = answered();
  const payloads: number[] = [];
  const collect = (): void => {
    for (const bytes of bench.socket.written) {
      for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3))
        if (bytes[at + 3] === FrameType.Ping) payloads.push(bytes[at + 9]!);
    }
    bench.socket.written.length = 0;
  };
  for (let id = 3; id <= 21; id += 2) {
    bench.connection.receive(frame(FrameType.Ping, 0, 0, Buffer.alloc(8, id)));
    if (id <= 9) assert.deepEqual(payloads, []);
    collect();
    call(id, 1);
  }
  assert.ok(payloads.length > 0, "of many, not all can rest");
  bench.clock.advance(30);
  collect();
  assert.deepEqual(payloads, [3, 5, 7, 9, 11, 13, 15, 17, 19, 21]);
  bench.close();
});
