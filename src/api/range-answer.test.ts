import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeStream, FakeUnary } from "../../test/watch/fake-call.ts";
import { served } from "../../test/watch/served-member.ts";
import { RangeResult, range } from "../state/mvcc/range.ts";
import { RangeView, readRange } from "../wire/kv-requests.ts";
import { encodeKeyValue } from "../wire/messages/kv.ts";
import {
  decodeRangeResponse,
  decodeRangeStreamResponse,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  type RangeRequestInit,
  type RangeResponse,
  SortOrder,
  SortTarget,
} from "../wire/messages/rpc-kv.ts";
import type { AnswerSource, AnswerStream } from "../wire/rpc.ts";
import { Paths } from "../wire/services.ts";

const all = { key: Buffer.of(0), rangeEnd: Buffer.of(0) };

/** A call over a transport that takes messages in pieces. */
class PiecesCall extends FakeUnary {
  pieceBytes: number[] = [];

  sendPieces(pieces: readonly Uint8Array[], sizeBytes: number): void {
    this.pieceBytes = pieces.map((piece) => piece.length);
    const whole = Buffer.concat(pieces);
    assert.equal(whole.length, sizeBytes);
    this.buffer = whole;
    this.send();
  }
}

/** A call over a transport that takes the message as it is made. */
class FlowCall extends FakeUnary {
  partBytes: number[] = [];
  source: AnswerSource | undefined;
  isAbandoned = false;
  sizeBytes = 0;
  readonly #parts: Buffer[] = [];

  sendFrom(sizeBytes: number, source: AnswerSource): AnswerStream {
    this.source = source;
    this.sizeBytes = sizeBytes;
    this.isCancelled = true;
    return { abandon: () => (this.isAbandoned = true) };
  }

