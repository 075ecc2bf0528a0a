// Messages between the members of a simulated cluster: lost, late, doubled and out of order, cut
// in one direction or both. Sockets are not simulated; the contract is as weak as UDP's.

import type { Network } from "../../src/io/io.ts";
import type { Schedule } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";

export interface NetworkFaults {
  /** One message in so many is lost or doubled; Infinity: none. */
  lossOneIn: number;
  doubleOneIn: number;
  /** How long a message travels: [low, high); they overtake each other. */
  delayMs: readonly [number, number];
}

export const CALM: NetworkFaults = {
  lossOneIn: Infinity,
  doubleOneIn: Infinity,
  delayMs: [0.1, 0.3],
};

type Handler = (from: bigint, message: Uint8Array) => void;

export class SimNetworkFabric {
  faults: NetworkFaults;
  readonly #schedule: Schedule;
  readonly #random: SimRandom;
  readonly #ports = new Map<bigint, SimNetwork>();
  readonly #cuts = new Set<string>();

  constructor(schedule: Schedule, random: SimRandom, faults: NetworkFaults = CALM) {
    this.#schedule = schedule;
    this.#random = random;
    this.faults = faults;
  }

  /** A new process of this member takes the place of the one before. */
  attach(id: bigint): SimNetwork {
    const port = new SimNetwork(this, id);
    this.#ports.set(id, port);
    return port;
  }

  detach(id: bigint): void {
    this.#ports.delete(id);
  }

  /** Nothing gets through from `from` to `to` any more. */
  cut(from: bigint, to: bigint): void {
    this.#cuts.add(`${from}>${to}`);
  }

  isolate(id: bigint): void {
    for (const other of this.#ports.keys()) {
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    this.#cuts.clear();
  }

  send(from: bigint, to: bigint, message: Uint8Array): void {
    const { lossOneIn, doubleOneIn } = this.faults;
    if (lossOneIn !== Infinity && this.#random.oneIn(lossOneIn)) return;
    this.#travel(from, to, message);
    if (doubleOneIn !== Infinity && this.#random.oneIn(doubleOneIn)) {
      this.#travel(from, to, message);
    }
  }

  #travel(from: bigint, to: bigint, message: Uint8Array): void {
    const [low, high] = this.faults.delayMs;
    const bytes = message.slice();
    this.#schedule.after(this.#random.between(low, high), () => {
      if (!this.#cuts.has(`${from}>${to}`)) this.#ports.get(to)?.deliver(from, bytes);
    });
  }
}

export class SimNetwork implements Network {
  readonly #fabric: SimNetworkFabric;
  readonly #id: bigint;
  #handler: Handler | undefined;

  constructor(fabric: SimNetworkFabric, id: bigint) {
    this.#fabric = fabric;
    this.#id = id;
  }

  send(to: bigint, message: Uint8Array): void {
    this.#fabric.send(this.#id, to, message);
  }

  onMessage(handler: Handler): void {
    this.#handler = handler;
  }

  deliver(from: bigint, message: Uint8Array): void {
    this.#handler?.(from, message);
  }
}
