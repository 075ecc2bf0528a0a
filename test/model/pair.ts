// A State and the Model side by side: every step goes to both, every answer is compared.

import assert from "node:assert/strict";
import { crc32c } from "../../src/base/crc32c.ts";
import { silentLogger } from "../../src/base/log.ts";
import { HashJob } from "../../src/state/mvcc/hash.ts";
import type { KeyValueList } from "../../src/state/mvcc/key-value-list.ts";
import { RangeCursor, RangeResult, range } from "../../src/state/mvcc/range.ts";
import type { RecordStore } from "../../src/state/mvcc/record-store.ts";
import { SizedRange } from "../../src/state/mvcc/sized-range.ts";
import { sizeTxnBody, writeTxnBody } from "../../src/state/mvcc/txn-result.ts";
import type { Outcome } from "../../src/state/outcome.ts";
import { State, type StateOptions } from "../../src/state/state.ts";
import { writeRevision } from "../../src/storage/schema.ts";
import { Errors } from "../../src/wire/errors.ts";
import {
  RequestField,
  sizeOfProposal,
  writeProposal,
} from "../../src/wire/internal-raft-request.ts";
import { RangeView, readRange } from "../../src/wire/kv-requests.ts";
import { decodeKeyValue, encodeKeyValue, type KeyValue } from "../../src/wire/messages/kv.ts";
import {
  type DeleteRangeRequestInit,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeRangeResponse,
  decodeTxnRequest,
  decodeTxnResponse,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  type PutRequestInit,
  type RangeRequestInit,
  type TxnRequestInit,
} from "../../src/wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
} from "../../src/wire/messages/rpc-lease.ts";
import { RpcError } from "../../src/wire/status.ts";
import type { Step } from "./arbitraries.ts";
import { MemoryStore } from "./memory-store.ts";
import { Model, text } from "./model.ts";

export function stateOptions(records: RecordStore): StateOptions {
  return {
    records,
    log: silentLogger,
    quotaBytes: -1,
    minLeaseTtl: 2,
    maxLearners: 1,
    compactionBatchLimit: 3,
    serverVersion: "3.7.3",
    hashSeed: 42,
    isAwaited: () => true,
    onChanges: () => {},
  };
}

/** A store, and what becomes of it in a crash. */
export interface TestStorage {
  readonly store: RecordStore;
  /** Time passes: what was written may become durable. */
  save(): void;
  /** The process ends; `store` is then what a new one finds. */
  crash(): void;
}

/** What was there at the last `save` outlasts a crash. */
export class MemoryStorage implements TestStorage {
  store: MemoryStore = new MemoryStore();
  #saved = new MemoryStore();

  save(): void {
    this.#saved = this.store.copy();
  }

  crash(): void {
    this.store = this.#saved.copy();
  }
}

export class Pair {
  readonly model: Model = new Model();
  state: State;
  readonly #storage: TestStorage;
  readonly #log: { index: number; data: Uint8Array }[] = [];
  readonly #compactions: { revision: number; previous: number }[] = [];

  constructor(storage: TestStorage) {
    this.#storage = storage;
    this.state = State.open(stateOptions(storage.store));
  }

