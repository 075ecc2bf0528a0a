// The warning "request stats" for unary requests that took longer than
// --warning-unary-request-duration, with etcd's fields.

import { isoTime } from "../io/iso-time.ts";
import type { Member } from "../server/member.ts";
import type { Caller } from "../wire/rpc.ts";

export interface RequestFacts {
  /** As "/etcdserverpb.KV/Put". */
  readonly method: string;
  readonly startedMs: number;
  readonly requestBytes: number;
  readonly responseCount: number;
  readonly responseBytes: number;
}

/** Cheap when the request was quick: two subtractions. */
export function isSlow(member: Member, startedMs: number): boolean {
  return member.nowMs - startedMs > member.options.warningUnaryRequestMs;
}

export function warnSlow(member: Member, caller: Caller, facts: RequestFacts): void {
  const tookMs = member.clock.monotonicMs() - facts.startedMs;
  const start = isoTime(member.clock.wallMs() - tookMs);
  member.log.warn("request stats", {
    "start time": start,
    "time spent": `${tookMs.toFixed(3)}ms`,
    remote: caller.remoteAddress,
    "response type": facts.method,
    "request count": 1,
    "request size": facts.requestBytes,
    "response count": facts.responseCount,
    "response size": facts.responseBytes,
  });
}
