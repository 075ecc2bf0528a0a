// What many runs have shown. The speed is virtual time by CPU time of this process, so that it says
// the same on a machine that is busy with other things.

import type { Run } from "./simulation.ts";

export class Tally {
  /** Seeds by the rule that they break. */
  readonly failures: Map<string, number[]> = new Map();
  #runs = 0;
  #events = 0;
  #virtualMs = 0;
  readonly #before = process.cpuUsage();

  /** True for the first that breaks its rule. */
  add({ plan, events, virtualMs, failure }: Run): boolean {
    this.#runs++;
    this.#events += events;
    this.#virtualMs += virtualMs;
    if (failure === undefined) return false;
    const seeds = this.failures.get(failure.rule);
    if (seeds !== undefined) seeds.push(plan.seed);
    else this.failures.set(failure.rule, [plan.seed]);
    return seeds === undefined;
  }

  text(): string {
    const { user, system } = process.cpuUsage(this.#before);
    const cpuMs = (user + system) / 1000;
    const failed = [...this.failures.values()].reduce((sum, seeds) => sum + seeds.length, 0);
    const rate = (this.#virtualMs / cpuMs).toFixed(0);
    const perSeed = (cpuMs / 1000 / this.#runs).toFixed(2);
    const perEvent = ((cpuMs * 1000) / this.#events).toFixed(0);
    const minutes = (this.#virtualMs / 60_000).toFixed(0);
    return (
      `${failed} of ${this.#runs} failed; ${minutes} virtual minutes, ` +
      `${rate} per minute of CPU (${perSeed} s a seed, ${perEvent} µs an event)`
    );
  }
}
