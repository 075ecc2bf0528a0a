// The log as it was agreed, and what follows from it. The simulator sees every entry when the
// first member applies it; from then on nothing about it may change. Each entry goes to the model
// at once, so every right answer is known before anybody gives one:
//
//   member.apply ─► same entry at this index everywhere? ─ new ─► model ─► expected, by request id
//                                                                     └──► changes, for watchers

import type { Entry } from "../../../src/raft/ready.ts";
import { EntryType } from "../../../src/raft/ready.ts";
import { Proposal, RequestField, readProposal } from "../../../src/wire/internal-raft-request.ts";
import type { KeyValue } from "../../../src/wire/messages/kv.ts";
import {
  type DeleteRangeResponseInit,
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeTxnRequest,
  type RangeRequest,
  type TxnResponse,
} from "../../../src/wire/messages/rpc-kv.ts";
import {
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
} from "../../../src/wire/messages/rpc-lease.ts";
import { RpcError } from "../../../src/wire/status.ts";
import { Model, type ModelRange } from "../../model/model.ts";
import type { Change } from "../../watch/history.ts";
import { require } from "./violation.ts";

/** What the one who asked for an entry must be told. */
export interface Expected {
  readonly index: number;
  readonly field: number;
  readonly error: RpcError | null;
  /** Of the store after the entry. */
  readonly revision: number;
  readonly prevKv?: KeyValue | undefined;
  readonly deletion?: DeleteRangeResponseInit;
  readonly txn?: TxnResponse;
  readonly leaseId?: bigint;
  readonly leaseTtl?: number;
}

interface Committed {
  readonly term: number;
  readonly type: number;
  readonly data: Uint8Array;
  /** Of the store when this entry is applied. */
  readonly revision: number;
  readonly atMs: number;
}

export class Oracle {
  readonly model: Model = new Model();
  /** For watchers: every change in the order of revisions. */
  readonly changes: Change[] = [];
  /** Entry n is at n − 1. */
  readonly #committed: Committed[] = [];
  readonly #expected = new Map<string, Expected>();
  readonly #latest = new Map<string, KeyValue>();
  readonly #proposal = new Proposal();
  readonly #nowMs: () => number;
  readonly #minLeaseTtl: number;
  /** An entry is about to end a lease, or has made one. */
  onRevoke: ((lease: bigint) => void) | undefined;
  onGrant: ((lease: bigint) => void) | undefined;

  constructor(nowMs: () => number, minLeaseTtl: number) {
    this.#nowMs = nowMs;
    this.#minLeaseTtl = minLeaseTtl;
  }

  /** The highest index that any member has applied. */
  get index(): number {
    return this.#committed.length;
  }

  get revision(): number {
    return this.model.revision;
  }

  revisionAt(index: number): number {
    return this.#committed[index - 1]?.revision ?? 1;
  }

  termAt(index: number): number | undefined {
    return this.#committed[index - 1]?.term;
  }

  expected(requestId: string): Expected | undefined {
    return this.#expected.get(requestId);
  }

  /** A member is about to apply `entry`. */
  apply(member: string, entry: Entry): void {
    const { index, term, type, data } = entry;
    const known = this.#committed[index - 1];
    if (known !== undefined) {
      const isSame = known.term === term && known.type === type && equal(known.data, data);
      require(isSame, "what is committed never changes", () => {
        return `${member} applies ${term}/${index}, others had ${known.term}/${index}`;
      });
      return;
    }
    require(index === this.index + 1, "entries are applied in order", () => {
      return `${member} applies ${index} before anyone applied ${this.index + 1}`;
    });
    if (type === EntryType.Normal && data.length > 0) this.#learn(index, data);
    const { revision } = this.model;
    this.#committed.push({ term, type, data: data.slice(), revision, atMs: this.#nowMs() });
  }

  /** What a range at `revision` finds, also when that is compacted. */
  range(request: RangeRequest, revision: number): ModelRange {
    const { model } = this;
    const { compactRevision } = model;
    model.compactRevision = -1;
    const result = model.range({ ...request, revision });
    model.compactRevision = compactRevision;
    if (result instanceof RpcError) throw result;
    return result;
  }

  #learn(index: number, data: Uint8Array): void {
    const proposal = this.#proposal;
    readProposal(data, proposal);
    const { idHigh, idLow48, field, start, end } = proposal;
    const requestId = `${idHigh}.${idLow48}`;
    const records = this.model.records.length;
    const result = this.#perform(field, data.subarray(start, end));
    this.#recordChanges(records);
    const twice = this.#expected.get(requestId);
    require(twice === undefined, "a request is done once", () => {
      return `${requestId} is at ${twice?.index} and ${index}`;
    });
    const { revision } = this.model;
    this.#expected.set(requestId, { index, field, error: null, revision, ...result });
  }

  #perform(field: number, request: Uint8Array): Partial<Expected> {
    const { model } = this;
    switch (field) {
      case RequestField.Put: {
        const put = decodePutRequest(request);
        const old = model.put(put);
        if (old instanceof RpcError) return { error: old };
        return { prevKv: put.prevKv ? old : undefined };
      }
      case RequestField.DeleteRange: {
        const deletion = decodeDeleteRangeRequest(request);
        const old = model.deleteRange(deletion);
        const prevKvs = deletion.prevKv ? old : [];
        return { deletion: { deleted: old.length, prevKvs } };
      }
      case RequestField.Txn: {
        const result = model.txn(decodeTxnRequest(request));
        if (result instanceof RpcError) return { error: result };
        return { txn: result.response, revision: result.revision };
      }
      case RequestField.Compaction:
        return { error: model.compact(decodeCompactionRequest(request).revision) };
      case RequestField.LeaseGrant: {
        const { id, ttl } = decodeLeaseGrantRequest(request);
        const leaseTtl = Math.max(ttl, this.#minLeaseTtl);
        const error = model.grant(id, leaseTtl);
        if (error === null) this.onGrant?.(id);
        return { error, leaseId: id, leaseTtl };
      }
      case RequestField.LeaseRevoke: {
        const { id } = decodeLeaseRevokeRequest(request);
        if (model.leases.has(id)) this.onRevoke?.(id);
        return { error: model.revoke(id) };
      }
      default:
        return {};
    }
  }

  #recordChanges(from: number): void {
    const records = this.model.records.slice(from);
    for (const { main, key, keyValue } of records) {
      const isCreation = keyValue?.createRevision === main;
      const previous = isCreation ? undefined : this.#latest.get(key);
      this.changes.push({ revision: main, key, kv: keyValue, previous });
    }
    for (const { key, keyValue } of records) {
      if (keyValue === undefined) this.#latest.delete(key);
      else this.#latest.set(key, keyValue);
    }
  }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
