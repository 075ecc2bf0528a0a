// The answer to a range, written in place from the records.

import type { Member } from "../server/member.ts";
import type { RangeResult } from "../state/mvcc/range.ts";
import { sizeRangeAnswer, writeRangeAnswer } from "../wire/kv-responses.ts";
import type { UnaryCall } from "../wire/rpc.ts";

/** How many bytes the message has. */
export function sendRange(member: Member, call: UnaryCall, result: RangeResult): number {
  const { header, term } = member;
  const { revision, kvs, more, total } = result;
  const size = sizeRangeAnswer(header, revision, term, kvs, more, total);
  const at = call.reserve(size);
  writeRangeAnswer(call.buffer, at, header, revision, term, kvs, more, total);
  call.send();
  return size;
}