  run(step: Step): void {
    switch (step.kind) {
      case "put":
        this.#put(step.request);
        break;
      case "delete":
        this.#delete(step.request);
        break;
      case "txn":
        this.#txn(step.request);
        break;
      case "range":
        this.range({ ...step.request, revision: this.#revision(step.back) });
        break;
      case "compact":
        // Revision 0 is left out: that it was compacted is forgotten at a restart, as by etcd.
        this.#compact(Math.max(1, this.#revision(step.back)));
        break;
      case "compactStep":
        for (let i = 0; i < step.count; i++) this.state.compaction.step();
        break;
      case "grant":
        this.#grant(step.lease);
        break;
      case "revoke":
        this.#revoke(step.lease);
        break;
      case "hash":
        this.hash(this.#revision(step.back));
        break;
      case "save":
        this.#storage.save();
        break;
      case "crash":
        this.crash();
        break;
    }
  }

  /** Opens what a crash leaves and applies the rest of the log again. */
  crash(): void {
    this.#storage.crash();
    this.state = State.open(stateOptions(this.#storage.store));
    const appliedIndex = this.state.appliedIndex;
    for (const { index, data } of this.#log) {
      assert.equal(this.state.apply(index, 1, data).isReplay, index <= appliedIndex);
    }
    this.checkAll();
  }

  /** All that can be read at all is equal. */
  checkAll(): void {
    const { model, state } = this;
    assert.equal(state.mvcc.currentRevision, model.revision);
    assert.equal(state.mvcc.compactRevision, model.compactRevision);
    assert.equal(state.mvcc.index.liveCount, model.keys().length);
    for (let at = Math.max(1, model.compactRevision); at <= model.revision; at++) {
      this.range({ ...EVERYTHING, revision: at });
      this.range({ ...EVERYTHING, revision: at, keysOnly: true });
      this.hash(at);
    }
    this.#checkLeases();
    while (state.compaction.step() !== "idle");
    this.#checkRecords();
    this.hash(0);
    for (const { revision, previous } of this.#compactions) {
      // Not known for what was finished after a restart, nor for more than the last ten.
      const stored = state.hashes.find(revision);
      if (stored === undefined) continue;
      const { crc, isKeepEmpty } = modelHash(model, revision, previous, true);
      if (isKeepEmpty && previous > 0) continue;
      assert.deepEqual(stored, { hash: crc, compactRevision: previous, revision });
    }
  }

  #checkLeases(): void {
    const { model, state } = this;
    const leases = [...state.leases.all()].map(({ id }) => id);
    assert.deepEqual(new Set(leases), new Set(model.leases.keys()));
    for (const lease of state.leases.all()) {
      const everything = model.range(decodeRangeRequest(encodeRangeRequest(EVERYTHING)));
      assert.ok(!(everything instanceof RpcError));
      const keys = everything.kvs.filter((kv) => kv.lease === lease.id).map((kv) => text(kv.key));
      assert.deepEqual(state.keysOf(lease), keys);
    }
  }

  /** What compaction left in the store is what it should leave, no more and no less. */
  #checkRecords(): void {
    const { records, compactRevision } = this.model;
    const keep = keepSet(this.model, compactRevision, true);
    const expected: string[] = [];
    for (const { main, sub, keyValue } of records) {
      if (main <= compactRevision && !keep.has(`${main}.${sub}`)) continue;
      expected.push(`${main}.${sub}${keyValue === undefined ? "t" : ""}`);
    }
    assert.deepEqual([...this.#recordNames()], expected);
  }

  #recordNames(): Set<string> {
    const found = new Set<string>();
    this.#storage.store.scanRecords(0, 0, (main, sub, tombstone) => {
      found.add(`${main}.${sub}${tombstone ? "t" : ""}`);
      return true;
    });
    return found;
  }

  range(request: RangeRequestInit): void {
    const bytes = encodeRangeRequest(request);
    const view = new RangeView();
    readRange(bytes, 0, bytes.length, view);
    const expected = this.model.range(decodeRangeRequest(bytes));
    const result = new RangeResult();
    const error = range(this.state.mvcc, bytes, view, result);
    assert.equal(error, expected instanceof RpcError ? expected : null);
    if (expected instanceof RpcError) return;
    this.#compareRange(result, expected);
    const sliced = new RangeResult();
    const cursor = new RangeCursor(this.state.mvcc, bytes, view, sliced);
    while (!cursor.step(1)) assert.equal(this.state.mvcc.pins.count, 1);
    assert.equal(this.state.mvcc.pins.count, 0);
    this.#compareRange(sliced, expected);
    if (!SizedRange.suits(view)) return;
    this.#compareSized(new SizedRange(this.state.mvcc, bytes, view, () => {}), expected);
  }

  #compareSized(
    sized: SizedRange,
    expected: { kvs: KeyValue[]; more: boolean; count: number; revision: number },
  ): void {
    while (!sized.measure(1)) assert.equal(this.state.mvcc.pins.count, 1);
    const parts: Uint8Array[] = [];
    while (!sized.isSent) parts.push(sized.next(1 + ((parts.length * 37) % 200)).slice());
    sized.close();
    assert.equal(this.state.mvcc.pins.count, 0);
    const message = Buffer.concat(parts);
    assert.equal(message.length, sized.sizeBytes);
    const { kvs } = decodeRangeResponse(message);
    assert.deepEqual(kvs.map(encodeKeyValue), expected.kvs.map(encodeKeyValue));
    assert.deepEqual(
      [sized.more, sized.total, sized.headerRevision, sized.keyCount],
      [expected.more, expected.count, expected.revision, expected.kvs.length],
    );
  }

  /** HashKV as it is computed now, against a computation by the book. */
  hash(revision: number): void {
    const { model, state } = this;
    if (revision > model.revision || (revision > 0 && revision < model.compactRevision)) {
      const error = revision > model.revision ? Errors.FutureRev : Errors.Compacted;
      const hash = state.hashByRevision(revision);
      if (hash instanceof RpcError) assert.equal(hash, error);
      else assert.equal(state.hashes.find(revision), hash);
      return;
    }
    const job = new HashJob(state.mvcc, revision);
    while (!job.step(2));
    const at = revision === 0 ? model.revision : revision;
    // With nothing to keep the hash depends on what was deleted already: etcd's quirk.
    const { crc } = modelHash(model, at, model.compactRevision, false, this.#recordNames());
    assert.deepEqual(job.result(), {
      hash: crc,
      compactRevision: model.compactRevision,
      revision: at,
    });
  }

  #compareRange(
    result: RangeResult,
    expected: { kvs: KeyValue[]; more: boolean; count: number; revision: number },
  ): void {
    assert.deepEqual(decoded(result.kvs), expected.kvs);
    const { more, total, revision } = result;
    assert.deepEqual(
      { more, count: total, revision },
      { more: expected.more, count: expected.count, revision: expected.revision },
    );
  }

  #put(init: PutRequestInit): void {
    const request = encodePutRequest(init);
    const outcome = this.#propose(RequestField.Put, request);
    const expected = this.model.put(decodePutRequest(request));
    const isRefused = expected instanceof RpcError;
    assert.equal(outcome.error, isRefused ? expected : null);
    assert.equal(outcome.revision, this.model.revision);
    const hasPrevious = !isRefused && expected !== undefined && init.prevKv === true;
    assert.deepEqual(decoded(outcome.previous), hasPrevious ? [expected] : []);
  }

