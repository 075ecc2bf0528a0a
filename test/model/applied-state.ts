// A State in memory with requests as short as a test wants to write them.

import assert from "node:assert/strict";
import { RangeResult, range } from "../../src/state/mvcc/range.ts";
import type { Outcome } from "../../src/state/outcome.ts";
import { State, type StateOptions } from "../../src/state/state.ts";
import {
  RequestField,
  sizeOfProposal,
  writeProposal,
} from "../../src/wire/internal-raft-request.ts";
import { RangeView, readRange } from "../../src/wire/kv-requests.ts";
import { decodeKeyValue, type KeyValue } from "../../src/wire/messages/kv.ts";
import {
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
import {
  type AlarmRequestInit,
  encodeAlarmRequest,
} from "../../src/wire/messages/rpc-maintenance.ts";
import type { RpcError } from "../../src/wire/status.ts";
import { MemoryStore } from "./memory-store.ts";
import { stateOptions } from "./pair.ts";

export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export class AppliedState {
  readonly store: MemoryStore;
  readonly state: State;

  constructor(options: Partial<StateOptions> = {}, store: MemoryStore = new MemoryStore()) {
    this.store = store;
    this.state = State.open({ ...stateOptions(store), ...options });
  }

  /** The same after a restart, with all that was written. */
  restarted(options: Partial<StateOptions> = {}): AppliedState {
    return new AppliedState(options, this.store.copy());
  }

  apply(field: number, request: Uint8Array): Outcome {
    const index = this.state.appliedIndex + 1;
    const data = new Uint8Array(sizeOfProposal(1, index, field, request.length));
    writeProposal(data, 0, 1, index, field, request, 0, request.length);
    return this.state.apply(index, 1, data);
  }

  put(key: string, value = "", options: Omit<PutRequestInit, "key" | "value"> = {}): Outcome {
    const request = { key: bytes(key), value: bytes(value), ...options };
    return this.apply(RequestField.Put, encodePutRequest(request));
  }

  delete(key: string, rangeEnd = ""): Outcome {
    const request = { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv: true };
    return this.apply(RequestField.DeleteRange, encodeDeleteRangeRequest(request));
  }

  txn(request: TxnRequestInit): Outcome {
    return this.apply(RequestField.Txn, encodeTxnRequest(request));
  }

  compact(revision: number): Outcome {
    return this.apply(RequestField.Compaction, encodeCompactionRequest({ revision }));
  }

  /** Runs all that was scheduled to its end. */
  finishCompaction(): void {
    while (this.state.compaction.step() !== "idle");
  }

  grant(id: bigint, ttl = 10): Outcome {
    return this.apply(RequestField.LeaseGrant, encodeLeaseGrantRequest({ id, ttl }));
  }

  revoke(id: bigint): Outcome {
    return this.apply(RequestField.LeaseRevoke, encodeLeaseRevokeRequest({ id }));
  }

  alarm(request: AlarmRequestInit): Outcome {
    return this.apply(RequestField.Alarm, encodeAlarmRequest(request));
  }

  range(request: RangeRequestInit): RangeResult | RpcError {
    const encoded = encodeRangeRequest(request);
    const view = new RangeView();
    readRange(encoded, 0, encoded.length, view);
    const result = new RangeResult();
    return range(this.state.mvcc, encoded, view, result) ?? result;
  }

  /** KeyValues of a range that must succeed. */
  kvs(key: string, rangeEnd = "", options: RangeRequestInit = {}): KeyValue[] {
    const result = this.range({ key: bytes(key), rangeEnd: bytes(rangeEnd), ...options });
    assert.ok(result instanceof RangeResult);
    return Array.from({ length: result.kvs.count }, (_, at) => decodeKeyValue(result.kvs.at(at)));
  }

  /** Keys of everything there is, in the order of the answer. */
  keys(options: RangeRequestInit = {}): string[] {
    return this.kvs("", "\0", options).map(({ key }) => Buffer.from(key).toString("latin1"));
  }

  value(key: string, revision = 0): string | undefined {
    const [kv] = this.kvs(key, "", { revision });
    return kv === undefined ? undefined : Buffer.from(kv.value).toString("latin1");
  }
}
