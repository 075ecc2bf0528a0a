import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, silentLogger } from "../base/log.ts";
import { NodeRandom } from "../io/node-random.ts";
import { CONTEXT_DEADLINE_EXCEEDED, Unprocessed } from "../net/grpc-client-call.ts";
import { Errors } from "../wire/errors.ts";
import {
  decodeAuthenticateRequest,
  encodeAuthenticateResponse,
} from "../wire/messages/rpc-auth.ts";
import {
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
} from "../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../wire/status.ts";
import { bytes } from "./bytes.ts";
import type { Caller } from "./caller.ts";
import { type ClientOptions, dial } from "./dial.ts";
import { CLIENT_IS_CLOSING, NO_AVAILABLE_ENDPOINTS } from "./errors.ts";
import { Kv } from "./kv.ts";
import { Maintenance } from "./maintenance.ts";
import { type Answer, FakeConnection, SkippingClock } from "./testing/fake-connection.ts";

const UNAVAILABLE = new RpcError(Code.Unavailable, "error reading from server: EOF");
const key = bytes("k");
const found = encodeRangeResponse({ count: 1 });

/** Answers by the errors in turn, then for ever by the last answer. */
function inTurn(...answers: (unknown | Uint8Array)[]): Answer {
  let turn = 0;
  return () => {
    const answer = answers[Math.min(turn++, answers.length - 1)];
    if (answer instanceof Uint8Array) return answer;
    throw answer;
  };
}

interface Setup {
  caller: Caller;
  kv: Kv;
  clock: SkippingClock;
}

function connect(connections: FakeConnection[], options: Partial<ClientOptions> = {}): Setup {
  const clock = new SkippingClock();
  let next = 0;
  const caller = dial({
    endpoints: connections.map((_, i) => `127.0.0.1:${i + 1}`),
    clock,
    random: new NodeRandom(),
    connect: () => connections[next++]!,
    ...options,
  });
  return { caller, kv: new Kv(caller), clock };
}

test("a read is repeated at another member when one goes away", async () => {
  const gone = new FakeConnection(inTurn(UNAVAILABLE));
  const alive = new FakeConnection(inTurn(found));
  const { kv } = connect([gone, alive]);
  assert.equal((await kv.range({ key })).count, 1);
  assert.deepEqual([gone.calls.length, alive.calls.length], [1, 1]);
});

test("a write that may have happened is not repeated", async () => {
  const gone = new FakeConnection(inTurn(UNAVAILABLE));
  const alive = new FakeConnection(inTurn(encodePutResponse({})));
  const { kv } = connect([gone, alive]);
  await assert.rejects(kv.put({ key }), (error) => error === UNAVAILABLE);
  assert.equal(alive.calls.length, 0);
});

test("a write that no server has seen is repeated", async () => {
  const unprocessed = new Unprocessed(UNAVAILABLE);
  const connection = new FakeConnection(inTurn(unprocessed, encodePutResponse({})));
  await connect([connection]).kv.put({ key });
  assert.equal(connection.calls.length, 2);
});

test("a transaction counts as a read only when it has nothing but reads", async () => {
  const range = { requestRange: { key } };
  const answers = (): FakeConnection =>
    new FakeConnection(inTurn(UNAVAILABLE, encodeTxnResponse({})));
  const reads = answers();
  await connect([reads]).kv.txn({ success: [range], failure: [range] });
  assert.equal(reads.calls.length, 2);
  const writes = answers();
  const request = { success: [range, { requestPut: { key } }] };
  await assert.rejects(connect([writes]).kv.txn(request));
  assert.equal(writes.calls.length, 1);
});

test("answers other than Unavailable are final", async () => {
  for (const error of [Errors.EmptyKey, Errors.Compacted, Errors.PermissionDenied]) {
    const connection = new FakeConnection(inTurn(error));
    await assert.rejects(connect([connection]).kv.range({ key }), (e) => e === error);
    assert.equal(connection.calls.length, 1);
  }
});

test("a read is given up in time, or after a hundred attempts", async () => {
  const timed = connect([new FakeConnection(inTurn(UNAVAILABLE))]);
  const startMs = timed.clock.monotonicMs();
  await assert.rejects(
    timed.kv.range({ key }, { timeoutMs: 500 }),
    (error) => error === CONTEXT_DEADLINE_EXCEEDED,
  );
  assert.ok(timed.clock.monotonicMs() - startMs <= 501);
  const endless = new FakeConnection(inTurn(UNAVAILABLE));
  await assert.rejects(connect([endless]).kv.range({ key }), (error) => error === UNAVAILABLE);
  assert.equal(endless.calls.length, 100);
});

test("without a connection a call waits, and fails by its own time", async () => {
  const down = new FakeConnection(inTurn(found), { isUp: false });
  const { kv } = connect([down]);
  await assert.rejects(
    kv.put({ key }, { timeoutMs: 1000 }),
    (e) => e === CONTEXT_DEADLINE_EXCEEDED,
  );
  assert.equal(down.calls.length, 0);
  const waiting = kv.range({ key });
  down.become("ready");
  assert.equal((await waiting).count, 1);
});

test("a patient call waits for its answer, but not for ever for a connection", async () => {
  const down = new FakeConnection(inTurn(found), { isUp: false });
  const { caller, kv, clock } = connect([down]);
  const startMs = clock.monotonicMs();
  const isUnreachable = (error: unknown): boolean =>
    error instanceof RpcError && error.code === Code.Unavailable;
  for (const patient of [{ connectTimeoutMs: 1000 }, { connectTimeoutMs: 1000, timeoutMs: 5000 }]) {
    await assert.rejects(kv.put({ key }, patient), isUnreachable);
    await assert.rejects(kv.range({ key }, patient), isUnreachable);
    await assert.rejects(new Maintenance(caller).snapshot(patient).next(), isUnreachable);
  }
  assert.ok(clock.monotonicMs() - startMs <= 6 * 1001);
  assert.equal(down.calls.length, 0);
  await assert.rejects(
    kv.put({ key }, { connectTimeoutMs: 1000, timeoutMs: 500 }),
    (error) => error === CONTEXT_DEADLINE_EXCEEDED,
  );
});

