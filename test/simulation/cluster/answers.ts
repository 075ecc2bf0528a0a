// Is this answer right? Writes are matched with their entry by request id; linearizable reads must
// be of a revision between their question and their answer; serializable ones of any that was.

import { Errors } from "../../../src/wire/errors.ts";
import { RequestField } from "../../../src/wire/internal-raft-request.ts";
import type { ResponseHeader } from "../../../src/wire/messages/rpc.ts";
import {
  decodeCompactionResponse,
  decodeDeleteRangeResponse,
  decodePutResponse,
  decodeRangeRequest,
  decodeRangeResponse,
  decodeTxnResponse,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
} from "../../../src/wire/messages/rpc-kv.ts";
import {
  decodeLeaseGrantResponse,
  decodeLeaseRevokeResponse,
} from "../../../src/wire/messages/rpc-lease.ts";
import { RpcError } from "../../../src/wire/status.ts";
import type { Expected, Oracle } from "./oracle.ts";
import { require, Violation } from "./violation.ts";

/** One question of a client and what was known when it was asked. */
export interface Question {
  readonly name: string;
  readonly path: string;
  readonly request: Uint8Array;
  readonly askedAtMs: number;
  /** Of all that any member had applied when it was asked. */
  readonly revisionBefore: number;
  readonly indexBefore: number;
  readonly compactBefore: number;
  /** Of its entry in the log; undefined: nothing was proposed. */
  requestId: string | undefined;
}

/** The log decides these; all others say that the fate is not known, or that nothing was done. */
const DECIDED: ReadonlySet<RpcError> = new Set([
  Errors.LeaseNotFound,
  Errors.LeaseExist,
  Errors.KeyNotFound,
  Errors.Compacted,
  Errors.FutureRev,
]);

/** What members may say when the cluster is not well; the rest of the errors is a violation. */
const EXCUSED: ReadonlySet<RpcError> = new Set([
  Errors.Timeout,
  Errors.TimeoutDueToLeaderFail,
  Errors.TimeoutDueToConnectionLost,
  Errors.NoLeader,
  Errors.NotLeader,
  Errors.LeaderChanged,
  Errors.Stopped,
  Errors.RequestTooManyRequests,
  Errors.NotSupportedForLearner,
]);

/** Nothing was proposed: leadership is being handed over, or nobody led for all the time. */
const EXCUSED_TEXTS: ReadonlySet<string> = new Set([
  "raft proposal dropped",
  "context deadline exceeded",
]);

function isExcused(error: RpcError): boolean {
  return EXCUSED.has(error) || EXCUSED_TEXTS.has(error.message);
}

/** @throws Violation */
export function checkAnswer(
  oracle: Oracle,
  member: { readonly id: bigint },
  question: Question,
  answer: Uint8Array | RpcError,
): void {
  if (answer instanceof RpcError && isExcused(answer)) return;
  // Changes of the membership are compared in the end.
  if (question.path.startsWith("/etcdserverpb.Cluster/")) return;
  if (question.path === "/etcdserverpb.KV/Range") {
    checkRange(oracle, member, question, answer);
    return;
  }
  const expected = expectedFor(oracle, question, answer);
  if (answer instanceof RpcError) {
    require(answer === expected.error, "errors are those of the model", () => {
      return `${question.name} fails with ${answer.message}, not ${expected.error?.message}`;
    });
    return;
  }
  require(expected.error === null, "errors are those of the model", () => {
    return `${question.name} succeeds instead of ${expected.error?.message}`;
  });
  const header = checkWrite(question, answer, expected);
  require(header !== undefined &&
    header.revision === expected.revision, "revisions are those of the model", () => {
    return `${question.name} is told ${header?.revision}, not ${expected.revision}`;
  });
  require(header.memberId === member.id, "a header names its member", () => question.name);
}

