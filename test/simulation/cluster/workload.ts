// What the clients do: each draws an operation, waits for its answer, thinks, draws the next. Every
// value is written once, so that a wrong one says where it comes from.

import {
  type CompareInit,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  type RangeRequestInit,
  type RequestOpInit,
} from "../../../src/wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
} from "../../../src/wire/messages/rpc-lease.ts";
import { encodeMoveLeaderRequest } from "../../../src/wire/messages/rpc-maintenance.ts";
import type { SimRandom } from "../sim-random.ts";
import type { SimCluster } from "./cluster.ts";
import { LeaseBook } from "./lease-book.ts";
import { MemberChanges } from "./member-changes.ts";
import { SimCall } from "./sim-call.ts";
import { type Result, SimClient } from "./sim-client.ts";
import { SimWatchers } from "./sim-watchers.ts";
import type { OperationKind } from "./swarm.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const NOTHING = new Uint8Array(0);
/** How often a client that gets no answers looks for another member. */
const RETRY_MS = 200;
/**
 * So many questions of a run follow each other as the plan says; what they can show is shown then,
 * and another seed shows more in the same time. Later ones keep the cluster at work.
 */
const EAGER_QUESTIONS = 600;
const CALM_MS = 300;

export class Workload {
  readonly cluster: SimCluster;
  readonly leases: LeaseBook;
  readonly watchers: SimWatchers;
  readonly #members: MemberChanges;
  readonly #clients: SimClient[] = [];
  #isOver = false;
  #values = 0;
  #questions = 0;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
    this.leases = new LeaseBook(cluster);
    const { plan, world } = cluster;
    this.#members = new MemberChanges(cluster);
    this.watchers = new SimWatchers(cluster, world.random.fork("watchers"));
    for (let number = 1; number <= plan.clientCount; number++) {
      const client = new SimClient(number, cluster, world.random.fork(`client ${number}`));
      this.#clients.push(client);
      this.#think(client);
    }
  }

  /** No new questions. */
  end(): void {
    this.#isOver = true;
  }

  #think(client: SimClient, leastMs = 0): void {
    const { schedule } = this.cluster.world;
    const isCalm = this.#questions > EAGER_QUESTIONS;
    const thinkMs = this.cluster.plan.thinkMs + (isCalm ? CALM_MS : 0);
    schedule.after(leastMs + client.random.between(0, thinkMs), () => this.#next(client));
  }

  #next(client: SimClient): void {
    if (this.#isOver) return;
    const { random } = client;
    this.#questions++;
    if (random.oneIn(30)) client.switchOver();
    const kind = random.pick(this.cluster.plan.lots);
    this.cluster.count(kind);
    this.#perform(client, kind, (result) => {
      const isLost = !(result instanceof Uint8Array);
      if (isLost && random.oneIn(2)) client.switchOver();
      this.#think(client, result === undefined ? random.below(RETRY_MS) : 0);
    });
  }

  #perform(client: SimClient, kind: OperationKind, done: (result: Result) => void): void {
    const { random } = client;
    switch (kind) {
      case "put":
        this.#put(client, done);
        break;
      case "range":
        this.#range(client, {}, done);
        break;
      case "serializable":
        this.#range(client, { serializable: true }, done);
        break;
      case "past":
        this.#range(client, { revision: this.#pastRevision(random, 2) }, done);
        break;
      case "txn":
        this.#txn(client, done);
        break;
      case "delete":
        this.#delete(client, done);
        break;
      case "compact":
        this.#compact(client, done);
        break;
      case "grant":
        this.#grant(client, done);
        break;
      case "revoke":
        this.#revoke(client, done);
        break;
      case "keepAlive":
        this.leases.keepAlive(client, done);
        break;
      case "watch":
        this.watchers.act();
        done(NOTHING);
        break;
      default:
        this.#maintain(client, kind, done);
    }
  }

  #compact(client: SimClient, done: (result: Result) => void): void {
    const { random } = client;
    // At a deletion is where compactions went wrong.
    const deletion = this.cluster.oracle.changes.findLast(({ kv }) => kv === undefined)?.revision;
    const drawn = Math.max(1, this.#pastRevision(random, 1));
    const revision = deletion !== undefined && random.oneIn(2) ? deletion : drawn;
    const request = encodeCompactionRequest({ revision, physical: random.oneIn(4) });
    client.ask(`compact ${revision}`, "/etcdserverpb.KV/Compact", request, done);
  }

  /** What these answer is looked at in the end, on all members. */
  #maintain(client: SimClient, kind: OperationKind, done: (result: Result) => void): void {
    const { random } = client;
    if (kind === "members") {
      this.#members.act(client, done);
      return;
    }
    const node = kind === "moveLeader" ? this.cluster.leader : client.node;
    const method = { hash: "HashKV", defragment: "Defragment", moveLeader: "MoveLeader" }[
      kind as "hash"
    ];
    if (node?.isReady === true && !node.machine.clock.isPaused) {
      const targetID = random.pick(this.cluster.nodes).member?.id ?? 0n;
      const request = kind === "moveLeader" ? encodeMoveLeaderRequest({ targetID }) : NOTHING;
      this.cluster.trace.add(`c${client.number} at m${node.number}: ${kind}`);
      const found = node.methods!.get(`/etcdserverpb.Maintenance/${method}`);
      const call = new SimCall(() => {});
      if (found?.kind === "unary") found.handle(call, request, 0, request.length);
    }
    done(NOTHING);
  }

  #key(random: SimRandom): string {
    return `k${random.below(this.cluster.plan.keyCount)}`;
  }

  #value(client: SimClient): string {
    const { random } = client;
    const length = random.oneIn(20) ? random.below(6000) : random.below(40);
    return `c${client.number}.${this.#values++}${"x".repeat(length)}`;
  }

  #pastRevision(random: SimRandom, ahead: number): number {
    return Math.max(1, this.cluster.oracle.revision + ahead - random.below(20));
  }

  #put(client: SimClient, done: (result: Result) => void): void {
    const { random } = client;
    const key = this.#key(random);
    const lease = random.oneIn(4) ? this.leases.some(random) : 0n;
    const prevKv = random.oneIn(2);
    const value = this.#value(client);
    const request = encodePutRequest({ key: bytes(key), value: bytes(value), lease, prevKv });
    client.ask(`put ${key} ${value.slice(0, 9)}`, "/etcdserverpb.KV/Put", request, done);
  }

  #range(client: SimClient, more: RangeRequestInit, done: (result: Result) => void): void {
    const { random } = client;
    const [key, rangeEnd] = this.#interval(random);
    const request = encodeRangeRequest({
      ...{ key: bytes(key), rangeEnd: bytes(rangeEnd), limit: random.pick([0, 0, 0, 1, 3]) },
      sortOrder: random.pick([0, 0, 0, 1, 2]),
      sortTarget: random.pick([0, 0, 0, 1, 2, 3, 4]),
      keysOnly: random.oneIn(8),
      countOnly: random.oneIn(8),
      ...more,
    });
    const what = `${more.serializable === true ? "serializable " : ""}range ${key}`;
    client.ask(`${what} ${more.revision ?? ""}`, "/etcdserverpb.KV/Range", request, done);
  }

  #interval(random: SimRandom): [string, string] {
    const key = this.#key(random);
    if (random.oneIn(2)) return [key, ""];
    return random.pick([
      ["\0", "\0"],
      [key, "\0"],
      ["k", "l"],
      [key, `${key}\xff`],
    ]);
  }

  #delete(client: SimClient, done: (result: Result) => void): void {
    const [key, rangeEnd] = client.random.oneIn(6)
      ? this.#interval(client.random)
      : [this.#key(client.random), ""];
    const prevKv = client.random.oneIn(2);
    const request = encodeDeleteRangeRequest({
      key: bytes(key),
      rangeEnd: bytes(rangeEnd),
      prevKv,
    });
    client.ask(`delete ${key}`, "/etcdserverpb.KV/DeleteRange", request, done);
  }

  /** Puts, deletions and reads of different keys, at least one of them a put. */
  #txn(client: SimClient, done: (result: Result) => void): void {
    const { random } = client;
    const keys = new Set([this.#key(random), this.#key(random), this.#key(random)]);
    const [first, ...others] = [...keys];
    const putOf = (key: string): RequestOpInit => ({
      requestPut: { key: bytes(key), value: bytes(this.#value(client)), prevKv: random.oneIn(3) },
    });
    const opOf = (key: string): RequestOpInit =>
      random.pick([
        putOf(key),
        { requestDeleteRange: { key: bytes(key), prevKv: random.oneIn(2) } },
        { requestRange: { key: bytes(key), rangeEnd: bytes(random.pick(["", "\0"])) } },
      ]);
    const compare: CompareInit[] = random.oneIn(2)
      ? [{ key: bytes(first!), target: 0, result: 1, version: random.below(3) }]
      : [];
    const request = encodeTxnRequest({
      compare,
      success: [putOf(first!), ...others.map(opOf)],
      failure: others.map(opOf),
    });
    client.ask(`txn ${[...keys].join(" ")}`, "/etcdserverpb.KV/Txn", request, done);
  }

  #grant(client: SimClient, done: (result: Result) => void): void {
    const { id, ttl } = this.leases.draw(client.random);
    const request = encodeLeaseGrantRequest({ id, ttl });
    client.ask(`grant ${id} ${ttl}`, "/etcdserverpb.Lease/LeaseGrant", request, done);
  }

  #revoke(client: SimClient, done: (result: Result) => void): void {
    const id = this.leases.some(client.random);
    this.leases.willBeRevoked(id);
    const request = encodeLeaseRevokeRequest({ id });
    client.ask(`revoke ${id}`, "/etcdserverpb.Lease/LeaseRevoke", request, done);
  }
}
