// A request that was not answered in time: what its client is told says where to look. An election
// went on while it waited; or this member had no connection to the leader, or as the leader none to
// a quorum; or the cluster is just slow.

import type { Clock } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import type { Members } from "../state/members/members.ts";
import { Errors } from "../wire/errors.ts";
import type { RpcError } from "../wire/status.ts";

export interface TimeoutsParts {
  readonly clock: Clock;
  readonly network: Pick<Network, "activeSinceMs">;
  readonly raft: Raft;
  readonly members: Members;
  readonly memberId: bigint;
  readonly options: { readonly electionMs: number };
}

export class Timeouts {
  readonly #parts: TimeoutsParts;
  /** When this member became leader last. */
  #electedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: TimeoutsParts) {
    this.#parts = parts;
  }

  /** This member leads now. */
  elected(): void {
    this.#electedMs = this.#parts.clock.monotonicMs();
  }

  /** Of a request that began at `sinceMs`. */
  reason(sinceMs: number): RpcError {
    const { raft, memberId, options } = this.#parts;
    const lostMs = this.#electedMs - 2 * options.electionMs;
    if (sinceMs > lostMs && sinceMs < this.#electedMs) return Errors.TimeoutDueToLeaderFail;
    const { lead } = raft;
    if (lead === 0n) return Errors.Timeout;
    const isConnected =
      lead === memberId ? this.#hasQuorum(sinceMs) : this.#isConnected(lead, sinceMs);
    return isConnected ? Errors.Timeout : Errors.TimeoutDueToConnectionLost;
  }

  #hasQuorum(sinceMs: number): boolean {
    const { members, memberId } = this.#parts;
    const { voters } = members.confState();
    const count = voters.filter((id) => id === memberId || this.#isConnected(id, sinceMs)).length;
    return count > voters.length / 2;
  }

  #isConnected(id: bigint, sinceMs: number): boolean {
    const activeMs = this.#parts.network.activeSinceMs(id);
    return activeMs !== undefined && activeMs < sinceMs;
  }
}