  #delete(init: DeleteRangeRequestInit): void {
    const request = encodeDeleteRangeRequest(init);
    const outcome = this.#propose(RequestField.DeleteRange, request);
    const expected = this.model.deleteRange(decodeDeleteRangeRequest(request));
    assert.equal(outcome.deleted, expected.length);
    assert.equal(outcome.revision, this.model.revision);
    assert.deepEqual(decoded(outcome.previous), init.prevKv === true ? expected : []);
  }

  #txn(init: TxnRequestInit): void {
    const request = encodeTxnRequest(init);
    const outcome = this.#propose(RequestField.Txn, request);
    const expected = this.model.txn(decodeTxnRequest(request));
    assert.equal(outcome.error, expected instanceof RpcError ? expected : null);
    if (expected instanceof RpcError) return;
    const body = new Uint8Array(sizeTxnBody(outcome.txn!));
    assert.equal(writeTxnBody(outcome.txn!, body, 0), body.length);
    assert.deepEqual(plain(decodeTxnResponse(body)), plain(expected.response));
    assert.equal(outcome.revision, expected.revision);
  }

  #compact(revision: number): void {
    const request = encodeCompactionRequest({ revision });
    const outcome = this.#propose(RequestField.Compaction, request);
    const previous = this.model.compactRevision;
    assert.equal(outcome.error, this.model.compact(revision));
    if (outcome.error === null) this.#compactions.push({ revision, previous });
    assert.equal(this.state.mvcc.compactRevision, this.model.compactRevision);
  }

  #grant(lease: bigint): void {
    const request = encodeLeaseGrantRequest({ id: lease, ttl: 10 });
    const outcome = this.#propose(RequestField.LeaseGrant, request);
    assert.equal(outcome.error, this.model.grant(lease, 10));
  }

  #revoke(lease: bigint): void {
    const request = encodeLeaseRevokeRequest({ id: lease });
    const outcome = this.#propose(RequestField.LeaseRevoke, request);
    assert.equal(outcome.error, this.model.revoke(lease));
    assert.equal(outcome.revision, this.model.revision);
  }

  #revision(back: number): number {
    return Math.max(0, this.model.revision - back);
  }

  #propose(field: number, request: Uint8Array): Outcome {
    const index = this.state.appliedIndex + 1;
    const data = new Uint8Array(sizeOfProposal(7, index, field, request.length));
    writeProposal(data, 0, 7, index, field, request, 0, request.length);
    this.#log.push({ index, data });
    const outcome = this.state.apply(index, 1, data);
    assert.deepEqual([outcome.idHigh, outcome.idLow48, outcome.field], [7, index, field]);
    return outcome;
  }
}

