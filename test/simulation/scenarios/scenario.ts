// Stories of a cluster in text: seeds rot when the code changes, a story does not. One command a
// line; what a command asks for must come true within a minute of virtual time.
//
//   members 3 snapshotCount=5          a cluster; options of its members; all start
//   lead 1                             1 becomes the leader
//   put a=1 [via=2] [expect=TEXT]      `via` is the leader, if it is not said; TEXT: "none", no
//   del a · compact 3 · get a=1        answer within 2 s, or part of an error
//   lease 1 5                          grants lease 1 for 5 s
//   ask put a=x*3000 [via=2]           as `put`, without waiting for the answer; a long value
//   fill 50                            as many puts of 2 kB to ten keys
//   cut 1>2 2>1 · isolate 1 · heal     the network
//   delay MS                           each message, and each piece of a snapshot, takes so long
//   crash 1 [keep=torn] · kill 1 · pause 1 MS · stop 1 · start 1
//   slow 1 MS · fail 1 write 2 EIO     the disk: each sync takes so long; the n-th call fails
//   run MS · elected                   time passes; somebody leads (again)
//   campaign 1                         it asks for votes at once, as if its leader had chosen it
//   watch 1 a [from=5] [progress]      everybody's guarantees are checked in the end
//   defrag 1
//   mutant NAME                        the planted bug that this story finds (mutants/)
//   expect 1|all get a=1|a=- [revision=5]
//
// In the end everything is healed and started, and all the checks of a random run are made.

import { MessageType, newMessage } from "../../../src/wire/messages/raft.ts";
import { decodeRangeResponse, encodeRangeRequest } from "../../../src/wire/messages/rpc-kv.ts";
import { SimCluster } from "../cluster/cluster.ts";
import { checkEnd, recover } from "../cluster/final-checks.ts";
import { SimCall } from "../cluster/sim-call.ts";
import type { Result } from "../cluster/sim-client.ts";
import { SimClient } from "../cluster/sim-client.ts";
import type { SimNode } from "../cluster/sim-node.ts";
import { drawPlan, type Plan } from "../cluster/swarm.ts";
import { require } from "../cluster/violation.ts";
import { Workload } from "../cluster/workload.ts";
import type { Operation } from "../sim-disk.ts";
import type { Fate } from "../sim-tree.ts";
import { commandOf, requestOf, type Words } from "./words.ts";

const LIMIT_MS = 60_000;
/** No answer within this time is "none". */
const NO_ANSWER_MS = 2000;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** A calm world in which only what is told happens. */
function planOf(members: number, options: Record<string, unknown>): Plan {
  const plan = drawPlan(1);
  return {
    ...plan,
    memberCount: members,
    clientCount: 0,
    faults: new Set(),
    operations: [],
    lots: [],
    options: { preVote: true, ...options },
    network: { ...plan.network, delayMs: [0.1, 0.3], lossOneIn: Infinity, doubleOneIn: Infinity },
    walSegmentBytes: 65_536,
    fates: ["lost"],
    writeMs: [0.01, 0.1],
    syncMs: [0.05, 0.5],
  };
}

export class Scenario {
  #cluster: SimCluster | undefined;
  #workload: Workload | undefined;
  readonly #prepare: (cluster: SimCluster) => void;

  constructor(prepare: (cluster: SimCluster) => void = () => {}) {
    this.#prepare = prepare;
  }

  /** @throws Error naming the line that does not come true */
  play(text: string): void {
    for (const [at, line] of text.split("\n").entries()) {
      const words = commandOf(line);
      if (words === undefined) continue;
      try {
        this.#perform(words);
      } catch (error) {
        throw new Error(`line ${at + 1} (${line.trim()}): ${error}`, { cause: error });
      }
    }
    recover(this.cluster, false);
    checkEnd(this.cluster, this.#workload!);
  }

  get cluster(): SimCluster {
    if (this.#cluster === undefined) throw new Error("a scenario begins with `members`");
    return this.#cluster;
  }

  #perform(words: Words): void {
    switch (words.command) {
      case "members":
        this.#begin(words);
        break;
      case "put":
      case "del":
      case "compact":
      case "get":
      case "lease":
        this.#ask(words);
        break;
      case "ask":
        this.#send(commandOf(words.args.join(" "))!, words);
        break;
      case "fill":
        for (let at = 0; at < Number(words.args[0]); at++) {
          this.#ask(commandOf(`put f${at % 10}=x*2000`)!);
        }
        break;
      case "lead":
        this.#lead(this.#node(words.args[0]!));
        break;
      case "elected":
        this.#until(() => this.cluster.leader?.isReady === true, "nobody leads");
        break;
      case "run":
        this.cluster.runFor(Number(words.args[0]));
        break;
      case "watch":
        this.#watch(words);
        break;
      case "expect":
        this.#expect(words);
        break;
      case "cut":
      case "isolate":
      case "heal":
      case "delay":
        this.#network(words);
        break;
      case "mutant":
        break;
      default:
        this.#machine(words);
    }
  }

  #begin({ args, options }: Words): void {
    const cluster = new SimCluster(planOf(Number(args[0]), options));
    this.#cluster = cluster;
    this.#prepare(cluster);
    this.#workload = new Workload(cluster);
    for (const node of cluster.nodes) cluster.start(node);
    this.#until(() => cluster.nodes.every(({ isReady }) => isReady), "not all are ready");
  }

