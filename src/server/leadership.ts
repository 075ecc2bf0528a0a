// Leadership by will rather than by chance: handed to another member when an operator asks for it
// or when this one stops, so that clients need not wait for an election timeout; and the first
// election of a start, which need not wait for all of one.

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import { idText } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import { type MemberOptions, requestTimeoutMs } from "./options.ts";

/** How often, and for how long, it is looked after a start whether the others are there. */
const PEERS_LOOK_MS = 50;
const PEERS_WAIT_MS = 5000;

const timedOut: RpcError = new RpcError(
  Code.Unknown,
  "etcdserver: request timed out, leader transfer took too long",
);

export interface LeadershipParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly network: Pick<Network, "activeSinceMs">;
  readonly raft: Raft;
  readonly members: Members;
  readonly memberId: bigint;
  readonly options: Pick<
    MemberOptions,
    "electionMs" | "tickMs" | "initialElectionTickAdvance" | "name"
  >;
  /** Raft has something to do. */
  readonly wake: () => void;
}

export class Leadership {
  readonly #parts: LeadershipParts;
  #timer: Timer | undefined;
  #waitingForPeers: Timer | undefined;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  /** On the leader. `done` when this member sees `to` lead, or has waited for long enough. */
  move(to: bigint, done: (error: RpcError | null) => void): void {
    const { clock, log, raft, members, memberId, options, wake } = this.#parts;
    const target = members.find(to);
    if (target === undefined || target.isLearner) {
      done(Errors.BadLeaderTransferee);
      return;
    }
    const beganMs = clock.monotonicMs();
    const from = raft.lead;
    const fields = { "local-member-id": idText(memberId) };
    const toField = { "transferee-member-id": idText(to) };
    log.info("leadership transfer starting", {
      ...fields,
      "current-leader-member-id": idText(from),
      ...toField,
    });
    raft.transferLeadership(to);
    wake();
    const look = (): void => {
      const tookMs = clock.monotonicMs() - beganMs;
      if (raft.lead === to) {
        const took = `${tookMs.toFixed(3)}ms`;
        const leaders = {
          "old-leader-member-id": idText(from),
          "new-leader-member-id": idText(to),
        };
        log.info("leadership transfer finished", { ...fields, ...leaders, took });
        done(null);
      } else if (tookMs >= requestTimeoutMs(options)) {
        done(timedOut);
      } else {
        this.#timer = clock.after(options.tickMs, look);
      }
    };
    look();
  }

  /** Before a stop: whoever has been connected for longest leads. */
  handOver(done: () => void): void {
    const { log, raft, members, memberId } = this.#parts;
    const fields = {
      "local-member-id": idText(memberId),
      "current-leader-member-id": idText(raft.lead),
    };
    if (!raft.isLeader) {
      log.info("skipped leadership transfer; local server is not leader", fields);
      done();
      return;
    }
    const { voters } = members.confState();
    if (voters.length <= 1) {
      log.info("skipped leadership transfer for single voting member cluster", fields);
      done();
      return;
    }
    const target = this.#longestConnected(voters);
    const ended = (error: RpcError | null): void => {
      if (error !== null) {
        const local = { "local-member-id": idText(memberId) };
        log.warn("leadership transfer failed", { ...local, error: error.message });
      }
      done();
    };
    if (target === undefined) ended(Errors.Unhealthy);
    else this.move(target, ended);
  }

  #longestConnected(voters: readonly bigint[]): bigint | undefined {
    const { network, memberId } = this.#parts;
    let longest: bigint | undefined;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const id of voters) {
      const sinceMs = id === memberId ? undefined : network.activeSinceMs(id);
      if (sinceMs === undefined || sinceMs >= earliestMs) continue;
      longest = id;
      earliestMs = sinceMs;
    }
    return longest;
  }

  /**
   * After a start: when the others are there and nobody leads, nobody is going to be heard within
   * the election timeout either; most of it can be left out.
   */
  startElection(): void {
    const { clock, options } = this.#parts;
    if (options.initialElectionTickAdvance === false) return;
    const untilMs = clock.monotonicMs() + PEERS_WAIT_MS;
    const look = (): void => {
      if (this.#activePeers() > 1) this.#skipTicks();
      else if (clock.monotonicMs() < untilMs) {
        this.#waitingForPeers = clock.after(PEERS_LOOK_MS, look);
      }
    };
    this.#waitingForPeers = clock.after(PEERS_LOOK_MS, look);
  }

  #activePeers(): number {
    const { network, members } = this.#parts;
    return members.all().filter(({ id }) => network.activeSinceMs(id) !== undefined).length;
  }

  #skipTicks(): void {
    const { log, raft, memberId, options, wake } = this.#parts;
    const electionTicks = Math.floor(options.electionMs / options.tickMs);
    const ticks = electionTicks - 2;
    log.info("initialized peer connections; fast-forwarding election ticks", {
      "local-member-id": idText(memberId),
      "forward-ticks": ticks,
      "forward-duration": `${ticks * options.tickMs}ms`,
      "election-ticks": electionTicks,
      "election-timeout": `${options.electionMs}ms`,
      "active-remote-members": this.#activePeers(),
    });
    for (let tick = 0; tick < ticks; tick++) raft.tick();
    wake();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waitingForPeers?.cancel();
  }
}
