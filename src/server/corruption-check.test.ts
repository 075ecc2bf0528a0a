import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState } from "../../test/model/applied-state.ts";
import type { Logger } from "../base/log.ts";
import type { PeerAnswer } from "../io/network.ts";
import type { KeyValueHash } from "../state/mvcc/hash.ts";
import { decodeAlarmRequest } from "../wire/messages/rpc-maintenance.ts";
import { CorruptionCheck } from "./corruption-check.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const OWN = 0x11n;
const TWO = 0x12n;
const THREE = 0x13n;

interface Told {
  readonly hash: number;
  readonly compactRevision: number;
  readonly revision?: number;
}

class Fixture {
  readonly clock: ManualClock = new ManualClock();
  readonly applied: AppliedState = new AppliedState();
  readonly check: CorruptionCheck;
  readonly lines: string[] = [];
  /** Members for which the alarm was raised. */
  readonly alarms: bigint[] = [];
  /** What peers answer, by URL; a number is a status with the text beside it. */
  readonly peers: Map<string, Told | [number, string]> = new Map();
  readonly asked: number[] = [];

  constructor(members = 3) {
    const { clock, applied } = this;
    for (let at = 0; at < members; at++) {
      const id = OWN + BigInt(at);
      const context = Buffer.from(`{"id":${id},"peerURLs":["http://${at + 1}"]}`);
      const index = applied.state.appliedIndex + 1;
      const change = { type: 0, nodeId: id, context, id: 1n } as const;
      applied.state.applyConfChange(index, 1, change, () => ({
        voters: [],
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: false,
      }));
    }
    const write = (text: string): void => void this.lines.push(text);
    const log: Logger = { debug() {}, info: write, warn: write, error: write, named: () => log };
    this.check = new CorruptionCheck({
      ...{ clock, log, memberId: OWN, clusterId: 0xccn, state: applied.state },
      metrics: new ServerMetrics(),
      network: {
        ask: (url, request, done) => {
          const asked = JSON.parse(Buffer.from(request.body!).toString()) as { revision?: number };
          this.asked.push(asked.revision ?? 0);
          done(this.#answer(url, asked.revision ?? 0));
        },
      },
      proposals: {
        propose: (_field, bytes) => void this.alarms.push(decodeAlarmRequest(bytes).memberID),
      },
      confirmRead: () => true,
      isLeader: () => true,
      options: { electionMs: 1000, corruptCheckMs: 60_000, compactHashCheckMs: 30_000 },
    });
  }

  own(revision = 0): KeyValueHash {
    const hash = this.applied.state.hashByRevision(revision);
    assert.ok("hash" in hash);
    return hash;
  }

  /** Both peers say the same. */
  agree(told: Told = this.own()): void {
    this.peers.set("http://2", told).set("http://3", told);
  }

  checkAtStart(): string | null {
    let result: string | null | undefined;
    this.check.checkAtStart((error) => {
      result = error?.message ?? null;
    });
    this.clock.pass(0);
    assert.ok(result !== undefined);
    return result;
  }

  checkNow(): void {
    let isDone = false;
    this.check.checkNow(() => {
      isDone = true;
    });
    this.clock.pass(0);
    assert.ok(isDone);
  }

  #answer(url: string, revision: number): PeerAnswer | Error {
    const told = this.peers.get(url);
    if (told === undefined) return new Error("connection refused");
    if (Array.isArray(told)) {
      return { status: told[0], headers: {}, body: Buffer.from(`${told[1]}\n`) };
    }
    const body = JSON.stringify({
      header: { revision: told.revision ?? revision },
      hash: told.hash,
      compact_revision: told.compactRevision,
    });
    return { status: 200, headers: {}, body: Buffer.from(body) };
  }
}