test("a patient call is not sent again to a member that has gone for good", async () => {
  const connection = new FakeConnection(() => {
    connection.become("connecting");
    throw new Unprocessed(UNAVAILABLE);
  });
  const { kv } = connect([connection]);
  await assert.rejects(
    kv.put({ key }, { connectTimeoutMs: 1000 }),
    (error) => error instanceof RpcError && error.code === Code.Unavailable,
  );
  assert.equal(connection.calls.length, 1);
});

test("a waiting call can be cancelled", async () => {
  const { kv } = connect([new FakeConnection(inTurn(found), { isUp: false })]);
  const controller = new AbortController();
  const call = kv.range({ key }, { signal: controller.signal });
  controller.abort();
  await assert.rejects(call, (error) => (error as RpcError).message === "context canceled");
});

test("the server's word that time is over is our own", async () => {
  const answer = inTurn(new RpcError(Code.DeadlineExceeded, "context deadline exceeded"));
  const { kv } = connect([new FakeConnection(answer)]);
  await assert.rejects(
    kv.range({ key }, { timeoutMs: 500 }),
    (e) => e === CONTEXT_DEADLINE_EXCEEDED,
  );
});

test("ready members take turns, dead ones cost nothing", async () => {
  const first = new FakeConnection(inTurn(found));
  const dead = new FakeConnection(inTurn(found), { isUp: false });
  const second = new FakeConnection(inTurn(found));
  const { kv } = connect([first, dead, second]);
  for (let i = 0; i < 6; i++) await kv.range({ key });
  assert.deepEqual([first.calls.length, dead.calls.length, second.calls.length], [3, 0, 3]);
});

/** A server with authentication: tokens are valid until it restarts. */
class Guarded {
  tokens = 0;
  valid = "";
  readonly connection = new FakeConnection(({ path, message, options }) => {
    if (path.endsWith("/Authenticate")) {
      const { name, password } = decodeAuthenticateRequest(message);
      if (name !== "root" || password !== "pw") throw Errors.AuthFailed;
      this.valid = `token-${++this.tokens}`;
      return encodeAuthenticateResponse({ token: this.valid });
    }
    const { token } = options.metadata ?? {};
    if (token === undefined) throw Errors.UserEmpty;
    if (token !== this.valid) throw Errors.InvalidAuthToken;
    return found;
  });
}

test("a name and password get a token, again when it has become invalid", async () => {
  const server = new Guarded();
  const { kv } = connect([server.connection], { username: "root", password: "pw" });
  await kv.range({ key });
  await kv.range({ key });
  assert.equal(server.tokens, 1);
  server.valid = "";
  await kv.put({ key }).catch(() => assert.fail("a refused write was not repeated"));
  assert.equal(server.tokens, 2);
});

test("a wrong password is an error of its own", async () => {
  const server = new Guarded();
  const { caller } = connect([server.connection], { username: "root", password: "no" });
  await assert.rejects(caller.authenticate(), (error) => error === Errors.AuthFailed);
});

test("calls that begin together share one new token", async () => {
  const server = new Guarded();
  const { kv } = connect([server.connection], { username: "root", password: "pw" });
  await Promise.all([kv.range({ key }), kv.range({ key }), kv.range({ key })]);
  assert.equal(server.tokens, 1);
});

test("a cluster without authentication takes calls without a token", async () => {
  const connection = new FakeConnection(({ path }) => {
    if (path.endsWith("/Authenticate")) throw Errors.AuthNotEnabled;
    return found;
  });
  const { caller, kv } = connect([connection], { username: "root", password: "pw" });
  await caller.authenticate();
  assert.equal((await kv.range({ key })).count, 1);
});

test("a fixed token is sent as it is, and names the API version", async () => {
  const connection = new FakeConnection(inTurn(found));
  const { kv } = connect([connection], { token: "jwt" });
  await kv.range({ key }, { requireLeader: true });
  assert.deepEqual(connection.calls[0]?.options.metadata, {
    "client-api-version": "3.7",
    token: "jwt",
    hasleader: "true",
  });
});

test("failed attempts are logged with number, method and error", async () => {
  const lines: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (message, fields) => lines.push([message, fields]) };
  const { kv } = connect([new FakeConnection(inTurn(Errors.EmptyKey))], { log });
  await assert.rejects(kv.range({ key }));
  assert.deepEqual(lines, [
    [
      "retrying of unary invoker failed",
      {
        target: "etcd-endpoints:///127.0.0.1:1",
        peer: "Peer{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>}",
        method: "/etcdserverpb.KV/Range",
        attempt: 0,
        error: "rpc error: code = InvalidArgument desc = etcdserver: key is not provided",
      },
    ],
  ]);
});

test("a client needs an endpoint", () => {
  assert.throws(
    () => connect([]),
    (error) => error === NO_AVAILABLE_ENDPOINTS,
  );
});

test("calls that wait for a connection, and later ones, end when the client is closed", async () => {
  const { caller, kv } = connect([new FakeConnection(inTurn(found), { isUp: false })]);
  const waiting = assert.rejects(kv.range({ key }), CLIENT_IS_CLOSING);
  await new Promise((resolve) => setImmediate(resolve));
  caller.close();
  await waiting;
  await assert.rejects(kv.range({ key }), CLIENT_IS_CLOSING);
});
