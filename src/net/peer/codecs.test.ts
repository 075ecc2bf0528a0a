import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeMessage,
  type Entry,
  encodeMessage,
  type Message,
  MessageType,
  newMessage,
} from "../../wire/messages/raft.ts";
import { FrameError, writeLength } from "./frame-input.ts";
import { MessageDecoder, MessageEncoder } from "./message-codec.ts";
import { MsgAppDecoder, MsgAppEncoder } from "./msgapp-codec.ts";
import { encodeRaftMessage, isLinkHeartbeat, linkHeartbeat } from "./raft-message.ts";
import type { FrameOutput, StreamDecoder } from "./stream-codec.ts";

const LOCAL = 0xfedcba9876543210n;
const REMOTE = 0x8000000000000001n;

class Collected implements FrameOutput {
  bytes: Uint8Array = new Uint8Array(16);
  length = 0;

  ensure(sizeBytes: number): void {
    if (this.length + sizeBytes <= this.bytes.length) return;
    const grown = new Uint8Array(2 * (this.length + sizeBytes));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  get all(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

const index = fc.oneof(fc.nat(5), fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const data = fc.uint8Array({ maxLength: 200 });
const entry: fc.Arbitrary<Entry> = fc.record({
  type: fc.constantFrom(0, 1, 2),
  term: index,
  index,
  data,
}) as fc.Arbitrary<Entry>;
const message: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom(...Object.values(MessageType)),
  to: id,
  from: id,
  term: index,
  logTerm: index,
  index,
  entries: fc.array(entry, { maxLength: 4 }),
  commit: index,
  vote: id,
  snapshot: fc.option(
    fc.record({
      data,
      metadata: fc.record({ confState: fc.constant(undefined), index, term: index }),
    }),
    { nil: undefined },
  ),
  reject: fc.boolean(),
  rejectHint: index,
  context: data,
  responses: fc.constant([]),
});

/** What a leader sends to a follower in step: terms and indexes of which most can be foretold. */
const appends: fc.Arbitrary<Message[]> = fc
  .array(
    fc.record({
      term: fc.nat(3),
      jump: fc.boolean(),
      sizes: fc.array(fc.nat(50), { maxLength: 4 }),
      isHeartbeat: fc.boolean(),
    }),
    { maxLength: 20 },
  )
  .map((steps) => {
    let [term, last] = [1, 0];
    return steps.map(({ term: newTerm, jump, sizes, isHeartbeat }) => {
      if (isHeartbeat) return linkHeartbeat;
      const logTerm = term;
      if (jump) {
        term = Math.max(term, newTerm);
        last += 7;
      }
      const prev = last;
      const entries = sizes.map((size) => {
        last++;
        return { type: 0, term, index: last, data: new Uint8Array(size).fill(last) } as Entry;
      });
      const numbers = { term, logTerm, index: prev, commit: prev };
      const ids = { type: MessageType.MsgApp, to: LOCAL, from: REMOTE };
      return { ...newMessage(), ...ids, ...numbers, entries };
    });
  });

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  for (const cut of cuts) {
    const end = Math.min(bytes.length, at + cut);
    found.push(bytes.slice(at, end));
    at = end;
  }
  found.push(bytes.slice(at));
  return found;
}

function decodeAll(decoder: StreamDecoder, chunks: readonly Uint8Array[]): Message[] {
  const found: Message[] = [];
  for (const chunk of chunks) {
    decoder.append(chunk);
    for (let next = decoder.next(); next !== undefined; next = decoder.next()) found.push(next);
  }
  return found;
}

/** Views become copies, which deepEqual compares. */
function plain(one: Message): Message {
  return decodeMessage(encodeMessage(one).slice());
}

const cuts = fc.array(fc.nat(40), { maxLength: 60 });

test("our form of a message is read as the message", () => {
  fc.assert(
    fc.property(message, (one) => {
      assert.deepEqual(plain(decodeMessage(encodeRaftMessage(one))), plain(one));
    }),
  );
});

test("messages come out of a stream as they went in, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), cuts, (messages, where) => {
      const output = new Collected();
      const encoder = new MessageEncoder();
      for (const one of messages) encoder.encode(one, output);
      const found = decodeAll(new MessageDecoder(), pieces(output.all, where));
      assert.deepEqual(found.map(plain), messages.map(plain));
    }),
  );
});

