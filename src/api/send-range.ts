// The answer to a range, written in place from the records.

import type { Member } from "../server/member.ts";
import type { RangeResult } from "../state/mvcc/range.ts";
import { sizeRangeAnswer, writeRangeAnswer } from "../wire/kv-responses.ts";
import type { UnaryCall } from "../wire/rpc.ts";

export function sendRange(member: Member, call: UnaryCall, result: RangeResult): void {
  const { header, term } = member;
  const { revision, kvs, more, total } = result;
  const at = call.reserve(sizeRangeAnswer(header, revision, term, kvs, more, total));
  writeRangeAnswer(call.buffer, at, header, revision, term, kvs, more, total);
  call.send();
}
