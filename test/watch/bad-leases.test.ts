// Leases on bad days: wrong requests, races, a client that dies, a clock that is set, a restart.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodePutResponse,
  decodeRangeResponse,
  encodePutRequest,
  encodeRangeRequest,
} from "../../src/wire/messages/rpc-kv.ts";
import {
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  decodeLeaseLeasesResponse,
  decodeLeaseTimeToLiveResponse,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseLeasesRequest,
  encodeLeaseRevokeRequest,
  encodeLeaseTimeToLiveRequest,
} from "../../src/wire/messages/rpc-lease.ts";
import { decodeLockResponse, encodeLockRequest } from "../../src/wire/messages/v3lock.ts";
import { SimWorld } from "../simulation/world.ts";
import { FakeStream } from "./fake-call.ts";
import { memberOptions, ServedMember, served } from "./served-member.ts";

type Served = ReturnType<typeof served>;

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const GRANT = "/etcdserverpb.Lease/LeaseGrant";
const REVOKE = "/etcdserverpb.Lease/LeaseRevoke";

function grant(member: ServedMember, id: bigint, ttl: number): number {
  return member.ask(GRANT, encodeLeaseGrantRequest({ id, ttl }), decodeLeaseGrantResponse).ttl;
}

function ttlOf(member: ServedMember, id: bigint): number {
  const request = encodeLeaseTimeToLiveRequest({ id });
  const path = "/etcdserverpb.Lease/LeaseTimeToLive";
  return member.ask(path, request, decodeLeaseTimeToLiveResponse).ttl;
}

function put(member: ServedMember, key: string, lease: bigint): void {
  const request = encodePutRequest({ key: bytes(key), lease });
  member.ask("/etcdserverpb.KV/Put", request, decodePutResponse);
}

function count(member: ServedMember): number {
  const request = encodeRangeRequest({ key: bytes("\0"), rangeEnd: bytes("\0"), countOnly: true });
  return member.ask("/etcdserverpb.KV/Range", request, decodeRangeResponse).count;
}

/** A keep-alive stream; the TTLs of its answers. */
function renewer(member: Served): { renew: (id: bigint) => void; ttls: number[] } {
  const ttls: number[] = [];
  const call = new FakeStream((message) => ttls.push(decodeLeaseKeepAliveResponse(message).ttl));
  const handler = member.open("/etcdserverpb.Lease/LeaseKeepAlive", call);
  const renew = (id: bigint): void => {
    const request = encodeLeaseKeepAliveRequest({ id });
    handler.onMessage(request, 0, request.length);
  };
  return { renew, ttls };
}

test("granting: an id that is used, and times to live that are none or huge", () => {
  const member = served();
  assert.deepEqual([grant(member, 1n, 0), grant(member, 2n, -5), grant(member, 3n, 1)], [2, 2, 2]);
  assert.equal(grant(member, 4n, 9_000_000_000), 9_000_000_000);
  const refusal = (id: bigint, ttl: number): string =>
    member.refusal(GRANT, encodeLeaseGrantRequest({ id, ttl }));
  assert.equal(refusal(4n, 10), "9 etcdserver: lease already exists");
  assert.equal(refusal(5n, 9_000_000_001), "11 etcdserver: too large lease TTL");
  assert.equal(ttlOf(member, 5n), -1);
  assert.ok(ttlOf(member, 4n) > 8_999_999_990);
});

test("a renewal after a revoke is told that there is no lease, whichever came first", () => {
  for (const isRenewedFirst of [true, false]) {
    const member = served();
    grant(member, 1n, 30);
    put(member, "k", 1n);
    const { renew, ttls } = renewer(member);
    if (isRenewedFirst) renew(1n);
    const revoke = member.call(REVOKE, encodeLeaseRevokeRequest({ id: 1n }));
    if (!isRenewedFirst) renew(1n);
    renew(1n);
    member.world.runFor(1000);
    assert.ok(revoke.answer !== undefined);
    renew(1n);
    member.world.runFor(1000);
    assert.equal(ttls.at(-1), 0);
    assert.equal(ttls.length, 3);
    assert.deepEqual([count(member), ttlOf(member, 1n)], [0, -1]);
    const again = member.refusal(REVOKE, encodeLeaseRevokeRequest({ id: 1n }));
    assert.equal(again, "5 etcdserver: requested lease not found");
  }
});

