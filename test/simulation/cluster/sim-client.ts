// A client: one question at a time, to the member it likes now; another one when that does not
// answer. Questions and answers travel; an answer whose member dies meanwhile may still arrive.

import type { RpcError } from "../../../src/wire/status.ts";
import type { SimRandom } from "../sim-random.ts";
import { checkAnswer, type Question } from "./answers.ts";
import type { SimCluster } from "./cluster.ts";
import { noteRequestId } from "./request-ids.ts";
import { SimCall } from "./sim-call.ts";
import type { SimNode } from "./sim-node.ts";

/** After so long a client gives up; longer than any member lets it wait. */
const CLIENT_TIMEOUT_MS = 12_000;
const WAY_MS: readonly [number, number] = [0.1, 1];

/** undefined: nobody knows what became of it. */
export type Result = Uint8Array | RpcError | undefined;

export class SimClient {
  readonly number: number;
  readonly cluster: SimCluster;
  readonly random: SimRandom;
  node: SimNode;

  constructor(number: number, cluster: SimCluster, random: SimRandom) {
    this.number = number;
    this.cluster = cluster;
    this.random = random;
    this.node = random.pick(cluster.nodes);
  }

  /** Another member, perhaps. */
  switchOver(): void {
    const up = this.cluster.upNodes;
    this.node = this.random.pick(up.length > 0 ? up : this.cluster.nodes);
  }

  ask(name: string, path: string, request: Uint8Array, done: (result: Result) => void): void {
    const { cluster, node } = this;
    const { schedule } = cluster.world;
    const { oracle } = cluster;
    const question: Question = {
      name: `c${this.number} at m${node.number}: ${name}`,
      ...{ path, request },
      askedAtMs: schedule.nowMs,
      revisionBefore: oracle.revision,
      indexBefore: oracle.index,
      compactBefore: oracle.model.compactRevision,
      requestId: undefined,
    };
    let isDone = false;
    const end = (result: Result, text: string): void => {
      if (isDone) return;
      isDone = true;
      cluster.trace.add(`${question.name} -> ${text}`);
      done(result);
    };
    schedule.after(CLIENT_TIMEOUT_MS, () => end(undefined, "no answer"));
    schedule.after(this.random.between(...WAY_MS), () => {
      if (!node.isReady) {
        schedule.after(1, () => end(undefined, "not there"));
        return;
      }
      node.machine.clock.whenAwake(() => this.#arrive(node, question, end));
    });
  }

  #arrive(node: SimNode, question: Question, end: (result: Result, text: string) => void): void {
    const { cluster } = this;
    const { member } = node;
    const method = node.methods?.get(question.path);
    if (member === undefined || method?.kind !== "unary") return;
    let isHere = true;
    let early: Uint8Array | RpcError | undefined;
    const answered = (answer: Uint8Array | RpcError): void => {
      checkAnswer(cluster.oracle, member, question, answer);
      const isAnswer = answer instanceof Uint8Array;
      cluster.count(isAnswer ? "answers" : "refusals");
      const text = isAnswer ? "ok" : answer.message;
      cluster.world.schedule.after(this.random.between(...WAY_MS), () => end(answer, text));
    };
    const call = new SimCall((answer) => {
      if (isHere) early = answer;
      else answered(answer);
    });
    const { request } = question;
    question.requestId = noteRequestId(() => method.handle(call, request, 0, request.length));
    isHere = false;
    if (early !== undefined) answered(early);
  }
}
