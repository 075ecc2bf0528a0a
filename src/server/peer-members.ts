// The list of members as peers tell it each other: GET /members, and the answer of a promotion.

import {
  decodeMemberValue,
  encodeMember,
  type Member,
  parseWithIds,
} from "../state/members/member-json.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** With the newline with which Go's encoder ends. */
export function encodePeerMembers(members: readonly Member[]): Uint8Array {
  const list = members.map((member) => decoder.decode(encodeMember(member))).join(",");
  return encoder.encode(`[${list}]\n`);
}

/** @throws SyntaxError when it is no such list. */
export function decodePeerMembers(bytes: Uint8Array): Member[] {
  const list = parseWithIds(bytes);
  if (list === null) return [];
  if (!Array.isArray(list)) throw new SyntaxError("a list of members is expected");
  return list.map((value) => {
    const { isPromote: _isPromote, ...member } = decodeMemberValue(value);
    return member;
  });
}
