import assert from "node:assert/strict";
import { test } from "node:test";
import { Keepalive } from "./keepalive.ts";
import { defaultLimits } from "./limits.ts";

const limits = { ...defaultLimits, keepaliveIntervalMs: 1000, keepaliveTimeoutMs: 200 };
const minTimeMs = limits.keepaliveMinTimeMs;

test("three early pings in a row are too many", () => {
  const keepalive = new Keepalive(limits, 0);
  const pings = [0, 10, 20, 30].map((nowMs) => keepalive.onPing(nowMs, true, 7));
  assert.deepEqual(pings, [true, true, true, false]);
});

test("pings in time are none, and do not forgive the early ones", () => {
  const keepalive = new Keepalive(limits, 0);
  let nowMs = 0;
  for (let round = 0; round < 10; round++) {
    assert.ok(keepalive.onPing(nowMs, true, 7));
    nowMs += minTimeMs;
  }
  assert.ok(keepalive.onPing(nowMs, true, 7));
  assert.ok(keepalive.onPing(nowMs + 1, true, 7));
  assert.ok(keepalive.onPing(nowMs + 2, true, 7));
  assert.equal(keepalive.onPing(nowMs + 3, true, 7), false);
});

test("without a stream two hours must pass", () => {
  const keepalive = new Keepalive(limits, 0);
  const pings = [0, 1, 2, 3].map((minutes) => keepalive.onPing(minutes * 60_000, false, 7));
  assert.deepEqual(pings, [true, true, true, false]);
});

test("anything sent in between clears the strikes", () => {
  const keepalive = new Keepalive(limits, 0);
  for (let sent = 0; sent < 100; sent++) assert.ok(keepalive.onPing(sent, true, sent));
  // Two strikes, something sent, and the count begins anew.
  const pings = [100, 101, 102, 103, 104].map((at) => keepalive.onPing(at, true, 100));
  assert.deepEqual(pings, [true, true, true, false, false]);
  const again = [105, 106, 107, 108].map((at) => keepalive.onPing(at, true, 101));
  assert.deepEqual(again, [true, true, true, false]);
});

test("we ping after silence and close after more of it", () => {
  const keepalive = new Keepalive(limits, 0);
  const actions: string[] = [];
  for (let nowMs = 100; nowMs <= 1300; nowMs += 100) actions.push(keepalive.onTick(nowMs, false));
  assert.deepEqual(actions.slice(8), ["none", "ping", "none", "close", "close"]);
});

test("input of any kind answers our ping", () => {
  const keepalive = new Keepalive(limits, 0);
  assert.equal(keepalive.onTick(1000, false), "ping");
  assert.equal(keepalive.onTick(1100, true), "none");
  assert.equal(keepalive.onTick(2000, false), "none");
  assert.equal(keepalive.onTick(2100, false), "ping");
});

test("an interval of 0 means never, a timeout of 0 to wait for ever", () => {
  const never = new Keepalive({ ...limits, keepaliveIntervalMs: 0 }, 0);
  assert.equal(never.onTick(1e9, false), "none");
  const patient = new Keepalive({ ...limits, keepaliveTimeoutMs: 0 }, 0);
  assert.equal(patient.onTick(1000, false), "ping");
  assert.equal(patient.onTick(1e9, false), "none");
});
