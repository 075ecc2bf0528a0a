// The configuration together with what is known of each of its members: the Progress of all, and
// the votes of an election. Everything that asks "have enough of them …?" is answered here.

import { ascending, type Configuration, confStateOf } from "./confchange.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { jointVote, majorityReached, majorityVote, type VoteResult } from "./quorum.ts";
import type { ConfState } from "./ready.ts";

export interface InflightLimits {
  readonly inflightCountMax: number;
  /** 0: no limit. */
  readonly inflightBytesMax: number;
}

export class Tracker {
  readonly #selfId: bigint;
  readonly #limits: InflightLimits;
  readonly #byId = new Map<bigint, Progress>();
  readonly #votes = new Map<bigint, boolean>();
  /** Scratch space of `committed`. */
  readonly #matches: number[] = [];
  /** The member that keeps this; undefined while it is not part of the configuration. */
  self: Progress | undefined = undefined;
  /** All members, learners too, by ascending id. */
  members: readonly Progress[] = [];
  /** Voters of each half; `outgoing` is empty unless the configuration is joint. */
  incoming: readonly Progress[] = [];
  outgoing: readonly Progress[] = [];
  configuration: Configuration;

  constructor(selfId: bigint, configuration: Configuration, next: number, limits: InflightLimits) {
    this.#selfId = selfId;
    this.#limits = limits;
    this.configuration = configuration;
    this.switchTo(configuration, next);
  }

  /** Members that stay keep their Progress; new ones start at `next`. */
  switchTo(configuration: Configuration, next: number): void {
    const { incoming, outgoing, learners } = configuration;
    const ids = new Set([...incoming, ...outgoing, ...learners]);
    for (const id of this.#byId.keys()) if (!ids.has(id)) this.#byId.delete(id);
    for (const id of ids) {
      const known = this.#byId.get(id);
      if (known !== undefined) known.isLearner = learners.has(id);
      else this.#byId.set(id, this.#newProgress(id, next, learners.has(id)));
    }
    this.configuration = configuration;
    this.self = this.#byId.get(this.#selfId);
    this.members = [...this.#byId.values()].sort((a, b) => ascending(a.id, b.id));
    this.incoming = this.members.filter((member) => incoming.has(member.id));
    this.outgoing = this.members.filter((member) => outgoing.has(member.id));
  }

  #newProgress(id: bigint, next: number, isLearner: boolean): Progress {
    const { inflightCountMax, inflightBytesMax } = this.#limits;
    const inflights = new Inflights(inflightCountMax, inflightBytesMax);
    const progress = new Progress(id, Math.max(next, 1), inflights, isLearner);
    // Otherwise a leader that checks its quorum right after adding members would step down.
    progress.recentActive = true;
    return progress;
  }

  get(id: bigint): Progress | undefined {
    return this.#byId.get(id);
  }

  get isJoint(): boolean {
    return this.outgoing.length > 0;
  }

  /** There is one voter in all: what it has is committed. */
  get isSingleton(): boolean {
    return this.incoming.length === 1 && this.outgoing.length === 0;
  }

  confState(): ConfState {
    return confStateOf(this.configuration);
  }

  /** Voters of both halves, by ascending id. */
  voters(): Progress[] {
    const { incoming, outgoing } = this.configuration;
    return this.members.filter(({ id }) => incoming.has(id) || outgoing.has(id));
  }

  /** The highest index that a quorum of each half has. */
  committed(): number {
    const incoming = this.#majorityMatch(this.incoming);
    return this.outgoing.length === 0
      ? incoming
      : Math.min(incoming, this.#majorityMatch(this.outgoing));
  }

  #majorityMatch(voters: readonly Progress[]): number {
    const matches = this.#matches;
    matches.length = voters.length;
    for (let at = 0; at < voters.length; at++) matches[at] = voters[at]!.match;
    return majorityReached(matches);
  }

  /** As `committed`, of any other position that members acknowledge. */
  reached(positions: ReadonlyMap<bigint, number>): number {
    const position = ({ id }: Progress) => positions.get(id) ?? 0;
    return Math.min(
      majorityReached(this.incoming.map(position)),
      majorityReached(this.outgoing.map(position)),
    );
  }

  /** These two alone decide. */
  isQuorum(one: bigint, other: bigint): boolean {
    return this.#ballot(({ id }) => id === one || id === other) === "won";
  }

  isQuorumActive(): boolean {
    return this.#ballot(({ recentActive }) => recentActive) === "won";
  }

  /** The first answer of a member counts. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  forgetVotes(): void {
    this.#votes.clear();
  }

  voteResult(): VoteResult {
    return this.#ballot(({ id }) => this.#votes.get(id));
  }

  #ballot(answer: (voter: Progress) => boolean | undefined): VoteResult {
    return jointVote(ballotOf(this.incoming, answer), ballotOf(this.outgoing, answer));
  }
}

function ballotOf(
  voters: readonly Progress[],
  answer: (voter: Progress) => boolean | undefined,
): VoteResult {
  let yes = 0;
  let no = 0;
  for (const voter of voters) {
    const granted = answer(voter);
    if (granted === true) yes++;
    else if (granted === false) no++;
  }
  return majorityVote(voters.length, yes, no);
}
