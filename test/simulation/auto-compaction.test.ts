// Automatic compaction on virtual time: the number tables of etcd's maintenance manual, on the
// compactor alone, and on a whole member that is written to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fields, type Logger, silentLogger } from "../../src/base/log.ts";
import { autoCompaction } from "../../src/cmd/etcd/auto-compaction.ts";
import { type AutoCompaction, AutoCompactor } from "../../src/server/auto-compactor.ts";
import { Member } from "../../src/server/member.ts";
import type { Waiter } from "../../src/server/proposals.ts";
import type { Outcome } from "../../src/state/outcome.ts";
import { Errors } from "../../src/wire/errors.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import { decodeCompactionRequest, encodePutRequest } from "../../src/wire/messages/rpc-kv.ts";
import type { RpcError } from "../../src/wire/status.ts";
import { memberOptions } from "../watch/served-member.ts";
import { Schedule, SimClock } from "./sim-clock.ts";
import { SimWorld } from "./world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** An auto-compactor over a store that only has a revision, which grows with time. */
class Bench {
  readonly schedule = new Schedule();
  readonly compacted: string[] = [];
  readonly lines: [string, Fields][] = [];
  isLeader = true;
  /** What the next compactions end with. */
  readonly failures: RpcError[] = [];
  readonly #compactor: AutoCompactor;

  constructor(setting: AutoCompaction | undefined, revisionAt: (timeMs: number) => number) {
    const { schedule } = this;
    const tell = (message: string, fields: Fields = {}): void => {
      this.lines.push([message, fields]);
    };
    this.#compactor = new AutoCompactor({
      clock: new SimClock(schedule),
      log: { ...silentLogger, info: tell, warn: tell },
      setting,
      proposals: {
        propose: (field, bytes, _start, _end, waiter) => this.#propose(field, bytes, waiter),
      },
      isLeader: () => this.isLeader,
      revision: () => revisionAt(schedule.nowMs),
    });
    this.#compactor.start();
  }

  runTo(timeMs: number): string[] {
    while (this.schedule.nextMs() <= timeMs) this.schedule.step();
    this.schedule.advanceTo(timeMs);
    return this.compacted.splice(0);
  }

  stop(): void {
    this.#compactor.stop();
  }

  #propose(field: number, bytes: Uint8Array, waiter: Waiter): void {
    assert.equal(field, RequestField.Compaction);
    const { revision, physical } = decodeCompactionRequest(bytes);
    assert.equal(physical, false);
    const failure = this.failures.shift();
    const minutes = this.schedule.nowMs / MINUTE_MS;
    this.compacted.push(`${minutes}m ${revision}${failure === undefined ? "" : " failed"}`);
    if (failure === Errors.Timeout) waiter.fail(Errors.Timeout);
    else waiter.settle({ error: failure ?? null } as Outcome);
  }
}

const hourly = (revisionPerHour: number) => (timeMs: number) =>
  1 + Math.floor((timeMs / HOUR_MS) * revisionPerHour);

test("10 h: at 10 h revision of hour 0, at 11 h of hour 1, and so on", () => {
  const bench = new Bench(autoCompaction("periodic", "10h"), hourly(10));
  assert.deepEqual(bench.runTo(10 * HOUR_MS - 1), []);
  assert.deepEqual(bench.runTo(13.99 * HOUR_MS), ["600m 1", "660m 11", "720m 21", "780m 31"]);
});

test("24 h with 100 writes an hour: every hour, not every tenth of a day", () => {
  const bench = new Bench(autoCompaction("periodic", "24"), hourly(100));
  assert.deepEqual(bench.runTo(24 * HOUR_MS), ["1440m 1"]);
  bench.runTo(47.5 * HOUR_MS);
  const table = ["2880m 2401", "2940m 2501", "3000m 2601"];
  assert.deepEqual(bench.runTo(50.5 * HOUR_MS), table);
});

test("30 m at 1,000 a minute: 30,000, 60,000, 90,000 every half hour", () => {
  const bench = new Bench(autoCompaction("periodic", "30m"), (timeMs) =>
    Math.max(1, Math.floor(timeMs / MINUTE_MS) * 1000),
  );
  const table = ["30m 1", "60m 30000", "90m 60000", "120m 90000"];
  assert.deepEqual(bench.runTo(2 * HOUR_MS), table);
});

test("a revision is compacted once: nothing happens where nothing was written", () => {
  const bench = new Bench(autoCompaction("periodic", "1"), (timeMs) => (timeMs < HOUR_MS ? 7 : 9));
  assert.deepEqual(bench.runTo(24 * HOUR_MS), ["60m 7", "120m 9"]);
});

test("a failure is tried again after a tenth, with what is then old enough", () => {
  const bench = new Bench(autoCompaction("periodic", "5h"), hourly(10));
  bench.failures.push(Errors.Timeout, Errors.Timeout);
  const table = ["300m 1 failed", "306m 2 failed", "312m 3", "372m 13"];
  assert.deepEqual(bench.runTo(6.3 * HOUR_MS), table);
  assert.deepEqual(bench.lines[1], [
    "failed auto periodic compaction",
    {
      revision: 1,
      "compact-period": "5h0m0s",
      "retry-interval": "6m0s",
      error: Errors.Timeout.message,
    },
  ]);
});

