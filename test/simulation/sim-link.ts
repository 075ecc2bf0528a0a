// One direction between two members, as the sender sees it. The link is up when the process at
// the peer's URL is the member it is taken for; whether it is, is noticed late: at once when the
// process dies, after a while when packets only cease to come through.

import type { SimNetwork } from "./sim-network.ts";

/** Dialled again so often; a silent link is given up after so long (rafthttp: 100 ms, 5 s). */
const REDIAL_MS: readonly [number, number] = [1, 120];
const SILENCE_MS: readonly [number, number] = [500, 5500];
/** Messages under way on one link; etcd's transport holds as many before it drops. */
const IN_FLIGHT_MAX = 4096;

export class SimLink {
  readonly port: SimNetwork;
  readonly memberId: bigint;
  readonly urls: readonly string[];
  readonly #isPeer: boolean;
  activeSinceMs: number | undefined;
  #inFlight = 0;
  #lastArrivalMs = 0;
  #isChecking = false;

  constructor(port: SimNetwork, memberId: bigint, urls: readonly string[], isPeer: boolean) {
    this.port = port;
    this.memberId = memberId;
    this.urls = urls;
    this.#isPeer = isPeer;
    this.refresh();
  }

  /** The machine that one of the peer's URLs leads to; undefined: none. */
  get target(): bigint | undefined {
    for (const url of this.urls) {
      const machine = this.port.fabric.machineAt(url);
      if (machine !== undefined) return machine;
    }
    return undefined;
  }

  /** The process at the other end, if packets reach it and it is who it should be. */
  get #isThere(): boolean {
    return this.#isListening && this.port.fabric.passes(this.port.machine, this.target!);
  }

  get #isListening(): boolean {
    const { target } = this;
    if (target === undefined) return false;
    return this.port.fabric.port(target)?.handlers?.memberId === this.memberId;
  }

  /** The machine answers, and nobody listens there. */
  get #isRefusing(): boolean {
    const { fabric, machine } = this.port;
    const { target } = this;
    if (target === undefined || fabric.port(target)?.handlers !== undefined) return false;
    return fabric.passes(machine, target) && fabric.passes(target, machine);
  }

  /** Whoever dials the members that have removed it is told so. */
  get #isRemovedThere(): boolean {
    const { fabric, machine, handlers } = this.port;
    if (handlers === undefined || !this.#isThere) return false;
    const { target } = this;
    const other = fabric.port(target!)?.handlers;
    return other?.isRemoved(handlers.memberId) === true && fabric.passes(target!, machine);
  }

  /** Something has changed in the network: this end will notice. */
  refresh(): void {
    if (!this.#isPeer || this.#isChecking) return;
    const isUp = this.activeSinceMs !== undefined;
    if (isUp === this.#isThere && !this.#isRemovedThere) return;
    this.#isChecking = true;
    const { fabric, clock } = this.port;
    const isRefused = isUp && !this.#isListening;
    const [low, high] = isUp ? SILENCE_MS : REDIAL_MS;
    clock.after(isRefused ? 1 : fabric.random.between(low, high), () => {
      this.#isChecking = false;
      if (this.#isRemovedThere) {
        this.port.handlers?.removed();
        return;
      }
      if (this.#isThere) this.activeSinceMs ??= clock.monotonicMs();
      else if (isUp) this.#broken();
      if (this.#isRefusing) this.port.handlers?.refused(this.memberId);
      this.refresh();
    });
  }

  #broken(): void {
    this.activeSinceMs = undefined;
    this.unreachable();
  }

  unreachable(): void {
    this.port.later(() => this.port.handlers?.unreachable(this.memberId));
  }

  send(bytes: Uint8Array, mayDouble: boolean): void {
    const { fabric } = this.port;
    const { target } = this;
    const isDown = this.#isPeer && this.activeSinceMs === undefined;
    if (target === undefined || isDown || this.#inFlight >= IN_FLIGHT_MAX) {
      this.unreachable();
      return;
    }
    const { lossOneIn, doubleOneIn } = fabric.faults;
    if (lossOneIn !== Infinity && fabric.random.oneIn(lossOneIn)) {
      if (fabric.random.oneIn(2)) this.unreachable();
      return;
    }
    this.#travel(target, bytes);
    if (mayDouble && doubleOneIn !== Infinity && fabric.random.oneIn(doubleOneIn)) {
      this.#travel(target, bytes.slice());
    }
  }

  #travel(target: bigint, bytes: Uint8Array): void {
    const { port } = this;
    const { fabric } = port;
    const nowMs = fabric.schedule.nowMs;
    let atMs = nowMs + fabric.delayMs(port.machine, target);
    if (!fabric.faults.reorders) atMs = Math.max(atMs, this.#lastArrivalMs);
    this.#lastArrivalMs = atMs;
    this.#inFlight++;
    fabric.schedule.after(atMs - nowMs, () => {
      this.#inFlight--;
      if (!fabric.passes(port.machine, target)) return;
      const receiver = fabric.port(target);
      receiver?.clock.whenAwake(() => receiver.deliver(port, this.memberId, bytes));
    });
  }
}
