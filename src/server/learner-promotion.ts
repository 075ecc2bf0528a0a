// A learner becomes a voter when it has (nearly) all that the leader has. Only the leader knows;
// any other member passes the question on to it, and when the leader changes meanwhile, to the
// next one.
//
//   promote(id) ─ leader? ─► applied all that is committed? learner at 90 %? ─► Membership.promote
//               └ no ─► POST <leader>/members/promote/<id in decimal> ─► its answer, or again

import type { Logger } from "../base/log.ts";
import { Counter, Family } from "../base/metrics.ts";
import type { Clock } from "../io/io.ts";
import type { Network, PeerAnswer } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import { idText, type Member } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import { Errors } from "../wire/errors.ts";
import { RpcError } from "../wire/status.ts";
import type { AppliedWait } from "./applied-wait.ts";
import type { MembersDone, Membership } from "./membership.ts";
import { requestTimeoutMs } from "./options.ts";
import { decodePeerMembers } from "./peer-members.ts";
import type { ReconfigCheck } from "./reconfig-check.ts";

/** Of the leader's progress, what a learner needs (etcd: readyPercentThreshold). */
const READY_RATIO = 0.9;
/** Between two questions to a leader that gave no answer that counts. */
const RETRY_MS = 100;

/** What etcd's members write into the answer when a member is no learner. */
export const NOT_LEARNER_TEXT = "membership: can only promote a learner member";

export interface LearnerPromotionParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memberId: bigint;
  readonly members: Members;
  readonly membership: Membership;
  readonly raft: Pick<Raft, "status" | "isLeader" | "lead">;
  readonly network: Pick<Network, "ask">;
  readonly applied: AppliedWait;
  readonly check: ReconfigCheck | undefined;
  readonly options: { readonly electionMs: number };
}

export class LearnerPromotion {
  readonly successes: Counter = new Counter();
  readonly failures: Family<Counter> = new Family(["Reason"], () => new Counter());
  readonly #parts: LearnerPromotionParts;
  #isStopped = false;

  constructor(parts: LearnerPromotionParts) {
    this.#parts = parts;
  }

  promote(id: bigint, done: MembersDone): void {
    const { clock, options } = this.#parts;
    const untilMs = clock.monotonicMs() + requestTimeoutMs(options);
    this.#promoteHere(id, (result) => {
      if (!(result instanceof RpcError)) this.successes.add();
      else if (result === Errors.NotLeader) {
        this.#askLeader(id, untilMs, done);
        return;
      } else this.failures.with(result.message).add();
      done(result);
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #promoteHere(id: bigint, done: MembersDone): void {
    const { applied, check, membership } = this.#parts;
    applied.wait((isApplied) => {
      const refusal = isApplied ? this.#refuseUnready(id) : Errors.TimeoutWaitAppliedIndex;
      const error = refusal ?? check?.refusePromotion(id) ?? null;
      if (error !== null) done(error);
      else membership.promote(id, done);
    });
  }

  #refuseUnready(id: bigint): RpcError | null {
    const { raft, log } = this.#parts;
    if (!raft.isLeader) return Errors.NotLeader;
    const { progress, id: ownId } = raft.status();
    const learner = progress.get(id);
    if (learner === undefined) return Errors.MemberNotFound;
    const own = progress.get(ownId)?.match ?? 0;
    const ratio = own === 0 ? 1 : learner.match / own;
    if (ratio >= READY_RATIO) return null;
    log.error("rejecting promote learner: learner is not ready", {
      "learner-ready-percent": ratio,
      "ready-percent-threshold": READY_RATIO,
    });
    return Errors.LearnerNotReady;
  }

  /** Until the leader says something that counts, or the time of the request is over. */
  #askLeader(id: bigint, untilMs: number, done: MembersDone): void {
    const { clock, raft, members, memberId, options } = this.#parts;
    const leftMs = untilMs - clock.monotonicMs();
    const leader = members.find(raft.lead);
    if (this.#isStopped || leftMs <= 0) {
      const late = leader === undefined ? Errors.NoLeader : Errors.Timeout;
      done(this.#isStopped ? Errors.Stopped : late);
      return;
    }
    const again = (): void => this.#askLeader(id, untilMs, done);
    if (leader === undefined) {
      clock.after(Math.min(options.electionMs, leftMs), again);
    } else if (leader.id === memberId) {
      this.#promoteHere(id, (result) => {
        if (result === Errors.NotLeader) clock.after(RETRY_MS, again);
        else done(result);
      });
    } else {
      this.#ask([...leader.peerUrls], id, leftMs, done, again);
    }
  }

  #ask(urls: string[], id: bigint, timeoutMs: number, done: MembersDone, again: () => void): void {
    const { network, clock, log } = this.#parts;
    const url = urls.shift();
    if (url === undefined) {
      clock.after(RETRY_MS, again);
      return;
    }
    const path = `/members/promote/${id}`;
    network.ask(url, { method: "POST", path, timeoutMs }, (answer) => {
      const result = answer instanceof Error ? answer : resultOf(answer);
      if (result instanceof Error) {
        log.debug("promotion passed on without success", {
          "remote-peer-url": url,
          "member-id": idText(id),
          error: result,
        });
        this.#ask(urls, id, timeoutMs, done, again);
      } else done(result);
    });
  }
}

/** Members, an answer that counts (RpcError), or a reason to ask again (Error). */
function resultOf({ status, body }: PeerAnswer): Member[] | RpcError | Error {
  const text = Buffer.from(body).toString("utf8");
  if (status === 404) return Errors.MemberNotFound;
  if (status === 412) {
    if (text.includes(Errors.LearnerNotReady.message)) return Errors.LearnerNotReady;
    if (text.includes(NOT_LEARNER_TEXT)) return Errors.MemberNotLearner;
  }
  if (status !== 200) return new Error(`member promote: unknown error(${text.trim()})`);
  try {
    return decodePeerMembers(body);
  } catch (error) {
    return error as Error;
  }
}
