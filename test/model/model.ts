// What a right answer is: etcd's keys and values as naively as they can be written. Each revision
// is a complete copy of all keys; nothing is indexed, cached or shared. Requests and answers are
// the decoded messages, keys are latin1 strings.

import { Errors } from "../../src/wire/errors.ts";
import type { KeyValue } from "../../src/wire/messages/kv.ts";
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type ResponseOp,
  SortOrder,
  SortTarget,
  type TxnRequest,
  type TxnResponse,
} from "../../src/wire/messages/rpc-kv.ts";
import { RpcError } from "../../src/wire/status.ts";

type Keys = ReadonlyMap<string, KeyValue>;

/** One change, as it lies in bucket "key". */
export interface ModelRecord {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  /** Undefined: a tombstone. */
  readonly keyValue: KeyValue | undefined;
}

export interface ModelRange {
  readonly kvs: KeyValue[];
  readonly more: boolean;
  readonly count: number;
  readonly revision: number;
}

export class Model {
  revision = 1;
  compactRevision = -1;
  /** All changes ever made. */
  readonly records: ModelRecord[] = [];
  readonly leases: Map<bigint, number> = new Map();
  readonly #byRevision = new Map<number, Keys>([[1, new Map()]]);
  /** The transaction under way: its keys and how many changes it made. */
  #keys = new Map<string, KeyValue>();
  #changes = 0;

  // -- reading

  range(request: RangeRequest): ModelRange | RpcError {
    const now = this.#now();
    if (request.revision > now) return Errors.FutureRev;
    if (request.revision > 0 && request.revision < this.compactRevision) return Errors.Compacted;
    const at = request.revision > 0 ? request.revision : now;
    const keys = at === now ? this.#keys : this.#byRevision.get(at)!;
    const found = inRange(keys, request.key, request.rangeEnd);
    const count = found.length;
    if (request.countOnly) return { kvs: [], more: false, count, revision: now };
    const { sortOrder, sortTarget, limit } = request;
    const hasFilter =
      request.minModRevision !== 0 ||
      request.maxModRevision !== 0 ||
      request.minCreateRevision !== 0 ||
      request.maxCreateRevision !== 0;
    let kvs = found;
    if (limit > 0 && sortOrder === SortOrder.NONE && !hasFilter) kvs = kvs.slice(0, limit + 1);
    kvs = kvs.filter((kv) => passes(kv, request));
    if (sortTarget !== SortTarget.KEY || sortOrder !== SortOrder.NONE) {
      const sign = sortOrder === SortOrder.DESCEND ? -1 : 1;
      kvs = [...kvs].sort((a, b) => sign * compareBy(sortTarget, a, b));
    }
    const more = limit > 0 && kvs.length > limit;
    if (more) kvs = kvs.slice(0, limit);
    if (request.keysOnly) {
      const lease = sortTarget === SortTarget.VALUE ? undefined : 0n;
      kvs = kvs.map((kv) => ({ ...kv, value: NOTHING, lease: lease ?? kv.lease }));
    }
    return { kvs, more, count, revision: now };
  }

  // -- writing: each of these is a log entry

  put(request: PutRequest): KeyValue | undefined | RpcError {
    const error = this.#checkPut(request);
    if (error !== null) return error;
    this.#begin();
    const previous = this.#put(request);
    this.#end();
    return previous;
  }

  deleteRange(request: DeleteRangeRequest): KeyValue[] {
    this.#begin();
    const deleted = this.#delete(request);
    this.#end();
    return deleted;
  }

  txn(request: TxnRequest): { response: TxnResponse; revision: number } | RpcError {
    this.#begin();
    const plan = this.#plan(request);
    const error = this.#check(plan);
    if (error !== null) return error;
    const response = this.#execute(plan);
    const revision = this.#now();
    this.#end();
    return { response, revision };
  }

  compact(revision: number): RpcError | null {
    if (revision <= this.compactRevision) return Errors.Compacted;
    if (revision > this.revision) return Errors.FutureRev;
    this.compactRevision = revision;
    return null;
  }

  grant(lease: bigint, ttl: number): RpcError | null {
    if (this.leases.has(lease)) return Errors.LeaseExist;
    this.leases.set(lease, ttl);
    return null;
  }

  revoke(lease: bigint): RpcError | null {
    if (!this.leases.delete(lease)) return Errors.LeaseNotFound;
    this.#begin();
    const keys = [...this.#keys.values()].filter((kv) => kv.lease === lease).map((kv) => kv.key);
    for (const key of keys.sort(Buffer.compare)) this.#delete({ ...DELETE_ONE, key });
    this.#end();
    return null;
  }

  /** Keys of now, as texts. */
  keys(): string[] {
    return [...this.#byRevision.get(this.revision)!.keys()].sort();
  }

  // -- inside a transaction

  #now(): number {
    return this.revision + (this.#changes > 0 ? 1 : 0);
  }

  #begin(): void {
    this.#keys = new Map(this.#byRevision.get(this.revision)!);
    this.#changes = 0;
  }

  #end(): void {
    if (this.#changes > 0) this.#byRevision.set(++this.revision, this.#keys);
    this.#changes = 0;
  }

  #checkPut(request: PutRequest): RpcError | null {
    if (request.lease !== 0n && !this.leases.has(request.lease)) return Errors.LeaseNotFound;
    const keys = this.#byRevision.get(this.revision)!;
    const needsOld = request.ignoreValue || request.ignoreLease;
    return needsOld && !keys.has(text(request.key)) ? Errors.KeyNotFound : null;
  }

