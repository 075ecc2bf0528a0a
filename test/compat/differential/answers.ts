// What a server answered, without what two servers never have in common: their ids and terms, and
// how much time is left.

import type { Caller } from "../../../src/client/caller.ts";
import { decodeResponseHeader } from "../../../src/wire/messages/rpc.ts";
import { decodeLeaseTimeToLiveResponse } from "../../../src/wire/messages/rpc-lease.ts";
import { RpcError } from "../../../src/wire/status.ts";
import type { Call } from "./requests.ts";

/** Field 1, length-delimited. */
const HEADER_TAG = 0x0a;
/** A call that is not answered is a fault. */
const CALL_TIMEOUT_MS = 5_000;
const TIME_LEFT = "Lease/LeaseTimeToLive";
/** Of a request that cannot be read the libraries tell the reason in their own words. */
const UNREADABLE = /error unmarshalling request/;

export async function ask(caller: Caller, { path, message }: Call): Promise<string> {
  const method = {
    path,
    effect: "write",
    encode: (bytes: Uint8Array) => bytes,
    decode: (bytes: Uint8Array) => bytes,
  } as const;
  try {
    const answer = await caller.unary(method, message, { timeoutMs: CALL_TIMEOUT_MS });
    return path.endsWith(TIME_LEFT) ? timeToLiveText(answer) : answerText(answer);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const text = UNREADABLE.test(error.message) ? "unreadable" : error.message;
    return `code ${error.code}: ${text}`;
  }
}

function answerText(answer: Uint8Array): string {
  if (answer[0] !== HEADER_TAG || answer[1]! >= 128) return `no header: ${hex(answer)}`;
  const end = 2 + answer[1]!;
  const { revision } = decodeResponseHeader(answer, 2, end);
  return `revision ${revision}: ${hex(answer.subarray(end))}`;
}

function timeToLiveText(answer: Uint8Array): string {
  const { header, ttl, id, grantedTTL, keys } = decodeLeaseTimeToLiveResponse(answer);
  const left = ttl > 0 ? "some" : ttl;
  // Their order is chance in etcd.
  const attached = keys.map(hex).sort().join(" ");
  return `revision ${header?.revision}: ${id} ${grantedTTL} ${left} ${attached}`;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
