// A member in the simulated world, clients that change keys, and watchers of all kinds: from the
// past, from now and from the future, with fast, slow and stuck readers, through compactions and
// crashes. Limits are drawn small, so that a few hundred changes reach every path. In the end
// everybody reads, and every watch is held against the history.

import assert from "node:assert/strict";
import type { World } from "../../src/io/io.ts";
import type { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import type { Outcome } from "../../src/state/outcome.ts";
import type { WatchLimits } from "../../src/state/watch/watch-limits.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import {
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeTxnRequest,
  type RequestOpInit,
} from "../../src/wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
} from "../../src/wire/messages/rpc-lease.ts";
import { FilterType, type WatchCreateRequest } from "../../src/wire/messages/rpc-watch.ts";
import type { MethodTable } from "../../src/wire/rpc.ts";
import type { SimRandom } from "../simulation/sim-random.ts";
import { SimWorld } from "../simulation/world.ts";
import { checkGuarantees } from "./guarantees.ts";
import { History } from "./history.ts";
import { KnownChanges } from "./known-changes.ts";
import { memberOptions, ServedMember } from "./served-member.ts";
import { type ClientWatch, WatchClient } from "./watch-client.ts";

const LIVES = 3;
const STEPS = 120;
const LIMIT_MS = 60_000;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

const KEYS = ["a/1", "a/2", "a/3", "b/1", "b/2", "c"];
const RANGES: readonly (readonly [string, string])[] = [
  ...KEYS.map((key) => [key, ""] as const),
  ["a/", "a0"],
  ["b/", "b0"],
  ["a/2", "b/2"],
  ["", "\0"],
  ["b", "\0"],
];

/** Counted, to see that a workload does what it is there for. */
export interface Tally {
  events: number;
  canceledCompacted: number;
  blocked: number;
  fragments: number;
  progress: number;
}