  #put(request: PutRequest): KeyValue | undefined {
    const key = text(request.key);
    const old = this.#keys.get(key);
    const main = this.revision + 1;
    const keyValue: KeyValue = {
      key: request.key,
      createRevision: old?.createRevision ?? main,
      modRevision: main,
      version: (old?.version ?? 0) + 1,
      value: request.ignoreValue ? old!.value : request.value,
      lease: request.ignoreLease ? old!.lease : request.lease,
    };
    this.#keys.set(key, keyValue);
    this.records.push({ main, sub: this.#changes++, key, keyValue });
    return old;
  }

  #delete(request: DeleteRangeRequest): KeyValue[] {
    const deleted = inRange(this.#keys, request.key, request.rangeEnd);
    for (const { key } of deleted) {
      this.#keys.delete(text(key));
      const sub = this.#changes++;
      this.records.push({ main: this.revision + 1, sub, key: text(key), keyValue: undefined });
    }
    return deleted;
  }

  #plan(request: TxnRequest): Plan {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const ops = succeeded ? request.success : request.failure;
    const nested = ops.map((op) =>
      op.requestTxn === undefined ? undefined : this.#plan(op.requestTxn),
    );
    return { succeeded, ops, nested };
  }

  #check(plan: Plan): RpcError | null {
    for (const [at, op] of plan.ops.entries()) {
      const error = this.#checkOp(op, plan.nested[at]);
      if (error !== null) return error;
    }
    return null;
  }

  #checkOp(op: RequestOp, nested: Plan | undefined): RpcError | null {
    if (op.requestPut !== undefined) return this.#checkPut(op.requestPut);
    if (nested !== undefined) return this.#check(nested);
    const revision = op.requestRange?.revision ?? 0;
    if (revision > this.revision) return Errors.FutureRev;
    return revision !== 0 && revision < this.compactRevision ? Errors.Compacted : null;
  }

  #execute(plan: Plan): TxnResponse {
    const responses = plan.ops.map((op, at) => this.#executeOp(op, plan.nested[at]));
    return { header: undefined, succeeded: plan.succeeded, responses };
  }

  #executeOp(op: RequestOp, nested: Plan | undefined): ResponseOp {
    const response: ResponseOp = {
      responseRange: undefined,
      responsePut: undefined,
      responseDeleteRange: undefined,
      responseTxn: undefined,
    };
    if (op.requestRange !== undefined) {
      const result = this.range(op.requestRange);
      if (result instanceof RpcError) throw result;
      const { revision, ...rest } = result;
      response.responseRange = { header: header(revision), ...rest };
    } else if (op.requestPut !== undefined) {
      const old = this.#put(op.requestPut);
      const prevKv = op.requestPut.prevKv ? old : undefined;
      response.responsePut = { header: header(this.#now()), prevKv };
    } else if (op.requestDeleteRange !== undefined) {
      const old = this.#delete(op.requestDeleteRange);
      response.responseDeleteRange = {
        header: header(this.#now()),
        deleted: old.length,
        prevKvs: op.requestDeleteRange.prevKv ? old : [],
      };
    } else if (nested !== undefined) {
      response.responseTxn = { ...this.#execute(nested), header: header(0) };
    }
    return response;
  }

  #holds(compare: Compare): boolean {
    const found = inRange(this.#keys, compare.key, compare.rangeEnd);
    if (found.length > 0) return found.every((kv) => holdsFor(compare, kv));
    return compare.target !== CompareTarget.VALUE && holdsFor(compare, undefined);
  }
}

interface Plan {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: readonly (Plan | undefined)[];
}

const NOTHING = new Uint8Array(0);
const DELETE_ONE = { rangeEnd: NOTHING, prevKv: false };

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function header(revision: number): NonNullable<TxnResponse["header"]> {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}

function inRange(keys: Keys, key: Uint8Array, rangeEnd: Uint8Array): KeyValue[] {
  const from = text(key);
  const end = text(rangeEnd);
  const isIn = (name: string): boolean => {
    if (end === "") return name === from;
    return name >= from && (end === "\0" || name < end);
  };
  return [...keys.values()]
    .filter((kv) => isIn(text(kv.key)))
    .sort((a, b) => Buffer.compare(a.key, b.key));
}

function passes(kv: KeyValue, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (minModRevision !== 0 && kv.modRevision < minModRevision) return false;
  if (maxModRevision !== 0 && kv.modRevision > maxModRevision) return false;
  if (minCreateRevision !== 0 && kv.createRevision < minCreateRevision) return false;
  return maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision;
}

function compareBy(target: number, a: KeyValue, b: KeyValue): number {
  if (target === SortTarget.KEY) return Buffer.compare(a.key, b.key);
  if (target === SortTarget.VALUE) return Buffer.compare(a.value, b.value);
  if (target === SortTarget.VERSION) return a.version - b.version;
  return target === SortTarget.CREATE
    ? a.createRevision - b.createRevision
    : a.modRevision - b.modRevision;
}

function holdsFor(compare: Compare, kv: KeyValue | undefined): boolean {
  const order = orderOf(compare, kv);
  if (compare.result === CompareResult.EQUAL) return order === 0;
  if (compare.result === CompareResult.NOT_EQUAL) return order !== 0;
  return compare.result === CompareResult.GREATER ? order > 0 : order < 0;
}

function orderOf(compare: Compare, kv: KeyValue | undefined): number {
  switch (compare.target) {
    case CompareTarget.VERSION:
      return (kv?.version ?? 0) - (compare.version ?? 0);
    case CompareTarget.CREATE:
      return (kv?.createRevision ?? 0) - (compare.createRevision ?? 0);
    case CompareTarget.MOD:
      return (kv?.modRevision ?? 0) - (compare.modRevision ?? 0);
    case CompareTarget.LEASE:
      return Number((kv?.lease ?? 0n) - (compare.lease ?? 0n));
    default:
      return Buffer.compare(kv!.value, compare.value ?? NOTHING);
  }
}