function expectedFor(oracle: Oracle, question: Question, answer: Uint8Array | RpcError): Expected {
  const { requestId, name } = question;
  const expected = requestId === undefined ? undefined : oracle.expected(requestId);
  if (expected === undefined) {
    const text = answer instanceof RpcError ? answer.message : "ok";
    throw new Violation("an answer comes after its entry was applied", `${name}: ${text}`);
  }
  require(expected.index > question.indexBefore, "what is asked later comes later", () => {
    return `${name} is at ${expected.index}, ${question.indexBefore} was applied before`;
  });
  return expected;
}

/** The answer, byte for byte, but for what a header may differ in. */
function checkWrite(
  question: Question,
  answer: Uint8Array,
  expected: Expected,
): ResponseHeader | undefined {
  switch (expected.field) {
    case RequestField.Put: {
      const { header } = decodePutResponse(answer);
      same(question, answer, encodePutResponse({ header, prevKv: expected.prevKv }));
      return header;
    }
    case RequestField.DeleteRange: {
      const { header } = decodeDeleteRangeResponse(answer);
      same(question, answer, encodeDeleteRangeResponse({ ...expected.deletion, header }));
      return header;
    }
    case RequestField.Txn: {
      const { header } = decodeTxnResponse(answer);
      same(question, answer, encodeTxnResponse({ ...expected.txn, header }));
      return header;
    }
    case RequestField.LeaseGrant: {
      const { header, id, ttl } = decodeLeaseGrantResponse(answer);
      const isRight = id === expected.leaseId && ttl === expected.leaseTtl;
      require(isRight, "answers are those of the model", () => `${question.name}: ${id} ${ttl}`);
      return header;
    }
    case RequestField.LeaseRevoke:
      return decodeLeaseRevokeResponse(answer).header;
    default:
      return decodeCompactionResponse(answer).header;
  }
}

function same(question: Question, answer: Uint8Array, expected: Uint8Array): void {
  require(Buffer.compare(answer, expected) === 0, "answers are those of the model", () => {
    const [got, right] = [answer, expected].map((bytes) => Buffer.from(bytes).toString("latin1"));
    return `${question.name}: ${JSON.stringify(got)} instead of ${JSON.stringify(right)}`;
  });
}

function checkRange(
  oracle: Oracle,
  member: { readonly id: bigint },
  question: Question,
  answer: Uint8Array | RpcError,
): void {
  const request = decodeRangeRequest(question.request);
  const { name } = question;
  if (answer instanceof RpcError) {
    checkRangeError(oracle, question, request, answer);
    return;
  }
  const { header } = decodeRangeResponse(answer);
  require(header?.memberId === member.id, "a header names its member", () => name);
  const at = header.revision;
  require(at <= oracle.revision, "nothing is read that was not agreed", () => {
    return `${name} is of ${at}, ${oracle.revision} is the newest`;
  });
  if (!request.serializable) {
    require(at >= question.revisionBefore, "a read sees what was done before it", () => {
      return `${name} is of ${at}, ${question.revisionBefore} was there before`;
    });
    const isGone = request.revision > 0 && request.revision < question.compactBefore;
    require(!isGone, "what is compacted is not read", () => `${name} of ${request.revision}`);
  }
  require(request.revision <= at, "the future is not read", () => `${name}: ${request.revision}`);
  const { kvs, more, count } = oracle.range(request, request.revision > 0 ? request.revision : at);
  same(question, answer, encodeRangeResponse({ header, kvs, more, count }));
}

function checkRangeError(
  oracle: Oracle,
  question: Question,
  request: { readonly revision: number; readonly serializable: boolean },
  error: RpcError,
): void {
  const { revision, serializable } = request;
  const isKnown = DECIDED.has(error);
  require(isKnown, "errors are those of the model", () => `${question.name}: ${error.message}`);
  const isFuture = error === Errors.FutureRev;
  const isRight = isFuture
    ? serializable || revision > question.revisionBefore
    : error === Errors.Compacted && revision < oracle.model.compactRevision;
  require(isRight && revision > 0, "errors are those of the model", () => {
    return `${question.name} of ${revision}: ${error.message}`;
  });
}
