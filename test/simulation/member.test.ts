// A whole member in the simulated world: puts, crashes at any moment, starts again. Every write
// that was acknowledged is there afterwards, nothing is there that nobody wrote, and a seed
// replays.

import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import { RangeResult, range } from "../../src/state/mvcc/range.ts";
import type { Outcome } from "../../src/state/outcome.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import { RangeView, readRange } from "../../src/wire/kv-requests.ts";
import { decodeKeyValue } from "../../src/wire/messages/kv.ts";
import {
  encodeCompactionRequest,
  encodePutRequest,
  encodeRangeRequest,
} from "../../src/wire/messages/rpc-kv.ts";
import { SimWorld } from "./world.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 30);
const FIRST_SEED = Number(process.env["SIM_FROM"] ?? 1);
const CRASHES = 6;
const KEYS = 8;
const START_LIMIT_MS = 60_000;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Small limits, so that what is rare in production happens in every run. */
function optionsFor(random: { below(bound: number): number }): MemberOptions {
  return {
    name: "m1",
    dataDir: "/data",
    walDir: undefined,
    clientUrls: ["http://127.0.0.1:2379"],
    initialCluster: new Map([["m1", ["http://127.0.0.1:2380"]]]),
    initialClusterToken: "simulated",
    tickMs: 100,
    electionMs: 1000,
    preVote: random.below(2) === 0,
    snapshotCount: 5 + random.below(60),
    snapshotCatchupEntries: random.below(20),
    maxSnapshots: 2,
    maxWals: 2,
    quotaBackendBytes: 0,
    backendBatchIntervalMs: 5 + random.below(100),
    backendBatchLimit: 1 + random.below(60),
    backendFreelistType: random.below(2) === 0 ? "map" : "array",
    bootstrapDefragThresholdBytes: 0,
    compactionBatchLimit: 1 + random.below(20),
    compactionSleepMs: 1,
    unsafeNoFsync: false,
    maxRequestBytes: 1_572_864,
    maxTxnOps: 128,
    maxLearners: 1,
    warningApplyMs: 1e9,
    warningUnaryRequestMs: 1e9,
    watchProgressNotifyMs: 600_000,
    leaseCheckpoint: false,
  };
}

/** What is known of a key: its acknowledged value and those whose fate is not known. */
interface Known {
  revision: number;
  value: string;
  unknown: string[];
}

class Run {
  readonly world: SimWorld;
  readonly known = new Map<string, Known>();
  readonly #options: MemberOptions;
  #writes = 0;
  acknowledged = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.#options = optionsFor(this.world.random.fork("options"));
  }

  play(): void {
    const machine = this.world.machine(1n);
    // Garbage in the middle of a write is damage, which stops the start on purpose.
    machine.disk.fates = ["kept", "lost", "torn"];
    const random = this.world.random.fork("workload");
    for (let crash = 0; crash <= CRASHES; crash++) {
      const member = this.#start(machine.start());
      this.#verify(member);
      const puts = 5 + random.below(120);
      for (let at = 0; at < puts; at++) {
        this.#put(member, `k${random.below(KEYS)}`, random.below(600));
        if (random.below(25) === 0) this.#compact(member, random.below(10));
        if (random.below(3) === 0) this.world.runFor(random.below(30) / 10);
      }
      this.world.runFor(random.below(250));
      machine.crash();
    }
    this.#verify(this.#start(machine.start()));
  }

  #start(io: ReturnType<ReturnType<SimWorld["machine"]>["start"]>): Member {
    let isReady = false;
    const member = new Member({
      world: io,
      log: silentLogger,
      options: this.#options,
      onFatal: (error) => assert.fail(error),
      onAnswered: () => {},
      onReady: () => {
        isReady = true;
      },
    });
    member.start();
    assert.ok(
      this.world.runUntil(() => isReady, START_LIMIT_MS),
      "the member becomes ready",
    );
    return member;
  }

  #put(member: Member, key: string, length: number): void {
    const value = `${this.#writes++}-${"x".repeat(length)}`;
    const known = this.known.get(key) ?? { revision: 0, value: "", unknown: [] };
    this.known.set(key, known);
    known.unknown.push(value);
    const body = encodePutRequest({ key: Buffer.from(key), value: Buffer.from(value) });
    member.propose(RequestField.Put, body, 0, body.length, {
      proposedAtMs: 0,
      settle: (outcome: Outcome) => {
        assert.equal(outcome.error, null);
        assert.ok(outcome.revision > known.revision, "revisions grow");
        const at = known.unknown.indexOf(value);
        Object.assign(known, { revision: outcome.revision, value });
        known.unknown = known.unknown.slice(at + 1);
        this.acknowledged++;
      },
      fail: () => {},
    });
  }

  #compact(member: Member, back: number): void {
    const body = encodeCompactionRequest({ revision: Math.max(1, member.revision - back) });
    const waiter = { proposedAtMs: 0, settle: () => {}, fail: () => {} };
    member.propose(RequestField.Compaction, body, 0, body.length, waiter);
  }

  #verify(member: Member): void {
    let problems: string[] | undefined;
    // Between two commits: what is free is known for the last one.
    member.backend.commit(() => {
      problems = member.backend.problems();
    });
    this.world.runUntil(() => problems !== undefined, START_LIMIT_MS);
    assert.deepEqual(problems, []);
    const request = encodeRangeRequest({ key: Buffer.of(0), rangeEnd: Buffer.of(0) });
    const view = new RangeView();
    readRange(request, 0, request.length, view);
    const result = new RangeResult();
    assert.equal(range(member.mvcc, request, view, result), null);
    const found = new Map(
      result.kvs.views().map((bytes) => {
        const kv = decodeKeyValue(bytes);
        return [text(kv.key), { revision: kv.modRevision, value: text(kv.value) }];
      }),
    );
    for (const [key, known] of this.known) {
      const kv = found.get(key) ?? { revision: 0, value: "" };
      assert.ok(kv.revision >= known.revision, `${key} went back from ${known.revision}`);
      const isOld = kv.revision === known.revision && kv.value === known.value;
      assert.ok(isOld || known.unknown.includes(kv.value), `${key} is what nobody wrote`);
      Object.assign(known, kv, { unknown: [] });
    }
    assert.ok([...found.keys()].every((key) => this.known.has(key)));
  }
}

test("acknowledged writes outlive crashes", () => {
  let acknowledged = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const run = new Run(seed);
    try {
      run.play();
    } catch (error) {
      throw new Error(`seed ${seed} (SIM_FROM=${seed} SIM_SEEDS=1): ${error}`, { cause: error });
    }
    acknowledged += run.acknowledged;
  }
  assert.ok(acknowledged > SEEDS * 20, `only ${acknowledged} writes were acknowledged`);
});

test("a seed replays to the last event", () => {
  const first = new Run(FIRST_SEED);
  first.play();
  const second = new Run(FIRST_SEED);
  second.play();
  assert.equal(second.world.hash, first.world.hash);
  assert.deepEqual([...second.known], [...first.known]);
});
