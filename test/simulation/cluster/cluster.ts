// Members on machines in one world, what they show to the checkers, and the events of the world
// run one by one.

import type { Entry } from "../../../src/raft/ready.ts";
import { EntryType } from "../../../src/raft/ready.ts";
import { type MemberOptions, minLeaseTtlSeconds } from "../../../src/server/options.ts";
import { memberOptions } from "../../watch/served-member.ts";
import { urlOf } from "../sim-network.ts";
import { SimWorld } from "../world.ts";
import { ErrorLines } from "./error-lines.ts";
import { Oracle } from "./oracle.ts";
import { RaftSafety } from "./raft-safety.ts";
import { type NodeObserver, ProcessEnd, SimNode } from "./sim-node.ts";
import { useSegments } from "./small-segments.ts";
import type { Plan } from "./swarm.ts";
import { Trace } from "./trace.ts";
import { require } from "./violation.ts";

export class SimCluster implements NodeObserver {
  readonly plan: Plan;
  readonly world: SimWorld;
  readonly nodes: SimNode[] = [];
  readonly oracle: Oracle;
  readonly safety: RaftSafety = new RaftSafety();
  readonly trace: Trace;
  readonly errorLines: ErrorLines = new ErrorLines();
  /** Called when a member can be asked. */
  onReady: ((node: SimNode) => void) | undefined;
  /** Called when a process has opened its data directory, before it does anything. */
  onStarted: ((node: SimNode) => void) | undefined;
  /** Faults of this kind were planned for the member's disk, so it may end by itself. */
  readonly sickDisks: Set<SimNode> = new Set();
  readonly counts: Map<string, number> = new Map();
  /** What ends the event under way, whoever catches it. */
  #thrown: Error | undefined;

  constructor(plan: Plan, isFull = false) {
    this.plan = plan;
    this.world = new SimWorld(plan.seed);
    this.trace = new Trace(this.world.schedule, isFull);
    const { network } = this.world;
    network.faults = { ...plan.network };
    network.onSent = (message) => this.safety.sent(message);
    if (isFull) {
      network.onDelivered = (to, { type, from, term, index, commit, entries, reject }) => {
        const what = `${type} ${term}/${index}+${entries.length} commit ${commit} ${reject}`;
        this.trace.add(`m${to} hears ${(from & 0xffffn).toString(16)}: ${what}`);
      };
    }
    const shared = memberOptions(plan.options);
    this.oracle = new Oracle(() => this.world.nowMs, minLeaseTtlSeconds(shared));
    for (let number = 1; number <= plan.memberCount; number++) {
      this.addNode(this.#optionsFor(number));
    }
  }

  addNode(options: MemberOptions): SimNode {
    const number = this.nodes.length + 1;
    const machine = this.world.machine(BigInt(number));
    machine.disk.fates = this.plan.fates;
    machine.disk.writeMs = this.plan.writeMs;
    machine.disk.syncMs = this.plan.syncMs;
    useSegments(machine.disk, this.plan.walSegmentBytes);
    const node = new SimNode(number, machine, options, this);
    this.nodes.push(node);
    return node;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  get upNodes(): SimNode[] {
    return this.nodes.filter((node) => node.isUp);
  }

  get leader(): SimNode | undefined {
    return this.upNodes
      .filter(({ member }) => member!.raftStatus().role === "leader")
      .sort((left, right) => right.member!.term - left.member!.term)[0];
  }

  /** False when its disk is not fit for it. */
  start(node: SimNode): boolean {
    this.trace.add(`start m${node.number}`);
    try {
      node.start();
      return true;
    } catch (error) {
      if (this.#thrown instanceof ProcessEnd) this.#thrown = undefined;
      const reason = error instanceof ProcessEnd ? error.cause : error;
      node.lastFault = reason as Error;
      this.trace.add(`m${node.number} does not start: ${reason}`);
      if (!this.sickDisks.has(node)) throw reason;
      return false;
    }
  }

  /** One event; false when nothing will ever happen again. */
  step(): boolean {
    let hasMore = true;
    try {
      hasMore = this.world.schedule.step();
    } catch (error) {
      this.#thrown ??= error as Error;
    }
    if (this.#thrown === undefined) return hasMore;
    const thrown = this.#thrown;
    this.#thrown = undefined;
    if (!(thrown instanceof ProcessEnd)) throw thrown;
    this.#bury(thrown);
    return true;
  }

  runUntil(condition: () => boolean, limitMs: number): boolean {
    const { schedule } = this.world;
    const endMs = schedule.nowMs + limitMs;
    while (!condition()) {
      if (schedule.nextMs() > endMs || !this.step()) {
        schedule.advanceTo(endMs);
        return condition();
      }
    }
    return true;
  }

  runFor(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  // --- what members show

  applying(node: SimNode, entry: Entry): void {
    this.oracle.apply(`m${node.number}`, entry);
  }

  applied(node: SimNode, entry: Entry): void {
    const member = node.member!;
    if (entry.type !== EntryType.Normal || member.appliedIndex !== entry.index) return;
    const expected = this.oracle.revisionAt(entry.index);
    require(member.revision === expected, "members are equal at an index", () => {
      return `m${node.number} has revision ${member.revision} at ${entry.index}, not ${expected}`;
    });
  }

  opened(node: SimNode): void {
    this.safety.started(node.member!.id);
    this.onStarted?.(node);
  }

  removed(node: SimNode): void {
    this.trace.add(`m${node.number} is removed`);
    const { life } = node;
    node.isLost = true;
    this.world.schedule.after(0, () => {
      if (node.life === life && node.isUp) node.kill();
    });
  }

  ready(node: SimNode): void {
    this.trace.add(`m${node.number} is ready`);
    this.onReady?.(node);
  }

  logged(node: SimNode, level: string, message: string, fields: object | undefined): void {
    if (this.trace.isFull || level !== "info") {
      this.trace.add(`m${node.number} ${level}: ${message} ${fieldsText(fields)}`);
    }
    // Thrown at the end of the event: in the middle of the product somebody may catch it.
    this.#thrown ??= this.errorLines.judge(level, node, this.sickDisks.has(node), message, fields);
  }

  ended(end: ProcessEnd): void {
    this.#thrown ??= end;
  }

  #bury({ node, life, cause }: ProcessEnd): void {
    if (node.life !== life || !node.isUp) return;
    this.trace.add(`m${node.number} ends: ${cause}`);
    node.lastFault = cause as Error;
    require(this.sickDisks.has(node), "a process ends only with its disk", () => {
      return `m${node.number}: ${(cause as Error).stack}`;
    });
    node.kill();
  }

  #optionsFor(number: number): MemberOptions {
    const names = Array.from({ length: this.plan.memberCount }, (_, at) => at + 1);
    return memberOptions({
      ...this.plan.options,
      name: `m${number}`,
      clientUrls: [`http://m${number}:2379`],
      initialCluster: new Map(names.map((at) => [`m${at}`, [urlOf(BigInt(at))]])),
    });
  }
}

function fieldsText(fields: object | undefined): string {
  if (fields === undefined) return "";
  return JSON.stringify(fields, (_key, value) => {
    if (typeof value === "bigint") return value.toString(16);
    return value instanceof Error ? value.message : value;
  });
}
