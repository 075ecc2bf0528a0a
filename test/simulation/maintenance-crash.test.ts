// The power fails, or the process is killed, at each call of the disk during a compaction, a
// defragmentation, both at once, and a defragmentation at the start. Whatever is found then is
// sound, becomes the same store as without the failure, and leaves no file behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import type { World } from "../../src/io/io.ts";
import { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import {
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
} from "../../src/wire/messages/rpc-kv.ts";
import { memberOptions } from "../watch/served-member.ts";
import { PowerLoss } from "./sim-disk.ts";
import { SimWorld } from "./world.ts";

const LIMIT_MS = 60_000;
const WRITES = 150;
const COMPACT_AT = 120;
const DATABASE = "/data/member/snap";

type Work = "compaction" | "defragmentation" | "both" | "start";

const options = (different: Partial<MemberOptions> = {}): MemberOptions =>
  memberOptions({ backendBatchLimit: 25, compactionBatchLimit: 20, ...different });

function begin(world: SimWorld, io: World, given: MemberOptions): Member {
  let isReady = false;
  const member = new Member({
    world: io,
    log: silentLogger,
    options: given,
    onFatal: () => {},
    onAnswered: () => {},
    onReady: () => {
      isReady = true;
    },
  });
  member.start();
  assert.ok(world.runUntil(() => isReady, LIMIT_MS));
  return member;
}

/** Proposes, and waits for the outcome. */
function ask(world: SimWorld, member: Member, field: number, body: Uint8Array): void {
  let isDone = false;
  member.propose(field, body, 0, body.length, {
    proposedAtMs: 0,
    settle: () => {
      isDone = true;
    },
    fail: (error) => assert.fail(error.message),
  });
  assert.ok(world.runUntil(() => isDone, LIMIT_MS));
}

/** Old revisions, deleted keys, a key that was made again: all that a compaction looks at. */
function write(world: SimWorld, member: Member): void {
  for (let at = 1; at < WRITES; at++) {
    const key = Buffer.from(`key ${at % 17}`);
    if (at % 23 === 0) {
      ask(world, member, RequestField.DeleteRange, encodeDeleteRangeRequest({ key }));
    } else {
      const value = Buffer.alloc((at * 37) % 700, at);
      ask(world, member, RequestField.Put, encodePutRequest({ key, value }));
    }
  }
}

function compact(world: SimWorld, member: Member): void {
  const body = encodeCompactionRequest({ revision: COMPACT_AT });
  ask(world, member, RequestField.Compaction, body);
}

function isIdle(member: Member): boolean {
  return member.state.compaction.current === undefined;
}

function settled(world: SimWorld, member: Member): void {
  assert.ok(world.runUntil(() => isIdle(member), LIMIT_MS));
}

/** What the store is, in one line. */
function fingerprint(member: Member): string {
  const hash = member.state.hashByRevision(member.revision);
  assert.ok("hash" in hash);
  return `${member.revision} ${hash.compactRevision} ${hash.hash} ${member.mvcc.index.liveCount}`;
}

function perform(world: SimWorld, member: Member, work: Work): void {
  let isDone = work === "compaction";
  if (!isDone) {
    member.backend.defragment((error) => {
      assert.ok(error === null || error instanceof PowerLoss);
      isDone = true;
    });
  }
  if (work !== "defragmentation") compact(world, member);
  const { disk } = world.machine(1n);
  assert.ok(world.runUntil(() => disk.dead || (isDone && isIdle(member)), LIMIT_MS));
}

interface Run {
  readonly fingerprint: string;
  /** Calls of the disk that the work took, when it was not interrupted. */
  readonly calls: number;
}

/** Interrupts the work at the n-th call; afterwards it is done again, and finished. */
function run(work: Work, n: number, how: "crash" | "kill"): Run {
  const world = new SimWorld(11);
  const machine = world.machine(1n);
  machine.disk.fates = ["kept", "lost", "torn"];
  let member = begin(world, machine.start(), options());
  write(world, member);
  if (work === "start") {
    compact(world, member);
    settled(world, member);
    let isStopped = false;
    member.stop(() => {
      isStopped = true;
    });
    assert.ok(world.runUntil(() => isStopped, LIMIT_MS));
    // Leaves free pages, and no process.
    machine.kill();
  }
  const start = work === "start" ? machine.start() : undefined;
  const before = machine.disk.calls.any;
  machine.disk.dieAt(n);
  try {
    if (start !== undefined) {
      begin(world, start, options({ bootstrapDefragThresholdBytes: 1 }));
    } else perform(world, member, work);
  } catch (error) {
    if (!machine.disk.dead) throw error;
  }
  const calls = machine.disk.calls.any - before;
  machine[how]();
  member = begin(world, machine.start(), options());
  // Beside the database is what the next defragmentation goes into, and it is empty.
  assert.deepEqual(machine.disk.list(DATABASE), ["db", "db.tmp.spare"]);
  settled(world, member);
  if (member.mvcc.compactRevision < COMPACT_AT) compact(world, member);
  settled(world, member);
  let problems: string[] | undefined;
  member.backend.commit(() => {
    problems = member.backend.problems();
  });
  assert.ok(world.runUntil(() => problems !== undefined, LIMIT_MS));
  assert.deepEqual(problems, []);
  return { fingerprint: fingerprint(member), calls };
}

for (const work of ["compaction", "defragmentation", "both", "start"] as const) {
  test(`${work}: interrupted at each call of the disk`, () => {
    const whole = run(work, Infinity, "crash");
    assert.ok(whole.calls > 12, `${whole.calls} calls`);
    for (let n = 1; n <= whole.calls; n++) {
      const { fingerprint: found } = run(work, n, n % 2 === 0 ? "crash" : "kill");
      assert.equal(found, whole.fingerprint, `interrupted at call ${n}`);
    }
  });
}