test("at the start: equal members, and those who cannot be compared, let it go on", () => {
  const fixture = new Fixture();
  fixture.applied.put("k", "v");
  const { hash, compactRevision } = fixture.own();
  fixture.agree();
  assert.equal(fixture.checkAtStart(), null);
  fixture.peers.set("http://3", { hash: hash + 1, compactRevision: compactRevision + 1 });
  assert.equal(fixture.checkAtStart(), null);
  assert.ok(fixture.lines.includes("found different compact revision values from remote peer"));
  fixture.peers.set("http://2", [400, "mvcc: required revision is a future revision"]);
  fixture.peers.set("http://3", [400, "mvcc: required revision has been compacted"]);
  assert.equal(fixture.checkAtStart(), null);
  assert.ok(fixture.lines.includes("cannot fetch hash from slow remote peer"));
  assert.ok(fixture.lines.includes("cannot fetch hash from remote peer; local member is behind"));
  fixture.peers.set("http://2", [412, "cluster ID mismatch"]);
  fixture.peers.delete("http://3");
  assert.equal(fixture.checkAtStart(), null);
  assert.ok(fixture.lines.includes("cluster ID mismatch"));
});

test("at the start: a member whose data differ does not start", () => {
  const fixture = new Fixture();
  fixture.applied.put("k", "v");
  fixture.agree();
  fixture.peers.set("http://3", { ...fixture.own(), hash: 1 });
  assert.equal(fixture.checkAtStart(), "11 found data inconsistency with peers");
});

test("periodically: followers are compared with their leader", () => {
  const fixture = new Fixture();
  fixture.applied.put("k", "v");
  fixture.agree();
  fixture.checkNow();
  assert.deepEqual(fixture.alarms, []);
  fixture.peers.set("http://3", { ...fixture.own(), hash: 1 });
  fixture.checkNow();
  assert.deepEqual(fixture.alarms, [THREE]);
  assert.ok(fixture.lines.includes("same compact revision then hashes must match"));
});

test("periodically: a follower is never ahead of its leader", () => {
  const fixture = new Fixture();
  fixture.applied.put("k", "v");
  fixture.agree();
  fixture.peers.set("http://2", { ...fixture.own(), revision: 3 });
  fixture.checkNow();
  assert.deepEqual(fixture.alarms, [TWO]);
  fixture.peers.set("http://2", { hash: 1, compactRevision: 9 });
  fixture.checkNow();
  assert.deepEqual(fixture.alarms, [TWO, TWO]);
});

/** A leader that has compacted twice. */
function compacted(members = 3): Fixture {
  const fixture = new Fixture(members);
  for (const revision of [2, 3]) {
    fixture.applied.put("k", "v");
    fixture.applied.compact(revision);
    while (fixture.applied.state.compaction.step() !== "idle");
  }
  fixture.check.start();
  return fixture;
}

test("after compactions: the newest hash that all have is compared, once", () => {
  const fixture = compacted();
  const [older, newer] = fixture.applied.state.hashes.all();
  assert.deepEqual([older?.revision, newer?.revision], [2, 3]);
  fixture.agree(older);
  fixture.clock.pass(30_000);
  assert.ok(fixture.lines.includes("Skipped peer's hash"));
  assert.deepEqual(fixture.asked, [3, 3, 2, 2]);
  fixture.agree(newer);
  fixture.clock.pass(30_000);
  assert.ok(fixture.lines.includes("successfully checked hash on whole cluster"));
  const count = fixture.asked.filter((revision) => revision > 0).length;
  fixture.agree();
  fixture.clock.pass(29_000);
  assert.equal(fixture.asked.filter((revision) => revision === 2).length, 2);
  assert.ok(count >= 6);
  assert.deepEqual(fixture.alarms, []);
});

test("after compactions: a minority with another hash is corrupt", () => {
  const fixture = compacted();
  const newer = fixture.applied.state.hashes.all().at(-1)!;
  fixture.agree(newer);
  fixture.peers.set("http://2", { ...newer, hash: 1 });
  fixture.clock.pass(30_000);
  assert.deepEqual(fixture.alarms, [TWO]);
  // The leader itself can be the one.
  fixture.agree({ ...newer, hash: 1 });
  fixture.clock.pass(30_000);
  assert.ok(fixture.alarms.includes(OWN));
});

test("after compactions: without a majority nobody knows who is wrong", () => {
  const fixture = compacted();
  const newer = fixture.applied.state.hashes.all().at(-1)!;
  fixture.peers.set("http://2", { ...newer, hash: 1 });
  fixture.peers.set("http://3", { ...newer, hash: 2 });
  fixture.clock.pass(30_000);
  assert.deepEqual(fixture.alarms, [0n]);
});
