// `--strict-reconfig-check`: would a change of the membership put the quorum at risk? This member
// judges by what it sees itself, before anything is proposed: who ever started (has told a name),
// and to whom it has been connected for a while.

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import { idText, type Member } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import { Errors } from "../wire/errors.ts";
import type { RpcError } from "../wire/status.ts";

/** A connection younger than this proves nothing yet (etcd: HealthInterval). */
const HEALTHY_MS = 5000;

export interface ReconfigCheckParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly members: Members;
  readonly network: Pick<Network, "activeSinceMs">;
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

export class ReconfigCheck {
  readonly #parts: ReconfigCheckParts;

  constructor(parts: ReconfigCheckParts) {
    this.#parts = parts;
  }

  /** Why a member may not be added now, or null. */
  refuseAddition(added: Member): RpcError | null {
    const { memberId } = this.#parts;
    const fields = {
      "local-member-id": idText(memberId),
      "requested-member-add": showMember(added),
    };
    if (!added.isLearner && !this.#hasEnoughToAdd()) {
      const text = "rejecting member add request; not enough healthy members";
      return this.#refuse(text, fields, Errors.MemberNotEnoughStarted);
    }
    const voters = this.#voters();
    // The new member counts as one that is down. Alone, a member may always take in a second one.
    if (voters.length === 1 || this.#connected(voters) >= quorumOf(voters.length + 1)) return null;
    const text =
      "rejecting member add request; local member has not been connected to majority peers, " +
      "reconfigure breaks active quorum";
    return this.#refuse(text, fields, Errors.Unhealthy);
  }

  /** Why a member may not be removed now, or null. */
  refuseRemoval(id: bigint): RpcError | null {
    const { memberId, members, network } = this.#parts;
    if (members.find(id)?.isLearner === true) return null;
    const voters = this.#voters();
    const others = voters.filter((voter) => voter.id !== id);
    const fields = { "local-member-id": idText(memberId), "requested-member-remove": idText(id) };
    if (!this.#hasQuorum("remove", startedOf(others), others.length)) {
      const text = "rejecting member remove request; not enough healthy members";
      return this.#refuse(text, fields, Errors.MemberNotEnoughStarted);
    }
    // One that is down is no part of the quorum that works.
    if (id !== memberId && network.activeSinceMs(id) === undefined) return null;
    const active = this.#connected(voters);
    if (active - 1 >= quorumOf(voters.length - 1)) return null;
    const text =
      "rejecting member remove request; local member has not been connected to all peers, " +
      "reconfigure breaks active quorum";
    return this.#refuse(text, { ...fields, "active-peers": active }, Errors.Unhealthy);
  }

  /** Why a learner may not become a voter now, or null. */
  refusePromotion(id: bigint): RpcError | null {
    const voters = this.#voters();
    if (this.#hasQuorum("promote", startedOf(voters) + 1, voters.length + 1)) return null;
    const fields = {
      "local-member-id": idText(this.#parts.memberId),
      "requested-member-remove-id": idText(id),
    };
    const text = "rejecting member promote request; not enough healthy members";
    return this.#refuse(text, fields, Errors.MemberNotEnoughStarted);
  }

  /** How many of `members` this one can count on, itself included. */
  #connected(members: readonly Member[]): number {
    const { clock, network, memberId } = this.#parts;
    const beforeMs = clock.monotonicMs() - HEALTHY_MS;
    const isConnected = ({ id }: Member): boolean => {
      const sinceMs = network.activeSinceMs(id);
      return id === memberId || (sinceMs !== undefined && sinceMs < beforeMs);
    };
    return members.filter(isConnected).length;
  }

  #hasEnoughToAdd(): boolean {
    const voters = this.#voters();
    const started = startedOf(voters);
    // So that a cluster restored with one member can grow again.
    if (started === 1 && voters.length === 1) return true;
    return this.#hasQuorum("add", started, voters.length + 1);
  }

  #hasQuorum(what: string, started: number, members: number): boolean {
    const { log, clusterId, memberId } = this.#parts;
    const quorum = quorumOf(members);
    if (started >= quorum) return true;
    log.warn(`rejecting member ${what}; started member will be less than quorum`, {
      "number-of-started-member": started,
      quorum,
      "cluster-id": idText(clusterId),
      "local-member-id": idText(memberId),
    });
    return false;
  }

  #voters(): Member[] {
    return this.#parts.members.all().filter((member) => !member.isLearner);
  }

  #refuse(text: string, fields: Readonly<Record<string, unknown>>, error: RpcError): RpcError {
    this.#parts.log.warn(text, { ...fields, error: error.message });
    return error;
  }
}

function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** A member that has told its name has run once. */
function startedOf(members: readonly Member[]): number {
  return members.filter((member) => member.name !== "").length;
}

/** As Go prints the structure. */
function showMember({ id, peerUrls, isLearner, name, clientUrls }: Member): string {
  return (
    `{ID:${idText(id)} RaftAttributes:{PeerURLs:[${peerUrls.join(" ")}] IsLearner:${isLearner}} ` +
    `Attributes:{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}}`
  );
}
