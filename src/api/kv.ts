// etcdserverpb.KV: the hot service. Put and Range read their requests as offsets into the socket's
// read buffer and write their answers in place; one small object per request remembers the call
// while it waits. Everything else takes the generated codecs.

import { latin1 } from "../base/latin1.ts";
import { WriteKind } from "../server/care/writers.ts";
import type { Member } from "../server/member.ts";
import type { Waiter } from "../server/proposals.ts";
import type { ReadWaiter } from "../server/reads.ts";
import { RangeResult, range } from "../state/mvcc/range.ts";
import { applyTxn } from "../state/mvcc/txn.ts";
import { sizeTxnBody, type TxnResult, writeTxnBody } from "../state/mvcc/txn-result.ts";
import type { Outcome } from "../state/outcome.ts";
import { putCostOf, txnCostBytes } from "../state/quota.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { PutView, RangeView, readPut, readRange } from "../wire/kv-requests.ts";
import { sizePutAnswer, writePutAnswer } from "../wire/kv-responses.ts";
import {
  type CompactionResponseInit,
  type DeleteRangeResponseInit,
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodeTxnRequest,
  sizeCompactionResponse,
  sizeDeleteRangeResponse,
  type TxnRequest,
  writeCompactionResponse,
  writeDeleteRangeResponse,
} from "../wire/messages/rpc-kv.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { RpcError } from "../wire/status.ts";
import { checkPut, checkRangeView, checkTxn } from "./kv-validate.ts";
import { ProposalAnswer } from "./proposal-answer.ts";
import { RangeAnswer } from "./range-answer.ts";
import { rangeStreamMethod } from "./range-stream.ts";
import { type Encoder, send } from "./send.ts";
import { sendRange } from "./send-range.ts";
import { isSlow, warnSlow } from "./slow-requests.ts";
import { usualTxnCost } from "./usual-txn.ts";

const deleteRange: Encoder<DeleteRangeResponseInit> = {
  size: sizeDeleteRangeResponse,
  write: writeDeleteRangeResponse,
};
const compaction: Encoder<CompactionResponseInit> = {
  size: sizeCompactionResponse,
  write: writeCompactionResponse,
};

export class KvService {
  readonly #member: Member;
  // Made once and filled again: handlers run to their end.
  readonly #put = new PutView();
  readonly #range = new RangeView();
  readonly #result = new RangeResult();

  constructor(member: Member) {
    this.#member = member;
  }

