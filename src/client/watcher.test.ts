import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRandom } from "../io/node-random.ts";
import { Errors } from "../wire/errors.ts";
import {
  decodeWatchRequest,
  encodeWatchResponse,
  type WatchResponseInit,
} from "../wire/messages/rpc-watch.ts";
import { Code, RpcError } from "../wire/status.ts";
import { bytes } from "./bytes.ts";
import { dial } from "./dial.ts";
import { FakeConnection, SkippingClock } from "./testing/fake-connection.ts";
import { Watcher } from "./watcher.ts";

const LOST = new RpcError(Code.Unavailable, "error reading from server: EOF");

function event(modRevision: number): WatchResponseInit {
  return { header: { revision: modRevision }, events: [{ kv: { key: bytes("k"), modRevision } }] };
}

const created = (revision: number): WatchResponseInit => ({ created: true, header: { revision } });

/** A server whose streams answer as given, one after the other. */
function serve(streams: (WatchResponseInit | RpcError)[][]): {
  watcher: (startRevision?: number) => Watcher;
  starts: number[];
} {
  const starts: number[] = [];
  let turn = 0;
  const connection = new FakeConnection(() => new Uint8Array(0), {
    async *stream({ message }) {
      starts.push(decodeWatchRequest(message).createRequest?.startRevision ?? -1);
      for (const answer of streams[turn++] ?? []) {
        if (answer instanceof RpcError) throw answer;
        yield encodeWatchResponse(answer);
      }
      await new Promise(() => {});
    },
  });
  const caller = dial({
    endpoints: ["a:1"],
    clock: new SkippingClock(),
    random: new NodeRandom(),
    connect: () => connection,
  });
  const watcher = (startRevision = 0): Watcher =>
    new Watcher(caller, { key: bytes("k"), startRevision });
  return { watcher, starts };
}

test("a lost stream goes on after the last revision that was seen", async () => {
  const { watcher, starts } = serve([
    [created(7), event(8), event(9), LOST],
    [created(20), event(15), LOST],
    [created(20), event(21)],
  ]);
  const one = watcher();
  const seen: (number | undefined)[] = [];
  for (let i = 0; i < 4; i++) seen.push((await one.next())?.events[0]?.kv?.modRevision);
  assert.deepEqual(seen, [8, 9, 15, 21]);
  assert.deepEqual(starts, [0, 10, 16]);
});

test("a stream that is lost before any event goes on where watching began", async () => {
  const { watcher, starts } = serve([[created(7), LOST], [LOST], [created(9), event(10)]]);
  await watcher().next();
  assert.deepEqual(starts, [0, 8, 8]);
});

test("history is asked for again from its start, progress moves it on", async () => {
  const { watcher, starts } = serve([
    [created(30), LOST],
    [created(30), { header: { revision: 30 } }, LOST],
    [created(31), event(31)],
  ]);
  const one = watcher(5);
  assert.equal((await one.next())?.header?.revision, 30);
  await one.next();
  assert.deepEqual(starts, [5, 5, 31]);
});

test("fragments come as one answer; half of one is asked for again", async () => {
  const part = (modRevision: number, fragment: boolean): WatchResponseInit => ({
    ...event(modRevision),
    fragment,
  });
  const { watcher, starts } = serve([
    [created(7), part(8, true), part(8, false), part(9, true), LOST],
    [created(20), part(9, true), part(9, true), part(9, false)],
  ]);
  const one = watcher();
  const counts = [(await one.next())?.events.length, (await one.next())?.events.length];
  assert.deepEqual(counts, [2, 3]);
  assert.deepEqual(starts, [0, 9]);
});

test("a loop over a watcher closes it, and a closed one ends quietly", async () => {
  const one = serve([[created(1), event(2), event(3)]]).watcher();
  for await (const { events } of one) {
    assert.equal(events[0]?.kv?.modRevision, 2);
    break;
  }
  assert.equal(await one.next(), undefined);
  const other = serve([[created(1)]]).watcher();
  const next = other.next();
  await new Promise(setImmediate);
  other.close();
  assert.equal(await next, undefined);
});

test("cancelled by the server: told once, then the end", async () => {
  const { watcher } = serve([[created(9), { canceled: true, compactRevision: 5 }]]);
  const one = watcher(2);
  assert.equal((await one.next())?.compactRevision, 5);
  assert.equal(await one.next(), undefined);
});

test("errors that no other stream would mend are told as a cancellation", async () => {
  for (const error of [Errors.PermissionDenied, Errors.NoLeader]) {
    const { watcher, starts } = serve([[error], [created(1), event(2)]]);
    const one = watcher();
    const response = await one.next();
    assert.deepEqual([response?.canceled, response?.cancelReason], [true, error.message]);
    assert.equal(await one.next(), undefined);
    assert.equal(starts.length, 1);
  }
});

test("a closed watcher ends", async () => {
  const one = serve([[created(1), event(2), event(3)]]).watcher();
  await one.next();
  one.close();
  assert.equal(await one.next(), undefined);
});
