// Changes of the membership, one at a time: checked here, proposed as configuration change V1,
// validated again by every member when applied (state/members), then answered. The answer waits
// until raft has advanced past the change, because a leader refuses the next one until then.
//
//   add, remove, update ─► strict check ─► raft.proposeConfChange ─► … applied() ─► advanced()
//   promote ─► learner-promotion.ts: only the leader can judge         │ validated    └► answer
//
// Raft drops a change silently while another is under way or no leader is known: without a leader
// it is proposed again with each tick, else its client is told after the request timeout.

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import { encodeMember, idText, type Member } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import type { ConfChangeOutcome } from "../state/state.ts";
import { Errors } from "../wire/errors.ts";
import { type ConfChange, ConfChangeType } from "../wire/messages/raft.ts";
import { Code, RpcError } from "../wire/status.ts";
import { memberIdOf } from "./identity.ts";
import { requestTimeoutMs } from "./options.ts";
import type { ReconfigCheck } from "./reconfig-check.ts";
import { RequestIds } from "./request-id.ts";

/** The members after the change, by rising id, or why there was none. Called once. */
export type MembersDone = (result: readonly Member[] | RpcError) => void;

export interface MembershipParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memberId: bigint;
  readonly members: Members;
  readonly raft: Pick<Raft, "proposeConfChange">;
  /** Undefined without `--strict-reconfig-check`. */
  readonly check: ReconfigCheck | undefined;
  readonly options: { readonly electionMs: number };
  /** Why a request that began then was not answered in time. */
  readonly timeoutReason: (sinceMs: number) => RpcError;
  /** Raft has something to do. */
  readonly wake: () => void;
}

interface Pending {
  readonly change: ConfChange;
  readonly proposedAtMs: number;
  readonly done: MembersDone;
  /** Raft has taken it. */
  isProposed: boolean;
}

/** What the log calls raft's message for a change. */
const CHANGE_NAMES = Object.fromEntries(
  Object.entries(ConfChangeType).map(([name, number]) => [number, name]),
) as Record<number, string>;

const NO_CONTEXT = new Uint8Array(0);
const PROMOTION_ENCODER = new TextEncoder();
const dropped = new RpcError(Code.Unknown, "raft proposal dropped");

export class Membership {
  readonly #parts: MembershipParts;
  readonly #ids: RequestIds;
  readonly #timeoutMs: number;
  /** By the lower 48 bits of the request id, in the order of asking. */
  readonly #pending = new Map<number, Pending>();
  /** Applied, to be answered when raft has advanced. */
  #answers: (() => void)[] = [];
  #isStopped = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.#ids = new RequestIds(parts.memberId, parts.clock.wallMs());
    this.#timeoutMs = requestTimeoutMs(parts.options);
  }

  /**
   * The new member's id is derived from its URLs and the time. `added` is the member that was
   * asked for, in the form in which the cluster has it if `done` tells no error.
   */
  add(
    peerUrls: readonly string[],
    isLearner: boolean,
    done: (result: readonly Member[] | RpcError, added: Member) => void,
  ): void {
    const { clock, check } = this.#parts;
    const sorted = [...peerUrls].sort();
    const id = memberIdOf(sorted, String(Math.floor(clock.wallMs() / 1000)));
    const added: Member = { id, peerUrls: sorted, isLearner, name: "", clientUrls: [] };
    const refusal = check?.refuseAddition(added) ?? null;
    if (refusal !== null) {
      done(refusal, added);
      return;
    }
    const type = isLearner ? "ConfChangeAddLearnerNode" : "ConfChangeAddNode";
    this.#propose(type, id, encodeMember(added), (result) => done(result, added));
  }

  remove(id: bigint, done: MembersDone): void {
    const refusal = this.#parts.check?.refuseRemoval(id) ?? null;
    if (refusal !== null) done(refusal);
    else this.#propose("ConfChangeRemoveNode", id, NO_CONTEXT, done);
  }

  update(id: bigint, peerUrls: readonly string[], done: MembersDone): void {
    const changed = { id, peerUrls, isLearner: false, name: "", clientUrls: [] };
    this.#propose("ConfChangeUpdateNode", id, encodeMember(changed), done);
  }

  /** A learner becomes a voter; whether it is ready was judged before. */
  promote(id: bigint, done: MembersDone): void {
    const json = `{"id":${id},"peerURLs":null,"isPromote":true}`;
    this.#propose("ConfChangeAddNode", id, PROMOTION_ENCODER.encode(json), done);
  }

  // --- what the loop tells

  /** A change was applied, or refused by all members; it may be another member's. */
  applied(outcome: ConfChangeOutcome): void {
    const { log, members, memberId } = this.#parts;
    if (outcome.isReplay) return;
    if (outcome.error !== null) {
      log.error("Validation on configuration change failed", {
        shouldApplyV3: true,
        error: outcome.error.message,
      });
    }
    if (outcome.idHigh !== this.#ids.high) return;
    const pending = this.#pending.get(outcome.idLow48);
    if (pending === undefined) return;
    this.#pending.delete(outcome.idLow48);
    const result = outcome.error ?? members.all();
    const { type, nodeId } = pending.change;
    this.#answers.push(() => {
      log.info("applied a configuration change through raft", {
        "local-member-id": idText(memberId),
        "raft-conf-change": CHANGE_NAMES[type],
        "raft-conf-change-node-id": idText(nodeId),
      });
      pending.done(result);
    });
  }

  /** Raft has advanced past all that was applied. */
  advanced(): void {
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) answer();
  }

  /** Called on every tick: tries again, gives up. */
  expire(): void {
    const before = this.#parts.clock.monotonicMs() - this.#timeoutMs;
    for (const [low, pending] of this.#pending) {
      if (pending.proposedAtMs <= before) this.#fail(low, this.#reason(pending));
      else if (!pending.isProposed) this.#hand(low, pending);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.advanced();
    for (const low of [...this.#pending.keys()]) this.#fail(low, Errors.Stopped);
  }

  // ---

  #propose(
    type: keyof typeof ConfChangeType,
    nodeId: bigint,
    context: Uint8Array,
    done: MembersDone,
  ): void {
    if (this.#isStopped) {
      done(Errors.Stopped);
      return;
    }
    const low = this.#ids.nextLow();
    const change = { type: ConfChangeType[type], nodeId, context, id: this.#ids.whole(low) };
    const proposedAtMs = this.#parts.clock.monotonicMs();
    const pending: Pending = { change, proposedAtMs, done, isProposed: false };
    this.#pending.set(low, pending);
    this.#hand(low, pending);
  }

  #hand(low: number, pending: Pending): void {
    const result = this.#parts.raft.proposeConfChange(pending.change);
    if (result === "no leader") return;
    pending.isProposed = true;
    if (result === "ok") this.#parts.wake();
    else this.#fail(low, dropped);
  }

  #reason({ proposedAtMs }: Pending): RpcError {
    return this.#parts.timeoutReason(proposedAtMs);
  }

  #fail(low: number, error: RpcError): void {
    const pending = this.#pending.get(low);
    this.#pending.delete(low);
    pending?.done(error);
  }
}