test("appends come out of their stream as they went in, however it is cut", () => {
  fc.assert(
    fc.property(appends, cuts, (messages, where) => {
      const output = new Collected();
      const encoder = new MsgAppEncoder();
      for (const one of messages) encoder.encode(one, output);
      const found = decodeAll(new MsgAppDecoder(LOCAL, REMOTE), pieces(output.all, where));
      assert.deepEqual(found.map(plain), messages.map(plain));
    }),
  );
});

test("appends that can be foretold carry neither term nor ids", () => {
  const encoder = new MsgAppEncoder();
  const output = new Collected();
  const first = { ...newMessage(), type: MessageType.MsgApp, term: 2, logTerm: 1, index: 5 };
  const e6: Entry = { type: 0, term: 2, index: 6, data: Uint8Array.of(0x78) };
  encoder.encode({ ...first, entries: [e6] }, output);
  const start = output.length;
  const e7: Entry = { ...e6, index: 7 };
  encoder.encode({ ...first, logTerm: 2, index: 6, commit: 6, entries: [e7] }, output);
  assert.equal(
    Buffer.from(output.all.subarray(start)).toString("hex"),
    "01 0000000000000001 0000000000000007 10021807220178 0000000000000006".replaceAll(" ", ""),
  );
});

test("bytes that etcd writes: link heartbeats, entries without data", () => {
  const output = new Collected();
  new MessageEncoder().encode(linkHeartbeat, output);
  assert.equal(Buffer.from(output.all).toString("hex"), "00000000000000020808");
  const beat = new Collected();
  new MsgAppEncoder().encode(linkHeartbeat, beat);
  assert.deepEqual([...beat.all], [0]);
});

test("zeros that older members write out are read as if they were left out", () => {
  const zeros = encodeMessage(linkHeartbeat);
  assert.ok(zeros.length > 2);
  const framed = new Uint8Array(8 + zeros.length);
  writeLength(framed, 0, zeros.length);
  framed.set(zeros, 8);
  const [found] = decodeAll(new MessageDecoder(), [framed]);
  assert.ok(found !== undefined && isLinkHeartbeat(found));
});

test("lengths beyond the limit, kinds that do not exist and broken messages are errors", () => {
  const huge = new Uint8Array(8);
  writeLength(huge, 0, 2 ** 40);
  const message = new MessageDecoder();
  message.append(huge);
  assert.throws(() => message.next(), FrameError);
  const kind = new MsgAppDecoder(LOCAL, REMOTE);
  kind.append(Uint8Array.of(3));
  assert.throws(() => kind.next(), /failed to parse type 3 in msgappv2 stream/);
  const entries = new MsgAppDecoder(LOCAL, REMOTE);
  entries.append(Uint8Array.of(1, ...huge));
  assert.throws(() => entries.next(), FrameError);
  const broken = new MessageDecoder();
  broken.append(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff));
  assert.throws(() => broken.next(), /proto/);
});

test("a frame of a megabyte in small pieces is put together without copying it each time", () => {
  const encoder = new MessageEncoder();
  const output = new Collected();
  const big: Entry = { type: 0, term: 1, index: 1, data: new Uint8Array(1 << 20).fill(7) };
  encoder.encode({ ...newMessage(), type: MessageType.MsgApp, entries: [big] }, output);
  const decoder = new MessageDecoder();
  const buffers = new Set<Uint8Array>();
  let found: Message | undefined;
  for (let at = 0; at < output.length; at += 1000) {
    decoder.append(output.all.slice(at, at + 1000));
    found = decoder.next();
    buffers.add(decoder.input.bytes);
  }
  assert.deepEqual(found?.entries[0]?.data.length, 1 << 20);
  assert.ok(buffers.size <= 3);
});
