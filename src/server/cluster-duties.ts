// What a member does for its cluster besides agreement and storage, put together: it takes changes
// of the membership, answers peers' questions, and compares its data with theirs.

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { Network, PeerAnswer, PeerRequest } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import type { ConfChangeOutcome, State } from "../state/state.ts";
import { AppliedWait } from "./applied-wait.ts";
import { CorruptionCheck } from "./corruption-check.ts";
import { LearnerPromotion } from "./learner-promotion.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { Membership } from "./membership.ts";
import { DEFAULT_DUTIES, type MemberOptions } from "./options.ts";
import { PeerRequests } from "./peer-requests.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadWaiter } from "./reads.ts";
import { ReconfigCheck } from "./reconfig-check.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface ClusterDutiesParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly options: MemberOptions;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: State;
  readonly raft: Raft;
  readonly network: Network;
  readonly proposals: Pick<Proposals, "propose" | "timeoutReason">;
  readonly leaseClock: LeaseClock;
  readonly confirmRead: (waiter: ReadWaiter) => boolean;
  readonly storageVersion: () => string | undefined;
  /** Raft has something to do. */
  readonly wake: () => void;
}

export class ClusterDuties {
  readonly membership: Membership;
  readonly promotion: LearnerPromotion;
  readonly corruption: CorruptionCheck;
  readonly #applied: AppliedWait;
  readonly #requests: PeerRequests;

  constructor(given: ClusterDutiesParts) {
    const { clock, raft, state } = given;
    const { members } = state;
    const options = { ...DEFAULT_DUTIES, ...given.options };
    const check = options.strictReconfigCheck
      ? new ReconfigCheck({ ...given, members })
      : undefined;
    const timeoutReason = (sinceMs: number) => given.proposals.timeoutReason(sinceMs);
    const parts = { ...given, members, check, options, timeoutReason };
    this.membership = new Membership(parts);
    this.#applied = new AppliedWait(
      clock,
      () => raft.commit,
      () => state.appliedIndex,
    );
    const { membership } = this;
    this.promotion = new LearnerPromotion({ ...parts, membership, applied: this.#applied });
    const { promotion } = this;
    this.#requests = new PeerRequests({ ...parts, promotion, applied: this.#applied });
    this.corruption = new CorruptionCheck({ ...parts, isLeader: () => raft.isLeader });
  }

  start(): void {
    this.corruption.start();
  }

  /** A change of the membership was applied. */
  changed(outcome: ConfChangeOutcome): void {
    this.membership.applied(outcome);
  }

  /** Entries were applied. */
  applied(): void {
    this.#applied.applied();
  }

  /** Raft has advanced past what was applied. */
  advanced(): void {
    this.membership.advanced();
  }

  /** Called on every tick. */
  expire(): void {
    this.membership.expire();
  }

  /** A question of a peer. */
  answer(request: PeerRequest, answer: (answer: PeerAnswer) => void): void {
    this.#requests.handle(request, answer);
  }

  stop(): void {
    this.corruption.stop();
    this.promotion.stop();
    this.#applied.stop();
    this.membership.stop();
  }
}