test("somebody else has compacted as far: as good as done", () => {
  const bench = new Bench(autoCompaction("periodic", "1h"), hourly(10));
  bench.failures.push(Errors.Compacted);
  assert.deepEqual(bench.runTo(2 * HOUR_MS), ["60m 1 failed", "120m 11"]);
  assert.deepEqual(
    bench.lines.map(([message]) => message.split(" ")[0]),
    ["starting", "completed", "starting", "completed"],
  );
});

test("a follower waits, and knows the revisions when it becomes the leader", () => {
  const bench = new Bench(autoCompaction("periodic", "10h"), hourly(10));
  bench.isLeader = false;
  assert.deepEqual(bench.runTo(14 * HOUR_MS), []);
  bench.isLeader = true;
  assert.deepEqual(bench.runTo(14.5 * HOUR_MS), ["846m 42"]);
});

test("by revisions: the latest but 1,000, every 5 minutes", () => {
  const bench = new Bench(autoCompaction("revision", "1000"), (timeMs) => timeMs / 100);
  const table = ["5m 2000", "10m 5000", "15m 8000"];
  assert.deepEqual(bench.runTo(15 * MINUTE_MS), table);
  assert.deepEqual(bench.lines.slice(0, 2), [
    [
      "starting auto revision compaction",
      { revision: 2000, "revision-compaction-retention": 1000 },
    ],
    [
      "completed auto revision compaction",
      { revision: 2000, "revision-compaction-retention": 1000, took: "0s" },
    ],
  ]);
});

test("by revisions: not before there are more, not twice the same, again after a failure", () => {
  const bench = new Bench(autoCompaction("revision", "1000"), (timeMs) =>
    timeMs < 9 * MINUTE_MS ? 1000 : 1001,
  );
  bench.failures.push(Errors.Timeout);
  assert.deepEqual(bench.runTo(HOUR_MS), ["10m 1 failed", "15m 1"]);
});

test("the longest and the shortest periods, off, and the end", () => {
  const off = new Bench(autoCompaction("periodic", "0"), hourly(10));
  assert.equal(off.schedule.nextMs(), Infinity);
  const short = new Bench(autoCompaction("periodic", "1ns"), () => 5);
  assert.equal(short.runTo(MINUTE_MS).length, 1);
  const long = new Bench(autoCompaction("periodic", "100000h"), hourly(10));
  assert.deepEqual(long.runTo(48 * HOUR_MS), []);
  const stopped = new Bench(autoCompaction("revision", "1"), () => 5);
  stopped.stop();
  assert.deepEqual(stopped.runTo(HOUR_MS), []);
});

/** Runs a member for so long, one put every so often; what its log says of compactions. */
function member(setting: AutoCompaction | undefined, putsPerMinute: number, minutes: number) {
  const world = new SimWorld(5);
  const told: string[] = [];
  const log: Logger = {
    ...silentLogger,
    info: (message, fields = {}) => {
      if (!/^completed auto|^finished scheduled/.test(message)) return;
      const minute = (world.nowMs - readyMs) / MINUTE_MS;
      const revision = fields["revision"] ?? fields["compact-revision"];
      told.push(`${Math.round(minute)}m ${message.split(" ")[0]} ${revision}`);
    },
    named: () => log,
  };
  let readyMs = -1;
  const running = new Member({
    world: world.machine(1n).start(),
    log,
    options: { ...memberOptions(), autoCompaction: setting },
    onFatal: (error) => assert.fail(error),
    onAnswered: () => {},
    onReady: () => {
      readyMs = world.nowMs;
    },
  });
  running.start();
  assert.ok(world.runUntil(() => readyMs >= 0, MINUTE_MS));
  const waiter = {
    proposedAtMs: 0,
    settle: () => {},
    fail: (error: RpcError) => assert.fail(error.message),
  };
  for (let minute = 0; minute < minutes; minute++) {
    for (let put = 0; put < putsPerMinute; put++) {
      const body = encodePutRequest({ key: Buffer.from(`k${put % 7}`), value: Buffer.of(1) });
      running.propose(RequestField.Put, body, 0, body.length, waiter);
    }
    world.runFor(MINUTE_MS);
  }
  world.runFor(MINUTE_MS);
  return { told, running };
}

test("a member compacts what it was told to, and its readers are told", () => {
  const { told, running } = member({ mode: "periodic", periodMs: 30 * MINUTE_MS }, 100, 91);
  assert.deepEqual(told, [
    ...["30m completed 1", "30m finished 1"],
    ...["60m completed 3001", "60m finished 3001"],
    ...["90m completed 6001", "90m finished 6001"],
  ]);
  assert.equal(running.mvcc.compactRevision, 6001);
});

test("a member compacts all but the latest 1,000 every 5 minutes", () => {
  const { told } = member({ mode: "revision", retention: 1000 }, 100, 21);
  assert.deepEqual(told, [
    ...["10m completed 1", "10m finished 1"],
    ...["15m completed 501", "15m finished 501"],
    ...["20m completed 1001", "20m finished 1001"],
  ]);
});
