// Watchers over members that come and go. When a member dies its clients go on at another one,
// behind what they have seen. Every watch is held against the agreed history in the end.

import { FilterType, type WatchCreateRequest } from "../../../src/wire/messages/rpc-watch.ts";
import { checkGuarantees } from "../../watch/guarantees.ts";
import { KnownChanges } from "../../watch/known-changes.ts";
import { type ClientWatch, WatchClient } from "../../watch/watch-client.ts";
import type { SimRandom } from "../sim-random.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimNode } from "./sim-node.ts";
import { require } from "./violation.ts";

const STREAMS_MAX = 4;
const WATCHERS_MAX = 12;
const TAKE_ALL = Number.POSITIVE_INFINITY;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

interface Stream {
  readonly node: SimNode;
  readonly life: number;
  readonly client: WatchClient;
}

export class SimWatchers {
  readonly #cluster: SimCluster;
  readonly #random: SimRandom;
  readonly #watches: ClientWatch[] = [];
  #streams: Stream[] = [];

  constructor(cluster: SimCluster, random: SimRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  countAt(node: SimNode): number {
    return this.#streams
      .filter((stream) => stream.node === node && isAlive(stream))
      .reduce((sum, { client }) => sum + client.live.size, 0);
  }

  /** One random thing that watchers do. */
  act(): void {
    this.#resume();
    const random = this.#random;
    const streams = this.#streams.filter((stream) => isAlive(stream) && isAwake(stream));
    const draw = random.below(10);
    if (streams.length === 0 || (draw === 0 && streams.length < STREAMS_MAX)) {
      this.#connect();
      return;
    }
    const { client } = random.pick(streams);
    if (draw < 6 && this.#liveCount < WATCHERS_MAX) this.#watch(client, this.#drawRequest(client));
    else if (draw < 7) client.progress();
    else if (draw < 8) this.#cancelSome(client);
    else {
      const { call } = client;
      call.isFast = random.oneIn(2);
      call.take(call.isFast ? TAKE_ALL : 1 + random.below(5));
    }
  }

  /** A watcher at this very member. */
  watchAt(node: SimNode, request: Partial<WatchCreateRequest>): WatchClient {
    const client = new WatchClient(node.member!, node.methods!);
    this.#streams.push({ node, life: node.life, client });
    this.#watch(client, request);
    return client;
  }

  /** All has been applied everywhere: everybody reads, and nothing is missing. */
  finish(): void {
    const cluster = this.#cluster;
    this.#resume();
    const revision = cluster.oracle.revision;
    const live = this.#streams.filter(isAlive);
    const isCaughtUp = (): boolean => {
      for (const { client } of live) {
        client.call.isFast = true;
        client.call.take(TAKE_ALL);
      }
      return live.every(({ node }) => node.member!.watch.lag().watchers === 0);
    };
    require(cluster.runUntil(isCaughtUp, 60_000), "watchers catch up", () => "somebody never does");
    cluster.runFor(100);
    require(isCaughtUp(), "watchers catch up", () => "somebody is behind again");
    for (const { client } of live) {
      for (const watch of client.live.values()) watch.completeThrough = revision;
    }
    this.check();
  }

  /** What holds at any time. */
  check(): void {
    const known = new KnownChanges(this.#cluster.oracle.changes);
    for (const watch of this.#watches) checkGuarantees(watch, known);
  }

  get #liveCount(): number {
    return this.#streams.reduce((sum, { client }) => sum + client.live.size, 0);
  }

  #connect(): Stream | undefined {
    const nodes = this.#cluster.nodes.filter(
      (node) => node.isReady && !node.machine.clock.isPaused && !node.member!.isLearner,
    );
    if (nodes.length === 0) return undefined;
    const node = this.#random.pick(nodes);
    const client = new WatchClient(node.member!, node.methods!);
    const stream = { node, life: node.life, client };
    this.#streams.push(stream);
    return stream;
  }

  /** Clients whose member has gone find another one. */
  #resume(): void {
    const gone = this.#streams.filter((stream) => !isAlive(stream));
    if (gone.length === 0) return;
    this.#streams = this.#streams.filter(isAlive);
    for (const { client } of gone) {
      const stream = this.#connect();
      if (stream === undefined) return;
      this.#cluster.count("resumed");
      for (const { request, nextRevision, hasEnded } of client.live.values()) {
        if (!hasEnded) this.#watch(stream.client, { ...request, startRevision: nextRevision });
      }
    }
  }

  #watch(client: WatchClient, options: Partial<WatchCreateRequest>): void {
    this.#watches.push(client.watch(options));
  }

  #cancelSome(client: WatchClient): void {
    const ids = [...client.live.keys()];
    if (ids.length > 0) client.cancel(this.#random.pick(ids));
  }

  #drawRequest(client: WatchClient): Partial<WatchCreateRequest> {
    const random = this.#random;
    const { revision } = client.member;
    const [key, rangeEnd] = random.pick([
      ["k0", ""],
      ["k1", ""],
      ["k", "l"],
      ["\0", "\0"],
      ["k1", "k5"],
    ] as const);
    const startRevision = random.pick([
      0,
      revision + 1,
      revision + 2 + random.below(10),
      Math.max(1, revision - random.below(30)),
      Math.max(1, client.member.mvcc.compactRevision),
    ]);
    return {
      ...{ key: bytes(key), rangeEnd: bytes(rangeEnd), startRevision },
      prevKv: random.oneIn(2),
      fragment: random.oneIn(2),
      progressNotify: random.oneIn(3),
      filters: random.pick([[], [], [], [FilterType.NOPUT], [FilterType.NODELETE]]),
    };
  }
}

function isAlive({ node, life }: Stream): boolean {
  return node.isUp && node.life === life;
}

function isAwake({ node }: Stream): boolean {
  return !node.machine.clock.isPaused;
}