const EVERYTHING = { key: new Uint8Array(0), rangeEnd: new Uint8Array([0]) };

/** Views and buffers compare as what they hold. */
function plain<T>(value: T): T {
  if (value instanceof Uint8Array) return Uint8Array.from(value) as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)])) as T;
}

function decoded(list: KeyValueList | null): KeyValue[] {
  const kvs: KeyValue[] = [];
  for (let i = 0; i < (list?.count ?? 0); i++) kvs.push(plain(decodeKeyValue(list!.at(i))));
  return kvs;
}

/** Revisions that a compaction at `at` keeps of what is not newer. */
function keepSet(model: Model, at: number, withTombstones: boolean): Set<string> {
  const newest = new Map<string, string>();
  for (const { main, sub, key, keyValue } of model.records) {
    if (main > at) continue;
    if (keyValue !== undefined || (withTombstones && main === at)) {
      newest.set(key, `${main}.${sub}`);
    } else {
      newest.delete(key);
    }
  }
  return new Set(newest.values());
}

function modelHash(
  model: Model,
  at: number,
  compactRevision: number,
  isCompaction: boolean,
  physical?: ReadonlySet<string>,
): { crc: number; isKeepEmpty: boolean } {
  const keep = keepSet(model, at, isCompaction);
  let crc = crc32c(Buffer.from("key"));
  for (const { main, sub, key, keyValue } of model.records) {
    if (main > at) continue;
    const name = `${main}.${sub}${keyValue === undefined ? "t" : ""}`;
    if (keep.size === 0 && physical !== undefined && !physical.has(name)) continue;
    if (main <= compactRevision && keep.size > 0 && !keep.has(`${main}.${sub}`)) continue;
    if (keyValue === undefined && main === compactRevision) continue;
    const revision = new Uint8Array(18);
    const length = writeRevision(revision, 0, main, sub, keyValue === undefined);
    crc = crc32c(revision, 0, length, crc);
    const value = encodeKeyValue(keyValue ?? { key: Buffer.from(key, "latin1") });
    crc = crc32c(value, 0, value.length, crc);
  }
  return { crc, isKeepEmpty: keep.size === 0 };
}