export class WatchSimulation {
  readonly world: SimWorld;
  readonly tally: Tally = {
    events: 0,
    canceledCompacted: 0,
    blocked: 0,
    fragments: 0,
    progress: 0,
  };
  member!: Member;
  readonly #random: SimRandom;
  readonly #options: MemberOptions;
  readonly #limits: Partial<WatchLimits>;
  #history = new History();
  #methods!: MethodTable;
  #clients: WatchClient[] = [];
  #watches: ClientWatch[] = [];
  #leases = 0n;
  #values = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    const random = this.world.random.fork("limits");
    this.#random = this.world.random.fork("workload");
    this.#options = optionsFor(random);
    this.#limits = {
      streamBytesMax: random.pick([1, 100, 400, 2000, 100_000]),
      streamBytesMin: 1,
      fragmentBytes: random.pick([100, 300, 100_000]),
      responseBytes: random.pick([1, 200, 1000, 100_000]),
      sliceRecords: random.pick([1, 2, 5, 20, 1000]),
      sliceBytes: random.pick([1, 300, 100_000]),
      restMsPerResponse: random.pick([0.02, 1, 20]),
      restMsMin: 1,
      restMsMax: 40,
    };
  }

  play(): void {
    const machine = this.world.machine(1n);
    machine.disk.fates = ["kept", "lost", "torn"];
    for (let life = 0; life < LIVES; life++) {
      this.#start(machine.start());
      this.#resume();
      for (let step = 0; step < STEPS; step++) {
        this.#act();
        if (this.#random.oneIn(3)) this.#run(this.#random.below(40) / 10);
      }
      if (life === LIVES - 1) break;
      const known = new KnownChanges(this.#history.changes);
      for (const watch of this.#watches) checkGuarantees(watch, known);
      machine.crash();
    }
    this.#finish();
  }

  #start(io: World): void {
    const served = new ServedMember(this.world, io, this.#options);
    const { member } = served;
    Object.assign(member.watch.limits, this.#limits);
    this.member = member;
    this.#methods = served.methods;
    served.start(() => {
      // At first it has what was on disk, and applies the log again.
      if (member.revision >= this.#history.revision) this.#look();
    });
  }

  /** Clients come back and go on behind what they have seen. */
  #resume(): void {
    const before = this.#clients;
    this.#clients = [];
    for (const old of before.length > 0 ? before : [undefined, undefined]) {
      const client = this.#connect();
      for (const { request, nextRevision, hasEnded } of old?.live.values() ?? []) {
        if (!hasEnded) this.#watch(client, { ...request, startRevision: nextRevision });
      }
    }
  }

  #connect(): WatchClient {
    const client = new WatchClient(this.member, this.#methods);
    client.call.isFast = !this.#random.oneIn(3);
    this.#clients.push(client);
    return client;
  }

  #look(): void {
    this.#history.look(this.member.backend, this.member.revision);
  }

  #run(durationMs: number): void {
    const endMs = this.world.nowMs + durationMs;
    this.world.runUntil(() => {
      this.#look();
      return false;
    }, durationMs);
    this.world.schedule.advanceTo(endMs);
  }

  #act(): void {
    const draw = this.#random.below(100);
    if (draw < 30) this.#put();
    else if (draw < 40) this.#delete();
    else if (draw < 48) this.#txn();
    else if (draw < 53) this.#compact();
    else if (draw < 56) this.#expire();
    else if (draw < 70) this.#watchSome();
    else if (draw < 74) this.#pickClient().progress();
    else if (draw < 77) this.#cancelSome();
    else if (draw < 82) this.#changeSpeed();
    else if (draw < 96) this.#pickClient().call.take(1 + this.#random.below(4));
    else if (draw < 98) this.#replaceClient();
    else this.#run(this.#random.below(300));
    this.tally.blocked += this.#clients.filter((client) => client.call.queuedBytes > 0).length;
  }

  #pickClient(): WatchClient {
    return this.#random.pick(this.#clients);
  }

  #propose(field: number, body: Uint8Array, then: (outcome: Outcome) => void = () => {}): void {
    const waiter = { proposedAtMs: 0, settle: then, fail: () => {} };
    this.member.propose(field, body, 0, body.length, waiter);
  }

  #putOf(key: string, lease = 0n): RequestOpInit["requestPut"] {
    const value = `${this.#values++}${"x".repeat(this.#random.below(60))}`;
    return encodePutRequest({ key: bytes(key), value: bytes(value), lease });
  }

  #put(): void {
    const body = this.#putOf(this.#random.pick(KEYS)) as Uint8Array;
    // Some watchers are made in the middle of a batch of entries.
    const isWatched = this.#random.oneIn(8);
    this.#propose(RequestField.Put, body, () => isWatched && this.#watchSome());
  }

  #delete(): void {
    const [key, rangeEnd] = this.#random.pick(RANGES.slice(0, 8));
    const body = encodeDeleteRangeRequest({ key: bytes(key), rangeEnd: bytes(rangeEnd) });
    // Now and then everything up to this very deletion is compacted, and somebody wants it.
    const isCompacted = this.#random.oneIn(4);
    this.#propose(RequestField.DeleteRange, body, ({ deleted, revision }) => {
      if (!isCompacted || deleted === 0) return;
      this.#propose(RequestField.Compaction, encodeCompactionRequest({ revision }), () => {
        this.#watch(this.#pickClient(), {
          key: bytes(""),
          rangeEnd: bytes("\0"),
          startRevision: revision,
        });
      });
    });
  }

  #txn(): void {
    const keys = KEYS.filter(() => this.#random.oneIn(2));
    const success = keys.map((key) =>
      this.#random.oneIn(3)
        ? { requestDeleteRange: { key: bytes(key) } }
        : { requestPut: this.#putOf(key) },
    );
    this.#propose(RequestField.Txn, encodeTxnRequest({ success }));
  }

  #compact(): void {
    const revision = Math.max(1, this.member.revision - this.#random.below(30));
    this.#propose(RequestField.Compaction, encodeCompactionRequest({ revision }));
  }

  /** Keys of a lease go under one revision. */
  #expire(): void {
    const id = ++this.#leases;
    this.#propose(RequestField.LeaseGrant, encodeLeaseGrantRequest({ id, ttl: 1000 }));
    for (const key of KEYS.slice(0, 3)) {
      this.#propose(RequestField.Put, this.#putOf(key, id) as Uint8Array);
    }
    this.#propose(RequestField.LeaseRevoke, encodeLeaseRevokeRequest({ id }));
  }

  #watchSome(): void {
    const random = this.#random;
    const [key, rangeEnd] = random.pick(RANGES);
    const { revision } = this.member;
    const startRevision = random.pick([
      ...[
        0,
        0,
        revision + 1,
        revision,
        revision + 2 + random.below(10),
        1 + random.below(revision),
      ],
      Math.max(1, this.member.mvcc.compactRevision),
      Math.max(1, revision - random.below(20)),
    ]);
    this.#watch(this.#pickClient(), {
      ...{ key: bytes(key), rangeEnd: bytes(rangeEnd), startRevision },
      prevKv: random.oneIn(2),
      fragment: random.oneIn(2),
      progressNotify: random.oneIn(3),
      filters: random.pick([[], [], [], [FilterType.NOPUT], [FilterType.NODELETE]]),
    });
  }

  #watch(client: WatchClient, options: Partial<WatchCreateRequest>): void {
    this.#watches.push(client.watch(options));
  }

  #cancelSome(): void {
    const client = this.#pickClient();
    const ids = [...client.live.keys()];
    if (ids.length > 0) client.cancel(this.#random.pick(ids));
  }

  #changeSpeed(): void {
    const { call } = this.#pickClient();
    call.isFast = !call.isFast;
    if (call.isFast) call.take(Number.POSITIVE_INFINITY);
  }

  /** A client goes without a word, another one comes. */
  #replaceClient(): void {
    const at = this.#random.below(this.#clients.length);
    this.#clients.splice(at, 1)[0]!.close();
    this.#connect();
  }

  /** Everybody reads; nobody is behind in the end, and nothing is missing. */
  #finish(): void {
    const isCaughtUp = (): boolean => {
      this.#look();
      for (const { call } of this.#clients) {
        call.isFast = true;
        call.take(Number.POSITIVE_INFINITY);
      }
      return this.member.pendingProposals === 0 && this.member.watch.lag().watchers === 0;
    };
    assert.ok(this.world.runUntil(isCaughtUp, LIMIT_MS), "somebody never catches up");
    // Watchers that were compacted are told in slices too.
    this.#run(100);
    assert.ok(isCaughtUp(), "somebody is behind again");
    for (const client of this.#clients) {
      for (const watch of client.live.values()) watch.completeThrough = this.#history.revision;
    }
    const known = new KnownChanges(this.#history.changes);
    for (const watch of this.#watches) {
      checkGuarantees(watch, known);
      this.#count(watch);
    }
    assert.ok(this.world.nowMs > 0);
  }

  #count({ received }: ClientWatch): void {
    for (const { response } of received) {
      this.tally.events += response.events.length;
      if (response.compactRevision > 0) this.tally.canceledCompacted++;
      if (response.fragment) this.tally.fragments++;
      const isProgress = response.events.length === 0 && !response.created && !response.canceled;
      if (isProgress) this.tally.progress++;
    }
  }
}

/** Small limits, so that what is rare in production happens in every run. */
function optionsFor(random: SimRandom): MemberOptions {
  return memberOptions({
    snapshotCount: 20 + random.below(100),
    snapshotCatchupEntries: random.below(20),
    backendBatchIntervalMs: 5 + random.below(100),
    backendBatchLimit: 1 + random.below(60),
    compactionBatchLimit: 1 + random.below(20),
    compactionSleepMs: 1,
    watchProgressNotifyMs: random.pick([20, 150, 600_000]),
  });
}
