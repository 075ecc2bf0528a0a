// What goes wrong: now and then one of the faults that this run has. Each fault ends by itself
// after a while: what crashed starts again, what was cut is healed.

import type { Operation } from "../sim-disk.ts";
import type { SimRandom } from "../sim-random.ts";
import { flipSomeBit } from "./bit-rot.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimNode } from "./sim-node.ts";
import type { FaultKind } from "./swarm.ts";

const DOWN_MS: readonly (readonly [number, number])[] = [
  [1, 50],
  [100, 2000],
  [2000, 15_000],
];
const CUT_MS: readonly (readonly [number, number])[] = [
  [10, 500],
  [500, 4000],
  [4000, 12_000],
];
/** A slow disk takes up to one of these; the last is one that hangs, longer than any election. */
const SLOW_SYNC_MS: readonly number[] = [100, 400, 1500, 15_000];
/** Longer than a write or a sync takes that began while its disk was slow. */
export const SLOWEST_WRITE_MS = 16_000;
/** A disk that fails does so at one of its next calls. */
const CALLS_UNTIL_FAULT = 40;
const RETRY_START_MS = 500;

export class Nemesis {
  readonly #cluster: SimCluster;
  readonly #random: SimRandom;
  readonly #kinds: FaultKind[];
  #isOver = false;
  #hasRotted = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#random = cluster.world.random.fork("nemesis");
    // These are traits of the network. And who loses members for good while members change may
    // lose the quorum: that is no fault of ours.
    const not: FaultKind[] = ["loss", "double", "reorder", "snapshotCut"];
    if (cluster.plan.operations.includes("members")) not.push("bitRot");
    this.#kinds = [...cluster.plan.faults].filter((kind) => !not.includes(kind));
    if (this.#kinds.length > 0) this.#plan();
  }

  /** Nothing more goes wrong; what is wrong stays so. */
  end(): void {
    this.#isOver = true;
  }

  #plan(): void {
    const ms = this.#random.between(0, 2 * this.#cluster.plan.faultEveryMs);
    this.#later(ms, () => {
      this.#strike(this.#random.pick(this.#kinds));
      this.#plan();
    });
  }

  #later(ms: number, task: () => void): void {
    this.#cluster.world.schedule.after(ms, () => {
      if (!this.#isOver) task();
    });
  }

  #strike(kind: FaultKind): void {
    const cluster = this.#cluster;
    const random = this.#random;
    const up = cluster.upNodes;
    if (up.length === 0) return;
    // Whoever leads is the most interesting victim.
    const leader = cluster.leader;
    const node = leader !== undefined && random.oneIn(2) ? leader : random.pick(up);
    cluster.count(`fault ${kind}`);
    cluster.trace.add(`fault ${kind} m${node.number}`);
    switch (kind) {
      case "crash":
        node.crash();
        this.#restartLater(node);
        break;
      case "crashAll":
        if (random.oneIn(4)) this.#crashAll();
        break;
      case "kill":
        node.kill();
        this.#restartLater(node);
        break;
      case "stop":
        node.stop(() => this.#restartLater(node));
        break;
      case "pause":
        node.machine.pause(random.between(...random.pick(CUT_MS)));
        break;
      case "skew":
        node.machine.wallSkewMs = random.between(-100_000, 100_000);
        node.machine.clock.skewMs = node.machine.wallSkewMs;
        break;
      case "slowDisk":
        this.#slowDown(node);
        break;
      case "diskFull":
      case "diskError":
        this.#breakDisk(node, kind);
        break;
      case "bitRot":
        this.#rot(node);
        break;
      default:
        this.#cut(kind, node);
    }
  }

  #crashAll(): void {
    for (const node of this.#cluster.upNodes) {
      node.crash();
      this.#restartLater(node);
    }
  }

  #restartLater(node: SimNode): void {
    this.#later(this.#random.between(...this.#random.pick(DOWN_MS)), () => this.#restart(node));
  }

  #restart(node: SimNode): void {
    const cluster = this.#cluster;
    if (node.isUp || node.isLost) return;
    if (cluster.start(node)) return;
    // Its disk failed once more, and is well after that.
    node.machine.disk.clearFaults();
    this.#later(RETRY_START_MS, () => this.#restart(node));
  }

  #slowDown(node: SimNode): void {
    const { disk } = node.machine;
    disk.syncMs = [20, this.#random.pick(SLOW_SYNC_MS)];
    this.#later(this.#random.between(100, 5000), () => {
      disk.syncMs = this.#cluster.plan.syncMs;
    });
  }

  #breakDisk(node: SimNode, kind: "diskFull" | "diskError"): void {
    const random = this.#random;
    const full: Operation[] = ["write", "write", "makeDirectory"];
    const failing: Operation[] = ["write", "sync", "sync", "rename", "syncDirectory", "open"];
    const operation = random.pick(kind === "diskFull" ? full : failing);
    const { disk } = node.machine;
    disk.failAt(
      operation,
      1 + random.below(CALLS_UNTIL_FAULT),
      kind === "diskFull" ? "ENOSPC" : "EIO",
    );
    this.#cluster.sickDisks.add(node);
    const { life } = node;
    // When it has ended by itself somebody gives it room or a new disk cable.
    const look = (): void => {
      if (node.life === life && node.isUp) this.#later(200, look);
      else if (!node.isUp) this.#restart(node);
    };
    this.#later(200, look);
  }

  /** Once, and only where a majority is left: the member may be lost by it. */
  #rot(node: SimNode): void {
    const cluster = this.#cluster;
    if (this.#hasRotted || cluster.nodes.length < 3) return;
    this.#hasRotted = true;
    node.crash();
    const isSound = flipSomeBit(node, this.#random, cluster);
    if (isSound) this.#restartLater(node);
    else node.isLost = true;
  }

  #cut(kind: FaultKind, node: SimNode): void {
    const { network } = this.#cluster.world;
    const random = this.#random;
    const self = node.machine.id;
    const others = this.#cluster.nodes.map(({ machine }) => machine.id).filter((id) => id !== self);
    if (others.length === 0) return;
    const shuffled = others.filter(() => random.oneIn(2));
    const rest = others.filter((id) => !shuffled.includes(id));
    switch (kind) {
      case "isolate":
        network.partition([self], others);
        break;
      case "halves":
        network.partition([self, ...shuffled], rest);
        break;
      case "bridge":
        // Both sides see `self`, and not each other.
        network.partition(shuffled, rest);
        break;
      case "oneWay":
        for (const id of shuffled) {
          if (random.oneIn(2)) network.cut(self, id);
          else network.cut(id, self);
        }
        break;
      default:
        for (const id of shuffled) {
          network.clog(self, id, random.between(50, 2000), random.between(100, 5000));
        }
        return;
    }
    this.#later(random.between(...random.pick(CUT_MS)), () => {
      this.#cluster.trace.add("heal");
      network.heal();
    });
  }
}
