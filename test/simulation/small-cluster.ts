// A few members in the simulated world, for tests that say step by step what happens.

import assert from "node:assert/strict";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import { RangeResult, range } from "../../src/state/mvcc/range.ts";
import { validSnapshots } from "../../src/storage/wal/read-log.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import { RangeView, readRange } from "../../src/wire/kv-requests.ts";
import { decodeKeyValue } from "../../src/wire/messages/kv.ts";
import { encodePutRequest, encodeRangeRequest } from "../../src/wire/messages/rpc-kv.ts";
import { encodeLeaseGrantRequest } from "../../src/wire/messages/rpc-lease.ts";
import { decodeWatchResponse } from "../../src/wire/messages/rpc-watch.ts";
import { urlOf } from "./sim-network.ts";
import { SimWorld } from "./world.ts";

const LIMIT_MS = 60_000;

const OPTIONS: Omit<MemberOptions, "name" | "clientUrls" | "initialCluster"> = {
  dataDir: "/data",
  walDir: undefined,
  initialClusterToken: "simulated",
  tickMs: 100,
  electionMs: 1000,
  preVote: true,
  snapshotCount: 10_000,
  snapshotCatchupEntries: 5000,
  maxSnapshots: 5,
  maxWals: 5,
  quotaBackendBytes: 0,
  backendBatchIntervalMs: 100,
  backendBatchLimit: 10_000,
  backendFreelistType: "map",
  bootstrapDefragThresholdBytes: 0,
  compactionBatchLimit: 1000,
  compactionSleepMs: 10,
  unsafeNoFsync: false,
  maxRequestBytes: 1_572_864,
  maxTxnOps: 128,
  maxLearners: 1,
  warningApplyMs: 1e9,
  warningUnaryRequestMs: 1e9,
  watchProgressNotifyMs: 600_000,
  leaseCheckpoint: false,
};

export class SmallCluster {
  readonly world: SimWorld;
  readonly failures: string[] = [];
  /** Who was told to stop for good. */
  readonly removed: Set<Member> = new Set();
  readonly #size: number;
  readonly #changed: Partial<MemberOptions>;
  readonly #members = new Map<number, Member>();
  readonly #ready = new Set<Member>();
  #asked = 0;
  #answered = 0;
  log: Logger = silentLogger;

  constructor(seed: number, size: number, options: Partial<MemberOptions> = {}) {
    this.world = new SimWorld(seed);
    this.#size = size;
    this.#changed = options;
  }

  get running(): Member[] {
    return [...this.#members.values()];
  }

  /** Members are numbered from 1 on. */
  member(at: number): Member {
    const member = this.#members.get(at);
    assert.ok(member !== undefined, `member ${at} runs`);
    return member;
  }

  get leader(): Member | undefined {
    return this.running.find((member) => member.raftStatus().role === "leader");
  }

  numberOf(member: Member): number {
    for (const [at, one] of this.#members) if (one === member) return at;
    return assert.fail("the member does not run");
  }

  startAll(): void {
    for (let at = 1; at <= this.#size; at++) this.start(at);
  }

  start(at: number, options: Partial<MemberOptions> = {}): Member {
    const numbers = Array.from({ length: this.#size }, (_, index) => index + 1);
    const machine = this.world.machine(BigInt(at));
    // Garbage in the middle of a write is damage, which stops the start on purpose.
    machine.disk.fates = ["kept", "lost", "torn"];
    const member: Member = new Member({
      world: machine.start(),
      log: this.log,
      options: {
        ...OPTIONS,
        name: `m${at}`,
        clientUrls: [`http://m${at}:2379`],
        initialCluster: new Map(numbers.map((one) => [`m${one}`, [urlOf(BigInt(one))]])),
        ...this.#changed,
        ...options,
      },
      onFatal: (error) => assert.fail(error),
      onAnswered: () => {},
      onReady: () => this.#ready.add(member),
      onRemoved: () => this.removed.add(member),
    });
    this.#members.set(at, member);
    member.start();
    return member;
  }

  crash(at: number): void {
    this.world.machine(BigInt(at)).crash();
    this.#members.delete(at);
  }

  stop(at: number): void {
    const member = this.member(at);
    let isStopped = false;
    member.stop(() => {
      isStopped = true;
    });
    assert.ok(this.world.runUntil(() => isStopped, LIMIT_MS));
    this.#members.delete(at);
  }

  put(member: Member, key: string, value: string): void {
    const body = encodePutRequest({ key: Buffer.from(key), value: Buffer.from(value) });
    this.#propose(member, RequestField.Put, body);
  }

  grant(member: Member, id: bigint, ttl: number): void {
    this.#propose(member, RequestField.LeaseGrant, encodeLeaseGrantRequest({ id, ttl }));
  }

  #propose(member: Member, field: number, body: Uint8Array): void {
    this.#asked++;
    member.propose(field, body, 0, body.length, {
      proposedAtMs: 0,
      settle: ({ error }) => {
        this.#answered++;
        if (error !== null) this.failures.push(error.message);
      },
      fail: (error) => {
        this.#answered++;
        this.failures.push(error.message);
      },
    });
  }

  putMany(member: Member, count: number, prefix = "key"): void {
    for (let at = 0; at < count; at++) this.put(member, `${prefix}${at}`, `value ${at}`);
  }

  /** Main revisions of the events of all keys from now on, as they come. */
  watchAll(member: Member): number[] {
    const revisions: number[] = [];
    const sink = {
      buffer: new Uint8Array(0),
      queuedBytes: 0,
      reserve(sizeBytes: number): number {
        this.buffer = new Uint8Array(sizeBytes);
        return 0;
      },
      sendMessage(): void {
        const { events } = decodeWatchResponse(this.buffer);
        for (const { kv } of events) revisions.push(kv!.modRevision);
      },
      whenDrained(): void {},
    };
    const stream = member.watch.openStream(sink, () => assert.fail("compacted"));
    const all = { from: "", to: undefined };
    member.watch.create(stream, { ...all, flags: 0, startRevision: 0, id: 0 });
    return revisions;
  }

  /** Indexes of the snapshots that the member's log begins with, from leaders or its own. */
  snapshotsOf(member: Member): number[] {
    const { disk } = this.world.machine(BigInt(this.numberOf(member)));
    return validSnapshots(disk, "/data/member/wal")
      .map(({ index }) => index)
      .filter((index) => index > 0);
  }

  awaitReady(): boolean {
    return this.until(() => this.running.every((member) => this.#ready.has(member)));
  }

  awaitAnswers(): boolean {
    return this.until(() => this.#answered === this.#asked);
  }

  /** All have applied what the furthest of them has committed. */
  awaitEqual(): boolean {
    const isEqual = (): boolean => {
      const commit = Math.max(...this.running.map((member) => member.commitIndex));
      return this.running.every((member) => member.appliedIndex === commit);
    };
    return this.until(isEqual);
  }

  until(condition: () => boolean): boolean {
    return this.world.runUntil(condition, LIMIT_MS);
  }

  /** What the member has, whatever the others have. */
  read(member: Member, key: string): string | undefined {
    const request = encodeRangeRequest({ key: Buffer.from(key) });
    const view = new RangeView();
    readRange(request, 0, request.length, view);
    const result = new RangeResult();
    assert.equal(range(member.mvcc, request, view, result), null);
    const [kv] = result.kvs.views().map((bytes) => decodeKeyValue(bytes));
    return kv === undefined ? undefined : Buffer.from(kv.value).toString();
  }
}