  #node(name: string | number | boolean | undefined): SimNode {
    if (name !== undefined) return this.cluster.nodes[Number(name) - 1]!;
    this.#until(() => this.cluster.leader?.isReady === true, "nobody leads");
    return this.cluster.leader!;
  }

  #until(condition: () => boolean, complaint: string | (() => string)): void {
    const isTrue = this.cluster.runUntil(condition, LIMIT_MS);
    require(isTrue, "a story comes true", () =>
      typeof complaint === "string" ? complaint : complaint());
  }

  #send(words: Words, { options }: Words): { result: Result; isDone: boolean } {
    const told: { result: Result; isDone: boolean } = { result: undefined, isDone: false };
    const client = new SimClient(0, this.cluster, this.cluster.world.random.fork("scenario"));
    client.node = this.#node(options["via"]);
    const { path, request } = requestOf(words);
    client.ask(words.args.join(" "), path, request, (result) => {
      Object.assign(told, { result, isDone: true });
    });
    return told;
  }

  #ask(words: Words): void {
    const { expect } = words.options;
    const told = this.#send(words, words);
    if (expect === "none") {
      this.cluster.runFor(NO_ANSWER_MS);
      require(!(told.result instanceof Uint8Array), "a story comes true", () => "it is answered");
      return;
    }
    this.#until(() => told.isDone, "no answer");
    const text = told.result instanceof Uint8Array ? "ok" : (told.result?.message ?? "no answer");
    require(text.includes(`${expect ?? "ok"}`), "a story comes true", () =>
      `the answer is ${text}`);
    if (words.command === "get" && told.result instanceof Uint8Array) {
      const { kvs } = decodeRangeResponse(told.result);
      this.#compare(words.args[0]!, kvs[0] && Buffer.from(kvs[0].value).toString("latin1"));
    }
  }

  #compare(expected: string, value: string | undefined): void {
    const [key, right] = expected.split("=");
    require(`${value ?? "-"}` === right, "a story comes true", () => `${key} is ${value ?? "-"}`);
  }

  #lead(node: SimNode): void {
    const { cluster } = this;
    let isAsked = false;
    this.#until(() => {
      const { leader } = cluster;
      if (leader === node) return true;
      if (isAsked || leader?.isReady !== true) return false;
      isAsked = true;
      leader.member!.moveLeader(node.member!.id, () => {
        isAsked = false;
      });
      return false;
    }, `m${node.number} does not lead`);
  }

  #network({ command, args }: Words): void {
    const { network } = this.cluster.world;
    if (command === "heal") network.heal();
    else if (command === "delay") {
      const ms = Number(args[0]);
      network.faults = { ...network.faults, delayMs: [ms, ms] };
    } else if (command === "isolate") network.isolate(BigInt(args[0]!));
    else {
      for (const pair of args) {
        const [from, to] = pair.split(">");
        network.cut(BigInt(from!), BigInt(to!));
      }
    }
  }

  #machine({ command, args, options }: Words): void {
    const { cluster } = this;
    const node = this.#node(args[0]);
    const { disk } = node.machine;
    switch (command) {
      case "crash":
        if (options["keep"] !== undefined) disk.fates = [options["keep"] as Fate];
        node.crash();
        break;
      case "kill":
        node.kill();
        break;
      case "stop":
        node.stop(() => {});
        this.#until(() => !node.isUp, "it does not stop");
        break;
      case "start":
        require(cluster.start(node), "a story comes true", () => String(node.lastFault));
        break;
      case "pause":
        node.machine.pause(Number(args[1]));
        break;
      case "slow":
        disk.syncMs = [Number(args[1]), Number(args[1])];
        break;
      case "fail":
        cluster.sickDisks.add(node);
        disk.failAt(args[1] as Operation, Number(args[2]), args[3] as "EIO" | "ENOSPC");
        break;
      case "campaign":
        this.#campaign(node);
        break;
      case "defrag":
        node.member!.backend.defragment(() => {});
        break;
      default:
        throw new Error(`no such command: ${command}`);
    }
  }

  #campaign(node: SimNode): void {
    const { id, term } = node.member!;
    const chosen = { type: MessageType.MsgTimeoutNow, from: id, to: id, term };
    const port = this.cluster.world.network.port(node.machine.id);
    port!.handlers!.message({ ...newMessage(), ...chosen });
  }

  #watch({ args, options }: Words): void {
    const node = this.#node(args[0]);
    const client = this.#workload!.watchers.watchAt(node, {
      key: bytes(args[1]!),
      startRevision: Number(options["from"] ?? 0),
    });
    if (args.includes("progress")) client.progress();
  }

  /** Serializable: what this very member has, as soon as it has it. */
  #expect({ args, options }: Words): void {
    const living = this.cluster.nodes.filter(({ isReady }) => isReady);
    const nodes = args[0] === "all" ? living : [this.#node(args[0])];
    for (const node of nodes) {
      let complaint = "it is not ready";
      this.#until(
        () => {
          if (node.isReady) complaint = this.#complaintAt(node, args[2]!, options["revision"]);
          return complaint === "";
        },
        () => `m${node.number}: ${complaint}`,
      );
    }
  }

  /** Why what is there is not what is expected; empty if it is. */
  #complaintAt(node: SimNode, expected: string, revision: unknown): string {
    const [key, right] = expected.split("=") as [string, string];
    const member = node.member!;
    if (revision !== undefined && member.revision !== revision) {
      return `the revision is ${member.revision}`;
    }
    const request = encodeRangeRequest({ key: bytes(key), serializable: true });
    let text = "nothing";
    const method = node.methods!.get("/etcdserverpb.KV/Range");
    const call = new SimCall((answer) => {
      if (!(answer instanceof Uint8Array)) return;
      const [kv] = decodeRangeResponse(answer).kvs;
      text = kv === undefined ? "-" : Buffer.from(kv.value).toString("latin1");
    });
    if (method?.kind === "unary") method.handle(call, request, 0, request.length);
    return text === right ? "" : `${key} is ${text}`;
  }
}
