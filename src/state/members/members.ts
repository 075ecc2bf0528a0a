// Who belongs to the cluster, by the log: members and their URLs, ids that were removed for ever,
// the version that all agreed on. The buckets are written in the batch of the entry, so after a
// restart they are the truth, and the configuration for raft is built from them.

import { assert, InvariantError } from "../../base/assert.ts";
import { Bucket, ClusterKey, MEMBER_REMOVED } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { type ConfChange, ConfChangeType } from "../../wire/messages/raft.ts";
import type { RpcError } from "../../wire/status.ts";
import type { RecordStore } from "../mvcc/record-store.ts";
import {
  decodeMember,
  encodeMember,
  goJson,
  idText,
  type Member,
  type MemberChange,
} from "./member-json.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The part of raft's ConfState that membership decides. */
export interface VotersAndLearners {
  readonly voters: bigint[];
  readonly learners: bigint[];
}

export interface DowngradeInfo {
  readonly enabled: boolean;
  readonly targetVersion: string;
}

export class Members {
  /** As "3.7.0"; undefined before the first agreement. */
  clusterVersion: string | undefined;
  downgrade: DowngradeInfo = { enabled: false, targetVersion: "" };

  readonly #records: RecordStore;
  readonly #maxLearners: number;
  readonly #serverVersion: string;
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();

  constructor(
    records: RecordStore,
    options: { readonly maxLearners: number; readonly serverVersion: string },
  ) {
    this.#records = records;
    this.#maxLearners = options.maxLearners;
    this.#serverVersion = options.serverVersion;
  }