test("a renewal between expiry and its revoke does not bring the lease back", () => {
  const member = served();
  grant(member, 1n, 5);
  const { renew, ttls } = renewer(member);
  member.world.runUntil(() => member.member.leaseClock.remainingSeconds(lease(member)) === 0);
  renew(1n);
  member.world.runFor(2000);
  assert.deepEqual(ttls, [0]);
  assert.equal(ttlOf(member, 1n), -1);
});

function lease(member: Served): Parameters<Served["member"]["leaseClock"]["remainingSeconds"]>[0] {
  return member.member.state.leases.find(1n) ?? assert.fail("the lease has gone early");
}

test("a client dies with a lock: it is free after the TTL, not before", () => {
  const member = served();
  for (const id of [1n, 2n]) grant(member, id, id === 1n ? 10 : 1000);
  const lock = (id: bigint): Uint8Array => encodeLockRequest({ name: bytes("l"), lease: id });
  const path = "/v3lockpb.Lock/Lock";
  const grantedAtMs = member.world.nowMs;
  member.ask(path, lock(1n), decodeLockResponse);
  const waiting = member.call(path, lock(2n));
  // Its last renewal, then silence.
  const { renew } = renewer(member);
  member.world.runFor(4000);
  renew(1n);
  const renewedAtMs = member.world.nowMs;
  member.world.runUntil(() => waiting.isDone, 60_000);
  const afterMs = member.world.nowMs - renewedAtMs;
  assert.ok(waiting.answer !== undefined);
  assert.ok(afterMs >= 10_000 && afterMs <= 11_000, `free after ${afterMs} ms`);
  assert.ok(renewedAtMs >= grantedAtMs + 4000);
  assert.equal(Buffer.from(decodeLockResponse(waiting.answer).key).toString(), "l/2");
});

test("a wall clock that is set ends no lease and keeps none", () => {
  const member = served();
  grant(member, 1n, 10);
  const before = ttlOf(member, 1n);
  for (const jumpMs of [86_400_000, -2 * 86_400_000]) {
    member.world.machine(1n).clock.skewMs += jumpMs;
    member.world.runFor(1);
    // Whole seconds are told: of the last one a part has passed.
    assert.ok(before - ttlOf(member, 1n) <= 1);
  }
  member.world.runFor(11_000);
  assert.equal(ttlOf(member, 1n), -1);
});

test("a restart with 100,000 leases: all are there with their keys, and end when it is time", () => {
  const world = new SimWorld(1);
  const machine = world.machine(1n);
  const first = new ServedMember(world, machine.start(), memberOptions()).start();
  const LEASES = 100_000;
  const calls = Array.from({ length: LEASES }, (_, i) =>
    first.call(GRANT, encodeLeaseGrantRequest({ id: BigInt(i + 1), ttl: 600 })),
  );
  world.runUntil(() => calls.at(-1)!.isDone);
  assert.ok(calls.every((call) => call.answer !== undefined));
  for (let i = 1; i <= 10; i++) put(first, `k${i}`, BigInt(i * 1000));
  world.runFor(1000);
  machine.kill();
  const second = new ServedMember(world, machine.start(), memberOptions()).start();
  const all = second.ask(
    "/etcdserverpb.Lease/LeaseLeases",
    encodeLeaseLeasesRequest({}),
    decodeLeaseLeasesResponse,
  );
  assert.equal(all.leases.length, LEASES);
  assert.equal(count(second), 10);
  world.runFor(599_000);
  assert.equal(count(second), 10);
  // They end no faster than a member can revoke, so that others are served meanwhile.
  world.runFor(300_000);
  assert.equal(count(second), 0);
  assert.equal([...second.member.state.leases.all()].length, 0);
});