  get methods(): [string, Method][] {
    const unary = (handle: Extract<Method, { kind: "unary" }>["handle"]): Method => ({
      kind: "unary",
      handle,
    });
    return [
      ["/etcdserverpb.KV/Range", unary(this.#handleRange)],
      ["/etcdserverpb.KV/RangeStream", rangeStreamMethod(this.#member)],
      ["/etcdserverpb.KV/Put", unary(this.#handlePut)],
      ["/etcdserverpb.KV/DeleteRange", unary(this.#handleDeleteRange)],
      ["/etcdserverpb.KV/Txn", unary(this.#handleTxn)],
      ["/etcdserverpb.KV/Compact", unary(this.#handleCompact)],
    ];
  }

  readonly #handlePut = (call: UnaryCall, bytes: Uint8Array, start: number, end: number): void => {
    const put = this.#put;
    readPut(bytes, start, end, put);
    const error = checkPut({
      keyLength: put.keyEnd - put.keyStart,
      valueLength: put.valueEnd - put.valueStart,
      lease: put.lease,
      ignoreValue: put.ignoreValue,
      ignoreLease: put.ignoreLease,
    });
    const member = this.#member;
    const { writers } = member.care;
    writers.note(call.origin, WriteKind.Put, end - start, member.nowMs);
    const cost = putCostOf(put.keyEnd - put.keyStart, put.valueEnd - put.valueStart);
    const refusal = error ?? member.refuseOverQuota(cost) ?? this.#refuseByPrefix(bytes, put);
    if (refusal !== null) {
      writers.refused(call.origin);
      call.fail(refusal);
      return;
    }
    const answer = new PutAnswer(member, call, end - start);
    member.propose(RequestField.Put, bytes, start, end, answer);
  };

  #refuseByPrefix(bytes: Uint8Array, put: PutView): RpcError | null {
    const { care, nowMs } = this.#member;
    if (care.quotas.states.length === 0) return null;
    const key = latin1(bytes, put.keyStart, put.keyEnd);
    return care.quotas.refusePut(key, put.valueEnd - put.valueStart, nowMs);
  }

  readonly #handleRange = (
    call: UnaryCall,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void => {
    const view = this.#range;
    readRange(bytes, start, end, view);
    const error = checkRangeView(view) ?? this.#refuseOnLearner(view.serializable);
    if (error !== null) call.fail(error);
    else if (view.serializable || this.#member.isReadReady) this.#answerRange(call, bytes, view);
    else {
      const copy = bytes.slice(start, end);
      this.#member.awaitRead(new RangeWait(this, call, copy));
    }
  };

  /** The read is confirmed; the request lies in bytes of its own. */
  answerWaitingRange(call: UnaryCall, bytes: Uint8Array): void {
    readRange(bytes, 0, bytes.length, this.#range);
    this.#answerRange(call, bytes, this.#range);
  }

  #answerRange(call: UnaryCall, bytes: Uint8Array, view: RangeView): void {
    const member = this.#member;
    if (view.revision > 0) member.care.readers.note(view.revision, member.clock.monotonicMs());
    if (view.rangeEndStart !== view.rangeEndEnd) {
      new RangeAnswer(member, call).start(bytes, view);
      return;
    }
    const result = this.#result;
    const beganMs = member.clock.monotonicMs();
    const error = range(member.mvcc, bytes, view, result);
    const { metrics, clock } = member;
    if (error === null) sendRange(member, call, result);
    else call.fail(error);
    const seconds = error === null ? metrics.rangeSeconds : metrics.rangeFamily.with("false");
    seconds.observe((clock.monotonicMs() - beganMs) / 1000);
    result.clear();
  }

  #refuseOnLearner(isSerializable: boolean): RpcError | null {
    return this.#member.isLearner && !isSerializable ? Errors.NotSupportedForLearner : null;
  }

  readonly #handleDeleteRange = (
    call: UnaryCall,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void => {
    const request = decodeDeleteRangeRequest(bytes, start, end);
    if (request.key.length === 0) {
      call.fail(Errors.EmptyKey);
      return;
    }
    const member = this.#member;
    member.care.writers.note(call.origin, WriteKind.Delete, end - start, member.nowMs);
    const answer = new ProposalAnswer(call, (outcome) => {
      const { deleted, previous } = outcome;
      const header = member.headerAt(outcome.revision);
      send(call, deleteRange, { header, deleted, prevKvs: previous?.views() });
    });
    member.propose(RequestField.DeleteRange, bytes, start, end, answer);
  };

  readonly #handleTxn = (call: UnaryCall, bytes: Uint8Array, start: number, end: number): void => {
    const member = this.#member;
    const { maxTxnOps } = member.options;
    const { quotas } = member.care;
    const usualCost = quotas.isEmpty ? usualTxnCost(bytes, start, end, maxTxnOps) : -1;
    if (usualCost >= 0) {
      this.#proposeTxn(call, bytes, start, end, member.refuseOverQuota(usualCost));
      return;
    }
    const request = decodeTxnRequest(bytes, start, end);
    const error = checkTxn(request, maxTxnOps);
    if (error !== null) {
      call.fail(error);
    } else if (!isReadOnly(request)) {
      const refusal =
        member.refuseOverQuota(txnCostBytes(bytes, start, end)) ??
        quotas.refuseTxn(request, member.nowMs);
      this.#proposeTxn(call, bytes, start, end, refusal);
    } else if (isSerializable(request) || member.isReadReady) {
      readTxn(member, call, bytes, start, end);
    } else {
      const copy = bytes.slice(start, end);
      member.awaitRead({
        ready: () => readTxn(member, call, copy, 0, copy.length),
        fail: (reason) => call.fail(reason),
      });
    }
  };

  #proposeTxn(
    call: UnaryCall,
    bytes: Uint8Array,
    start: number,
    end: number,
    refusal: RpcError | null,
  ): void {
    const member = this.#member;
    const { writers } = member.care;
    writers.note(call.origin, WriteKind.Txn, end - start, member.nowMs);
    if (refusal !== null) {
      writers.refused(call.origin);
      call.fail(refusal);
      return;
    }
    const answer = new TxnAnswer(member, call, end - start);
    member.propose(RequestField.Txn, bytes, start, end, answer);
  }

  readonly #handleCompact = (
    call: UnaryCall,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void => {
    const member = this.#member;
    const finish = (revision: number): void =>
      send(call, compaction, { header: member.headerAt(revision) });
    const { physical } = decodeCompactionRequest(bytes, start, end);
    member.propose(RequestField.Compaction, bytes, start, end, {
      proposedAtMs: 0,
      settle: ({ error, revision, compaction: job }) => {
        const end = error === null ? () => finish(revision) : () => call.fail(error);
        if (!physical || job === null) end();
        else job.whenDone(() => member.backend.commit(end));
      },
      fail: (error) => call.fail(error),
    });
  };
}

class PutAnswer implements Waiter {
  proposedAtMs = 0;
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #requestBytes: number;

  constructor(member: Member, call: UnaryCall, requestBytes: number) {
    this.#member = member;
    this.#call = call;
    this.#requestBytes = requestBytes;
  }

  settle(outcome: Outcome): void {
    const call = this.#call;
    if (outcome.error !== null) {
      call.fail(outcome.error);
      return;
    }
    const { header, term } = this.#member;
    const { previous, revision } = outcome;
    const bytes = previous === null || previous.count === 0 ? undefined : previous.buffers[0];
    const start = bytes === undefined ? 0 : previous!.starts[0]!;
    const end = bytes === undefined ? -1 : previous!.ends[0]!;
    const sizeBytes = sizePutAnswer(header, revision, term, end - start);
    const at = call.reserve(sizeBytes);
    writePutAnswer(call.buffer, at, header, revision, term, bytes, start, end);
    call.send();
    if (isSlow(this.#member, this.proposedAtMs)) this.#warn(sizeBytes);
  }

  fail(error: RpcError): void {
    this.#call.fail(error);
  }

  #warn(responseBytes: number): void {
    warnSlow(this.#member, this.#call, {
      method: "/etcdserverpb.KV/Put",
      startedMs: this.proposedAtMs,
      requestBytes: this.#requestBytes,
      responseCount: 0,
      responseBytes,
    });
  }
}

class TxnAnswer implements Waiter {
  proposedAtMs = 0;
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #requestBytes: number;

  constructor(member: Member, call: UnaryCall, requestBytes: number) {
    this.#member = member;
    this.#call = call;
    this.#requestBytes = requestBytes;
  }

  settle(outcome: Outcome): void {
    if (outcome.error !== null) {
      this.#call.fail(outcome.error);
      return;
    }
    const responseBytes = sendTxn(this.#member, this.#call, outcome.txn!);
    if (!isSlow(this.#member, this.proposedAtMs)) return;
    warnSlow(this.#member, this.#call, {
      method: "/etcdserverpb.KV/Txn",
      startedMs: this.proposedAtMs,
      requestBytes: this.#requestBytes,
      responseCount: outcome.txn!.ops.length,
      responseBytes,
    });
  }

  fail(error: RpcError): void {
    this.#call.fail(error);
  }
}

class RangeWait implements ReadWaiter {
  readonly #service: KvService;
  readonly #call: UnaryCall;
  readonly #bytes: Uint8Array;

  constructor(service: KvService, call: UnaryCall, bytes: Uint8Array) {
    this.#service = service;
    this.#call = call;
    this.#bytes = bytes;
  }

  ready(): void {
    this.#service.answerWaitingRange(this.#call, this.#bytes);
  }

  fail(error: RpcError): void {
    this.#call.fail(error);
  }
}

/** Returns the size of the answer. */
function sendTxn(member: Member, call: UnaryCall, result: TxnResult): number {
  const { header, term } = member;
  const sizeBytes = header.size(result.revision, term) + sizeTxnBody(result);
  const at = call.reserve(sizeBytes);
  const body = header.write(call.buffer, at, result.revision, term);
  writeTxnBody(result, call.buffer, body);
  call.send();
  return sizeBytes;
}

/** Changes nothing, so it needs no entry in the log. */
function readTxn(
  member: Member,
  call: UnaryCall,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const result = applyTxn(member.mvcc, member.state.leases.exists, bytes, start, end, true);
  if (result instanceof RpcError) call.fail(result);
  else sendTxn(member, call, result);
}

/** Nothing but ranges, none of them in a nested transaction. */
function isReadOnly({ success, failure }: TxnRequest): boolean {
  return (
    success.every((op) => op.requestRange !== undefined) &&
    failure.every((op) => op.requestRange !== undefined)
  );
}

function isSerializable(request: TxnRequest): boolean {
  const ops = [...request.success, ...request.failure];
  return ops.every((op) => op.requestRange?.serializable === true);
}