  restore(): void {
    this.#records.forEach(Bucket.members, (_, value) => {
      const { isPromote: _isPromote, ...member } = decodeMember(value);
      this.#members.set(member.id, member);
    });
    this.#records.forEach(Bucket.membersRemoved, (key) => {
      this.#removed.add(BigInt(`0x${decoder.decode(key)}`));
    });
    const version = this.#records.get(Bucket.cluster, ClusterKey.clusterVersion);
    if (version !== undefined) this.#useClusterVersion(decoder.decode(version));
    const downgrade = this.#records.get(Bucket.cluster, ClusterKey.downgrade);
    if (downgrade !== undefined) this.downgrade = decodeDowngrade(downgrade);
  }

  forget(): void {
    this.#members.clear();
    this.#removed.clear();
    this.clusterVersion = undefined;
    this.downgrade = { enabled: false, targetVersion: "" };
  }

  find(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** By id, ascending. */
  all(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  removed(): bigint[] {
    return [...this.#removed].sort((a, b) => (a < b ? -1 : 1));
  }

  confState(): VotersAndLearners {
    const voters: bigint[] = [];
    const learners: bigint[] = [];
    for (const { id, isLearner } of this.all()) (isLearner ? learners : voters).push(id);
    return { voters, learners };
  }

  /**
   * Why a change is refused, or null. All members must come to the same answer.
   * @throws InvariantError for a context that no member would have proposed.
   */
  refusal(change: ConfChange): RpcError | null {
    const { nodeId } = change;
    if (this.#removed.has(nodeId)) return Errors.MemberNotFound;
    switch (change.type) {
      case ConfChangeType.ConfChangeAddNode:
      case ConfChangeType.ConfChangeAddLearnerNode: {
        const context = contextOf(change);
        if (context.isPromote) return this.#refusePromotion(nodeId);
        const asLearner = change.type === ConfChangeType.ConfChangeAddLearnerNode;
        return this.#refuseAddition(context, asLearner && context.isLearner);
      }
      case ConfChangeType.ConfChangeRemoveNode:
        return this.#members.has(nodeId) ? null : Errors.MemberNotFound;
      case ConfChangeType.ConfChangeUpdateNode: {
        if (!this.#members.has(nodeId)) return Errors.MemberNotFound;
        const { peerUrls } = contextOf(change);
        return this.#isUrlUsed(peerUrls, nodeId) ? Errors.PeerURLExist : null;
      }
      default:
        throw new InvariantError(`unknown type ${String(change.type)} of a membership change`);
    }
  }

  /** Carries out a change that was not refused. */
  apply(change: ConfChange): void {
    const { nodeId } = change;
    if (change.type === ConfChangeType.ConfChangeRemoveNode) {
      this.#members.delete(nodeId);
      this.#removed.add(nodeId);
      const key = encoder.encode(idText(nodeId));
      this.#records.delete(Bucket.members, key);
      this.#records.put(Bucket.membersRemoved, key, MEMBER_REMOVED);
      return;
    }
    const { isPromote, ...added } = contextOf(change);
    const known = this.#members.get(nodeId);
    if (isPromote) known!.isLearner = false;
    else if (change.type === ConfChangeType.ConfChangeUpdateNode) known!.peerUrls = added.peerUrls;
    this.#save(known ?? added);
  }

  /** A member tells its name and client URLs. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member === undefined) {
      assert(this.#removed.has(id), `attributes for member ${idText(id)}, which never was one`);
      return;
    }
    member.name = name;
    member.clientUrls = clientUrls;
    this.#save(member);
  }

  setClusterVersion(version: string): void {
    this.#useClusterVersion(version);
    this.#records.put(Bucket.cluster, ClusterKey.clusterVersion, encoder.encode(version));
  }

  setDowngrade(downgrade: DowngradeInfo): void {
    this.downgrade = downgrade;
    this.#records.put(Bucket.cluster, ClusterKey.downgrade, encodeDowngrade(downgrade));
  }

  #save(member: Member): void {
    this.#members.set(member.id, member);
    this.#records.put(Bucket.members, encoder.encode(idText(member.id)), encodeMember(member));
  }

  #useClusterVersion(version: string): void {
    if (compareMinor(this.#serverVersion, version) < 0) {
      throw new InvariantError(
        "invalid downgrade; server version is lower than determined cluster version " +
          `(server ${this.#serverVersion}, cluster ${version})`,
      );
    }
    this.clusterVersion = version;
  }

  #refusePromotion(id: bigint): RpcError | null {
    const member = this.#members.get(id);
    if (member === undefined) return Errors.MemberNotFound;
    return member.isLearner ? null : Errors.MemberNotLearner;
  }

  #refuseAddition(added: Member, isLearner: boolean): RpcError | null {
    if (this.#members.has(added.id)) return Errors.MemberExist;
    if (this.#isUrlUsed(added.peerUrls, added.id)) return Errors.PeerURLExist;
    if (!isLearner) return null;
    const { learners } = this.confState();
    return learners.length >= this.#maxLearners ? Errors.TooManyLearners : null;
  }

  #isUrlUsed(urls: readonly string[], exceptOf: bigint): boolean {
    for (const member of this.#members.values()) {
      if (member.id === exceptOf) continue;
      if (member.peerUrls.some((url) => urls.includes(url))) return true;
    }
    return false;
  }
}

/** meta/confState: ids are bare 64-bit numbers. */
export function encodeConfState(state: {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}): Uint8Array {
  const parts: string[] = [];
  const add = (name: string, ids: readonly bigint[]): void => {
    if (ids.length > 0) parts.push(`"${name}":[${ids.join(",")}]`);
  };
  add("voters", state.voters);
  add("learners", state.learners);
  add("voters_outgoing", state.votersOutgoing);
  add("learners_next", state.learnersNext);
  parts.push(`"auto_leave":${state.autoLeave}`);
  return encoder.encode(`{${parts.join(",")}}`);
}

/** Compares major and minor; the rest does not count. */
export function compareMinor(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map(Number);
  const [bMajor = 0, bMinor = 0] = b.split(".").map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

function contextOf(change: ConfChange): MemberChange {
  let context: MemberChange;
  try {
    context = decodeMember(change.context);
  } catch (error) {
    throw new InvariantError(`a membership change with unreadable context: ${String(error)}`);
  }
  assert(context.id === change.nodeId, "a membership change and its context are about one member");
  return context;
}

function encodeDowngrade({ enabled, targetVersion }: DowngradeInfo): Uint8Array {
  return encoder.encode(`{"target-version":${goJson(targetVersion)},"enabled":${enabled}}`);
}

function decodeDowngrade(bytes: Uint8Array): DowngradeInfo {
  const parsed = JSON.parse(decoder.decode(bytes)) as {
    readonly "target-version"?: string;
    readonly enabled?: boolean;
  };
  return { enabled: parsed.enabled === true, targetVersion: parsed["target-version"] ?? "" };
}
