// What clients of the Watch service do wrong, or what goes wrong for them: each gets a clear
// answer, and nobody else notices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultWatchLimits } from "../../src/state/watch/watch-limits.ts";
import {
  decodeCompactionResponse,
  decodePutResponse,
  encodeCompactionRequest,
  encodePutRequest,
} from "../../src/wire/messages/rpc-kv.ts";
import type { WatchResponse } from "../../src/wire/messages/rpc-watch.ts";
import { served } from "./served-member.ts";
import { WatchClient } from "./watch-client.ts";

type Served = ReturnType<typeof served>;

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const key = bytes("k");

function put(member: Served, value: Uint8Array = key): number {
  const request = encodePutRequest({ key, value });
  return member.ask("/etcdserverpb.KV/Put", request, decodePutResponse).header!.revision;
}

function client(member: Served): WatchClient {
  return new WatchClient(member.member, member.methods);
}

function revisions(received: readonly { response: WatchResponse }[]): number[] {
  return received.flatMap(({ response }) => response.events.map((one) => one.kv!.modRevision));
}

test("a watcher that never reads: bounded memory, others are in time, and nothing is lost", () => {
  const member = served();
  const [stuck, other] = [client(member), client(member)];
  stuck.call.isFast = false;
  const [late, early] = [stuck.watch({ key }), other.watch({ key })];
  member.world.runFor(100);
  const value = new Uint8Array(64 * 1024);
  const written = Array.from({ length: 200 }, () => {
    const revision = put(member, value);
    // In the turn of the put, whatever the other one does.
    member.world.runFor(1);
    assert.equal(revisions(early.received).at(-1), revision);
    return revision;
  });
  const { streamBytesMax, responseBytes } = defaultWatchLimits(0);
  assert.ok(stuck.call.queuedBytes <= streamBytesMax + responseBytes, `${stuck.call.queuedBytes}`);
  stuck.call.isFast = true;
  stuck.call.take(Number.POSITIVE_INFINITY);
  member.world.runFor(1000);
  assert.deepEqual(revisions(late.received), written);
});

test("a compacted revision is told with the one that is left, the next one is served", () => {
  const member = served();
  for (let i = 0; i < 5; i++) put(member);
  const request = encodeCompactionRequest({ revision: 4 });
  member.ask("/etcdserverpb.KV/Compact", request, decodeCompactionResponse);
  const stream = client(member);
  const [gone, there] = [
    stream.watch({ key, startRevision: 3 }),
    stream.watch({ key, startRevision: 4 }),
  ];
  member.world.runFor(100);
  assert.equal(gone.received[0]?.response.created, true);
  const last = gone.received.at(-1)!.response;
  assert.deepEqual(
    [last.canceled, last.compactRevision, last.header?.revision, last.cancelReason],
    [true, 4, 0, ""],
  );
  assert.deepEqual(revisions(there.received), [4, 5, 6]);
});

test("a future revision waits, without what comes before it", () => {
  const member = served();
  const watch = client(member).watch({ key, startRevision: 5 });
  for (let i = 0; i < 5; i++) put(member);
  member.world.runFor(100);
  assert.deepEqual(revisions(watch.received), [5, 6]);
});

test("there is no progress of a stream before the beginning of each of its watchers", () => {
  const member = served();
  const stream = client(member);
  const [now, later] = [stream.watch({ key }), stream.watch({ key, startRevision: 2 })];
  const isTold = (): boolean => {
    stream.progress();
    member.world.runFor(100);
    const last = now.received.at(-1)!.response;
    return last.watchId === -1 && last.events.length === 0;
  };
  assert.ok(!isTold());
  put(member);
  assert.ok(isTold());
  assert.deepEqual([revisions(now.received), revisions(later.received)], [[2], [2]]);
});

test("10,000 creates on one stream: each has its id, each gets its event, all can be cancelled", () => {
  const member = served();
  const stream = client(member);
  const watches = Array.from({ length: 10_000 }, () => stream.watch({ key }));
  member.world.runFor(100);
  assert.equal(new Set(watches.map(({ id }) => id)).size, 10_000);
  const revision = put(member);
  member.world.runFor(100);
  for (const watch of watches) assert.deepEqual(revisions(watch.received), [revision]);
  for (const watch of watches) stream.cancel(watch.id!);
  member.world.runFor(100);
  assert.equal(stream.live.size, 0);
  put(member);
  member.world.runFor(100);
  for (const watch of watches) assert.equal(watch.received.at(-1)?.response.canceled, true);
});

test("an id that is taken, a range without keys, a negative revision: created and cancelled", () => {
  const member = served();
  const stream = client(member);
  const first = stream.watch({ key, watchId: 7 });
  const refused = [
    stream.watch({ key, watchId: 7 }),
    stream.watch({ key: bytes("b"), rangeEnd: bytes("a") }),
    stream.watch({ key, startRevision: -1 }),
  ].map(({ received }) => received[0]!.response);
  assert.deepEqual(
    refused.map(({ created, canceled, watchId }) => [created, canceled, watchId]),
    Array(3).fill([true, true, -1]),
  );
  assert.deepEqual(
    refused.map(({ cancelReason }) => cancelReason),
    [
      "mvcc: duplicate watch ID provided on the WatchStream",
      "mvcc: watcher range is empty",
      "etcdserver: mvcc: required revision has been compacted",
    ],
  );
  const revision = put(member);
  member.world.runFor(100);
  assert.deepEqual(revisions(first.received), [revision]);
  // A cancelled id may be used again; one that is not there is passed over.
  stream.cancel(99);
  stream.cancel(7);
  assert.equal(stream.watch({ key, watchId: 7 }).id, 7);
});
