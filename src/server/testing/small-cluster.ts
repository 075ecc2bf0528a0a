// The membership parts of one member, with a raft and peers that do what a test says.

import { AppliedState } from "../../../test/model/applied-state.ts";
import { silentLogger } from "../../base/log.ts";
import type { PeerAnswer, PeerRequest } from "../../io/network.ts";
import type { ProgressStatus, RaftStatus } from "../../raft/raft.ts";
import type { Member } from "../../state/members/member-json.ts";
import { Errors } from "../../wire/errors.ts";
import { RequestField } from "../../wire/internal-raft-request.ts";
import { encodeClusterMemberAttrSetRequest } from "../../wire/messages/membership.ts";
import type { ConfChange } from "../../wire/messages/raft.ts";
import { RpcError } from "../../wire/status.ts";
import { AppliedWait } from "../applied-wait.ts";
import { LearnerPromotion } from "../learner-promotion.ts";
import { Membership } from "../membership.ts";
import { ReconfigCheck } from "../reconfig-check.ts";
import { ManualClock } from "./manual-clock.ts";

export const OWN = 0x11n;
export const CLUSTER = 0xccn;

/** What came of a change: the URLs of the members, or the error's text. */
export type Told = string[] | string;

export class SmallCluster {
  readonly clock: ManualClock = new ManualClock();
  readonly applied: AppliedState = new AppliedState({ maxLearners: 1 });
  readonly membership: Membership;
  readonly promotion: LearnerPromotion;
  readonly appliedWait: AppliedWait;
  /** Given to raft, in order. */
  readonly proposed: ConfChange[] = [];
  /** Since when a peer is connected; those who are missing are down. */
  readonly activeSinceMs: Map<bigint, number> = new Map();
  readonly asked: (PeerRequest & { readonly url: string })[] = [];
  readonly match: Map<bigint, number> = new Map();
  answers: ((url: string) => PeerAnswer | Error)[] = [];
  answerOfRaft: "ok" | "dropped" | "no leader" = "ok";
  lead: bigint = OWN;
  commitIndex = 0;

  constructor(isStrict = true) {
    const { clock } = this;
    const log = silentLogger;
    const { members } = this.applied.state;
    const network = {
      activeSinceMs: (id: bigint) => this.activeSinceMs.get(id),
      ask: (url: string, request: PeerRequest, done: (answer: PeerAnswer | Error) => void) => {
        this.asked.push({ ...request, url });
        done(this.answers.shift()?.(url) ?? new Error("connection refused"));
      },
    };
    const ids = { memberId: OWN, clusterId: CLUSTER };
    const check = isStrict
      ? new ReconfigCheck({ clock, log, members, network, ...ids })
      : undefined;
    const options = { electionMs: 1000 };
    this.membership = new Membership({
      ...{ clock, log, members, check, options, memberId: OWN },
      raft: {
        proposeConfChange: (change) => {
          if (this.answerOfRaft === "ok") this.proposed.push(change as ConfChange);
          return this.answerOfRaft;
        },
      },
      timeoutReason: () => Errors.Timeout,
      wake() {},
    });
    this.appliedWait = new AppliedWait(
      clock,
      () => this.commitIndex,
      () => this.applied.state.appliedIndex,
    );
    const raft = this.#raft();
    this.promotion = new LearnerPromotion({
      ...{ clock, log, members, check, options, network, raft, memberId: OWN },
      membership: this.membership,
      applied: this.appliedWait,
    });
  }

  /** Puts a member into the cluster as if it had always been there. */
  has(id: bigint, url: string, given: { name?: string; isLearner?: boolean } = {}): this {
    const { name = `m${id}`, isLearner = false } = given;
    const context = Buffer.from(
      `{"id":${id},"peerURLs":["${url}"]${isLearner ? ',"isLearner":true' : ""}}`,
    );
    this.apply({ type: isLearner ? 3 : 0, nodeId: id, context, id: 1n });
    if (name !== "") {
      const memberAttributes = { name, clientUrls: [] };
      const request = encodeClusterMemberAttrSetRequest({ memberID: id, memberAttributes });
      this.applied.apply(RequestField.ClusterMemberAttrSet, request);
    }
    return this;
  }

  /** All peers have been connected for long. */
  connected(...ids: bigint[]): this {
    for (const id of ids) this.activeSinceMs.set(id, this.clock.monotonicMs() - 60_000);
    return this;
  }

  apply(change: ConfChange): void {
    const { state } = this.applied;
    const confState = {
      voters: [],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const outcome = state.applyConfChange(state.appliedIndex + 1, 1, change, () => confState);
    this.membership.applied(outcome);
  }

  /** Applies all that was proposed, and lets raft advance. */
  settle(): void {
    for (const change of this.proposed.splice(0)) this.apply(change);
    this.membership.advanced();
    this.appliedWait.applied();
  }

  #raft() {
    const cluster = this;
    return {
      get isLeader() {
        return cluster.lead === OWN;
      },
      get lead() {
        return cluster.lead;
      },
      status: (): RaftStatus => {
        const progress = new Map(
          [...cluster.match].map(([id, match]) => [id, { match } as ProgressStatus]),
        );
        return { id: OWN, progress } as unknown as RaftStatus;
      },
    };
  }
}

/** Collects the one answer. */
export class Answer {
  value: Told | undefined;

  readonly done = (result: readonly Member[] | RpcError): void => {
    this.value =
      result instanceof RpcError
        ? result.message
        : result.map(({ peerUrls }) => peerUrls.join(" "));
  };
}

export function told(): Answer {
  return new Answer();
}