  /** The client takes some more; true when there is more to come. */
  take(maxBytes: number): boolean {
    const part = Buffer.from(this.source!.next(maxBytes));
    this.#parts.push(part);
    this.partBytes.push(part.length);
    if (this.partBytes.reduce((sum, one) => sum + one, 0) < this.sizeBytes) return true;
    this.source!.close();
    this.answer = Buffer.concat(this.#parts);
    assert.equal(this.answer.length, this.sizeBytes);
    return false;
  }
}

/** A member with keys of which the values are of the given sizes, in turn. */
function bench(keys: number, valueBytes: readonly number[]) {
  const member = served({ maxRequestBytes: 8 << 20 });
  for (let at = 0; at < keys; at++) {
    // Values in another order than keys.
    const value = Buffer.alloc(valueBytes[at % valueBytes.length]!, (at * 31) % 251);
    const key = Buffer.from(`key ${String(at).padStart(6, "0")}`);
    const call = member.call(Paths.KV.Put, encodePutRequest({ key, value }));
    if (at % 100 === 99 || at === keys - 1) {
      member.world.runUntil(() => call.isDone, 60_000);
      assert.ok(call.isDone);
    }
  }
  return member;
}

type Bench = ReturnType<typeof bench>;

function begin(member: Bench, request: RangeRequestInit, call: FakeUnary): void {
  const method = member.methods.get(Paths.KV.Range);
  assert.ok(method?.kind === "unary");
  const bytes = encodeRangeRequest(request);
  method.handle(call, bytes, 0, bytes.length);
}

function ask(
  member: Bench,
  request: RangeRequestInit,
  call: FakeUnary = new PiecesCall(),
): RangeResponse {
  begin(member, request, call);
  const flow = call instanceof FlowCall ? call : undefined;
  member.world.runUntil(() => call.isDone || flow?.source !== undefined, 60_000);
  if (flow?.source !== undefined) while (flow.take(100_000));
  assert.ok(call.answer !== undefined, call.error?.message);
  return decodeRangeResponse(call.answer);
}

/** What it should be: read at once. */
function expected(member: Bench, request: RangeRequestInit) {
  const bytes = encodeRangeRequest(request);
  const view = new RangeView();
  readRange(bytes, 0, bytes.length, view);
  const result = new RangeResult();
  assert.equal(range(member.member.mvcc, bytes, view, result), null);
  const { more, total, revision } = result;
  return { kvs: result.kvs.views().map((kv) => Buffer.from(kv)), more, total, revision };
}

function check(member: Bench, request: RangeRequestInit, answer: RangeResponse): void {
  const { kvs, more, total, revision } = expected(member, request);
  assert.equal(answer.kvs.length, kvs.length);
  answer.kvs.forEach((kv, at) => {
    assert.ok(kvs[at]!.equals(encodeKeyValue(kv)), `number ${at}`);
  });
  assert.deepEqual([answer.more, answer.count], [more, total]);
  assert.equal(answer.header?.revision, revision);
}

test("a large range in every order, with a limit, of an old revision, over both transports", () => {
  const member = bench(5000, [10, 300]);
  const requests: RangeRequestInit[] = [
    all,
    { ...all, limit: 4200 },
    { ...all, sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.KEY },
    { ...all, sortOrder: SortOrder.ASCEND, sortTarget: SortTarget.VALUE, limit: 3000 },
    { ...all, sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.MOD },
    { ...all, keysOnly: true },
    { ...all, countOnly: true },
    { ...all, revision: 4500 },
    { ...all, minModRevision: 700, limit: 3000 },
    { ...all, limit: 10 },
  ];
  for (const request of requests) {
    check(member, request, ask(member, request));
    check(member, request, ask(member, request, new FakeUnary()));
    check(member, request, ask(member, request, new FlowCall()));
  }
});

test("a small range is sent in place, a large one in pieces of some megabytes", () => {
  const member = bench(7000, [1000]);
  const small = new PiecesCall();
  ask(member, { ...all, limit: 900 }, small);
  assert.deepEqual(small.pieceBytes, []);
  const large = new PiecesCall();
  ask(member, all, large);
  assert.ok(large.pieceBytes.length > 4, `${large.pieceBytes}`);
  for (const bytes of large.pieceBytes) assert.ok(bytes < 3e6, `${bytes}`);
});

test("large values: a slice has some megabytes of them, however few they are", () => {
  const member = bench(1500, [50_000]);
  const call = new PiecesCall();
  check(member, all, ask(member, all, call));
  assert.ok(call.pieceBytes.length > 4);
  const largest = Math.max(...call.pieceBytes);
  assert.ok(largest <= 2 * 1024 * 1024 + 250 * 50_100, `${largest}`);
});

test("others are served between slices, and the range does not see what they do", () => {
  const member = bench(6000, [100]);
  const before = expected(member, all);
  const call = new PiecesCall();
  begin(member, all, call);
  assert.ok(!call.isDone);
  const key = Buffer.from("key 005999");
  const put = member.call(Paths.KV.Put, encodePutRequest({ key, value: Buffer.from("new") }));
  const single = member.call(Paths.KV.Range, encodeRangeRequest({ key }));
  member.world.runUntil(() => call.isDone || single.isDone, 60_000);
  assert.ok(single.isDone && !call.isDone, "a small request overtakes it");
  member.world.runUntil(() => call.isDone && put.isDone, 60_000);
  const answer = decodeRangeResponse(call.answer!);
  assert.deepEqual(answer.kvs.map((kv) => kv.modRevision).at(-1), 6001);
  assert.equal(answer.kvs.length, before.kvs.length);
});

test("a client that goes away ends it, and compaction may go on", () => {
  const member = bench(5000, [100]);
  const call = new PiecesCall();
  begin(member, all, call);
  assert.equal(member.member.mvcc.pins.count, 1);
  call.isCancelled = true;
  member.world.runFor(1000);
  assert.equal(member.member.mvcc.pins.count, 0);
  assert.equal(call.answer, undefined);
});

test("a large answer is made as it is taken, and does not see what others do meanwhile", () => {
  const member = bench(5000, [10, 300]);
  const before = expected(member, all);
  const call = new FlowCall();
  begin(member, all, call);
  member.world.runUntil(() => call.source !== undefined, 60_000);
  for (let round = 0; call.take(50_000); round++) {
    // Keys ahead and behind: changed, changed again, deleted, and the history compacted.
    const key = Buffer.from(`key ${String((round * 397) % 5000).padStart(6, "0")}`);
    const value = Buffer.alloc(round * 50);
    member.call(Paths.KV.Put, encodePutRequest({ key, value }));
    const gone = Buffer.from(`key ${String((round * 811) % 5000).padStart(6, "0")}`);
    member.call(Paths.KV.DeleteRange, encodeDeleteRangeRequest({ key: gone }));
    const { currentRevision } = member.member.mvcc;
    member.call(Paths.KV.Compact, encodeCompactionRequest({ revision: currentRevision }));
    member.world.runFor(500);
  }
  assert.ok(call.partBytes.length > 10, `${call.partBytes.length} parts`);
  for (const part of call.partBytes) assert.ok(part <= 50_000, `${part}`);
  const answer = decodeRangeResponse(call.answer!);
  assert.deepEqual(
    answer.kvs.map((kv) => Buffer.from(encodeKeyValue(kv))),
    before.kvs,
  );
  assert.equal(answer.count, before.total);
  member.world.runFor(5000);
  assert.equal(member.member.mvcc.pins.count, 0);
  assert.equal(member.member.state.compaction.current, undefined, "compaction went on");
});

test("a large answer of an old revision takes records that were replaced since", () => {
  const member = bench(3000, [300]);
  const { currentRevision } = member.member.mvcc;
  for (let at = 0; at < 3000; at += 3) {
    const key = Buffer.from(`key ${String(at).padStart(6, "0")}`);
    member.call(Paths.KV.Put, encodePutRequest({ key, value: Buffer.alloc(at) }));
  }
  member.world.runFor(5000);
  const request = { ...all, revision: currentRevision };
  const call = new FlowCall();
  check(member, request, ask(member, request, call));
  assert.ok(call.partBytes.length > 5);
});

test("a slow reader does not hold up a snapshot from the leader: its answer is broken off", () => {
  const member = bench(3000, [300]);
  const call = new FlowCall();
  begin(member, all, call);
  member.world.runUntil(() => call.source !== undefined, 60_000);
  assert.ok(call.take(1000) && call.take(1000));
  member.member.mvcc.pins.revoke();
  assert.ok(call.isAbandoned);
  assert.equal(member.member.mvcc.pins.count, 0);
});

test("a stream of a large range: its pieces are the answer", () => {
  const member = bench(5000, [10, 2000]);
  const found: Buffer[] = [];
  let count = 0;
  const call = new FakeStream((message) => {
    const { rangeResponse } = decodeRangeStreamResponse(message);
    for (const kv of rangeResponse!.kvs) found.push(Buffer.from(encodeKeyValue(kv)));
    count = rangeResponse!.count;
  });
  member.listen(Paths.KV.RangeStream, encodeRangeRequest(all), call);
  member.world.runUntil(() => call.hasEnded, 60_000);
  assert.ok(call.hasEnded);
  const { kvs, total } = expected(member, all);
  assert.deepEqual(found, kvs);
  assert.equal(count, total);
});
