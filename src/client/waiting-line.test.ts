import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { NodeRandom } from "../io/node-random.ts";
import { CONTEXT_CANCELED } from "../net/grpc-client-call.ts";
import {
  decodeDeleteRangeRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeDeleteRangeResponse,
  encodeRangeResponse,
  encodeTxnResponse,
  SortOrder,
} from "../wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveResponse,
} from "../wire/messages/rpc-lease.ts";
import { decodeWatchRequest, encodeWatchResponse } from "../wire/messages/rpc-watch.ts";
import { bytes, text } from "./bytes.ts";
import type { Caller } from "./caller.ts";
import { dial } from "./dial.ts";
import { LeaseSession } from "./lease-session.ts";
import { type FakeCall, FakeConnection, SkippingClock } from "./testing/fake-connection.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Just enough of a cluster: keys by creation, and watchers that see deletions. */
class Keeper {
  revision = 1;
  leases = 0x10n;
  readonly keys = new Map<string, number>();
  readonly watched: string[] = [];
  #listeners: (() => void)[] = [];

  caller(): Caller {
    const connection = new FakeConnection((call) => this.#answer(call), {
      stream: (call) => this.#stream(call),
    });
    return dial({
      endpoints: ["a:1"],
      clock: new SkippingClock(),
      random: new NodeRandom(),
      connect: () => connection,
    });
  }

  delete(key: string): void {
    if (this.keys.delete(key)) this.revision++;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  #answer({ path, message }: FakeCall): Uint8Array {
    const header = { revision: this.revision };
    if (path.endsWith("/LeaseGrant"))
      return encodeLeaseGrantResponse({ id: this.leases++, ttl: 60 });
    if (path.endsWith("/Txn")) {
      const put = decodeTxnRequest(message).success[0]?.requestPut;
      this.keys.set(text(put?.key ?? bytes("")), ++this.revision);
      return encodeTxnResponse({ header: { revision: this.revision }, succeeded: true });
    }
    if (path.endsWith("/DeleteRange")) {
      this.delete(text(decodeDeleteRangeRequest(message).key));
      return encodeDeleteRangeResponse({ header });
    }
    const { key, rangeEnd, sortOrder, maxCreateRevision } = decodeRangeRequest(message);
    const found = [...this.keys]
      .filter(([name]) => (rangeEnd.length === 0 ? name === text(key) : name.startsWith(text(key))))
      .filter(([, created]) => maxCreateRevision === 0 || created <= maxCreateRevision)
      .sort((a, b) => (sortOrder === SortOrder.DESCEND ? b[1] - a[1] : a[1] - b[1]))
      .map(([name, createRevision]) => ({ key: bytes(name), createRevision }));
    return encodeRangeResponse({ header, kvs: found.slice(0, 1) });
  }

  async *#stream({ path, message }: FakeCall): AsyncGenerator<Uint8Array> {
    if (path.endsWith("/LeaseKeepAlive")) {
      yield encodeLeaseKeepAliveResponse({ id: 1n, ttl: 1e9 });
      return;
    }
    const key = text(decodeWatchRequest(message).createRequest?.key ?? bytes(""));
    this.watched.push(key);
    yield encodeWatchResponse({ created: true, header: { revision: this.revision } });
    while (this.keys.has(key)) {
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
    yield encodeWatchResponse({
      header: { revision: this.revision },
      events: [{ type: 1, kv: { key: bytes(key), modRevision: this.revision } }],
    });
  }
}

const nothing = new Uint8Array(0);

/** A session that ends with the test. */
async function open(t: TestContext, caller: Caller): Promise<LeaseSession> {
  const session = await LeaseSession.open(caller, 60);
  t.after(() => session.close({ revoke: false }));
  return session;
}

test("the first has its turn at once, the others one after the other", async (t) => {
  const keeper = new Keeper();
  const caller = keeper.caller();
  const line = new WaitingLine(caller, "lock");
  const order: string[] = [];
  const joined: Promise<void>[] = [];
  for (const name of ["a", "b", "c"]) {
    const session = await open(t, caller);
    const turn = line.join(session, nothing).then(async ({ key }) => {
      order.push(name);
      await line.leave(key);
    });
    joined.push(turn);
    if (name === "a") assert.equal(order.length, 0);
  }
  await Promise.all(joined);
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.deepEqual([...keeper.keys], []);
});

test("each waits for the one before it only", async (t) => {
  const keeper = new Keeper();
  keeper.keys.set("lock/x", 2);
  keeper.keys.set("lock/y", 3);
  keeper.revision = 3;
  const caller = keeper.caller();
  const turn = new WaitingLine(caller, "lock").join(await open(t, caller), nothing);
  while (keeper.watched.length === 0) await new Promise(setImmediate);
  assert.deepEqual(keeper.watched, ["lock/y"]);
  keeper.delete("lock/y");
  while (keeper.watched.length === 1) await new Promise(setImmediate);
  assert.deepEqual(keeper.watched, ["lock/y", "lock/x"]);
  keeper.delete("lock/x");
  assert.equal(text((await turn).key), "lock/10");
});

test("who gives up leaves the line", async (t) => {
  const keeper = new Keeper();
  keeper.keys.set("lock/x", 2);
  keeper.revision = 2;
  const caller = keeper.caller();
  const session = await open(t, caller);
  const controller = new AbortController();
  const line = new WaitingLine(caller, "lock");
  const turn = line.join(session, nothing, { signal: controller.signal });
  while (keeper.watched.length === 0) await new Promise(setImmediate);
  assert.equal(keeper.keys.size, 2);
  controller.abort();
  await assert.rejects(turn, (error) => error === CONTEXT_CANCELED);
  assert.deepEqual([...keeper.keys.keys()], ["lock/x"]);
});

test("the first of the line", async () => {
  const keeper = new Keeper();
  const line = new WaitingLine(keeper.caller(), "lock");
  assert.equal((await line.first()).kv, undefined);
  keeper.keys.set("lock/late", 9);
  keeper.keys.set("lock/early", 4);
  assert.equal(text((await line.first()).kv?.key ?? nothing), "lock/early");
});
