// A whole cluster in one process, from one seed: virtual time, simulated disks, one network. The
// loop pops one event, runs it, and goes on; nothing else runs, so a seed replays exactly.
//
//   const world = new SimWorld(seed);
//   const machine = world.machine(1n);        // keeps its disk over crashes
//   const io = machine.start();               // the doors of one process on it
//   world.runFor(1000);
//   machine.crash(); machine.start(); …

import { assert } from "../../src/base/assert.ts";
import type { World } from "../../src/io/io.ts";
import { Schedule, SimClock } from "./sim-clock.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimNetworkFabric } from "./sim-network.ts";
import { SimRandom } from "./sim-random.ts";

/** A run that needs more events than this does not come to rest. */
const EVENTS_MAX = 50_000_000;

export class SimWorld {
  readonly seed: number;
  readonly random: SimRandom;
  readonly schedule: Schedule = new Schedule();
  readonly network: SimNetworkFabric;
  readonly #machines = new Map<bigint, SimMachine>();

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SimRandom(seed);
    this.network = new SimNetworkFabric(this.schedule, this.random.fork("network"));
  }

  /** Equal for equal seeds; differs as soon as one event differs. */
  get hash(): number {
    return this.schedule.hash;
  }

  get nowMs(): number {
    return this.schedule.nowMs;
  }

  machine(id: bigint): SimMachine {
    let machine = this.#machines.get(id);
    if (machine === undefined) {
      machine = new SimMachine(this, id);
      this.#machines.set(id, machine);
    }
    return machine;
  }

  /** Runs until `condition` holds or nothing more happens; true if it holds. */
  runUntil(condition: () => boolean, limitMs: number = Infinity): boolean {
    const endMs = this.nowMs + limitMs;
    const lastEvent = this.schedule.eventCount + EVENTS_MAX;
    while (!condition()) {
      if (this.schedule.nextMs() > endMs || !this.schedule.step()) return condition();
      assert(this.schedule.eventCount < lastEvent, "the simulation does not come to rest");
    }
    return true;
  }

  runFor(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    this.runUntil(() => false, durationMs);
    this.schedule.advanceTo(endMs);
  }

  /** As `runUntil`, for code with promises: they all settle between two events. */
  async settleUntil(condition: () => boolean, limitMs: number = Infinity): Promise<boolean> {
    const endMs = this.nowMs + limitMs;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (condition()) return true;
      if (this.schedule.nextMs() > endMs || !this.schedule.step()) return condition();
    }
  }
}

/** One computer: its disk outlives its processes. */
export class SimMachine {
  readonly id: bigint;
  readonly disk: SimDisk;
  /** Of the process that runs now. */
  clock: SimClock;
  wallSkewMs = 0;
  readonly #world: SimWorld;
  #startCount = 0;

  constructor(world: SimWorld, id: bigint) {
    this.id = id;
    this.#world = world;
    this.clock = new SimClock(world.schedule);
    this.disk = new SimDisk({
      clock: this.clock,
      random: world.random.fork(`disk ${id}`),
    });
  }

  start(): World {
    this.#startCount++;
    this.clock = new SimClock(this.#world.schedule);
    this.clock.skewMs = this.wallSkewMs;
    this.disk.clock = this.clock;
    return {
      clock: this.clock,
      disk: this.disk,
      network: this.#world.network.attach(this.id, this.clock),
      random: this.#world.random.fork(`machine ${this.id} start ${this.#startCount}`),
    };
  }

  /** Power off: timers, messages and writes under way are gone, what was not synced is at risk. */
  crash(): void {
    this.#stop();
    this.disk.crash();
  }

  /** `kill -9`: what was given to the operating system stays. */
  kill(): void {
    this.#stop();
    this.disk.kill();
  }

  pause(durationMs: number): void {
    this.clock.pause(durationMs);
  }

  #stop(): void {
    this.clock.kill();
    this.#world.network.detach(this.id);
  }
}
