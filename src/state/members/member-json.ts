// The JSON that members of all versions write into the log and the members bucket:
//
//   {"id":13195394291058371180,"peerURLs":["http://…"],"isLearner":true,"name":"m1",
//    "clientURLs":["http://…"]}
//
// Ids use all 64 bits, which JSON.parse would round: they are read and written as text. Empty
// optional fields are left out, and characters are escaped as by Go. Keys are read in any case.

export interface Member {
  readonly id: bigint;
  peerUrls: readonly string[];
  isLearner: boolean;
  name: string;
  clientUrls: readonly string[];
}

/** What the context of a membership change says. */
export interface MemberChange extends Member {
  readonly isPromote: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** An id as bare number: the only place where one can stand is behind its key. */
const ID_NUMBER = /"(id)"(\s*:\s*)(\d+)/gi;

export function encodeMember(member: Member): Uint8Array {
  const parts = [`"id":${member.id}`, `"peerURLs":${goJson(member.peerUrls)}`];
  if (member.isLearner) parts.push('"isLearner":true');
  if (member.name !== "") parts.push(`"name":${goJson(member.name)}`);
  if (member.clientUrls.length > 0) parts.push(`"clientURLs":${goJson(member.clientUrls)}`);
  return encoder.encode(`{${parts.join(",")}}`);
}

/** @throws SyntaxError when it is not such JSON. */
export function decodeMember(bytes: Uint8Array): MemberChange {
  return decodeMemberValue(parseWithIds(bytes));
}

/** JSON in which the ids are texts. @throws SyntaxError when it is no JSON. */
export function parseWithIds(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes).replace(ID_NUMBER, '"$1"$2"$3"'));
}

/** Of what `parseWithIds` has read. @throws SyntaxError when it is no member. */
export function decodeMemberValue(parsed: unknown): MemberChange {
  if (typeof parsed !== "object" || parsed === null) throw new SyntaxError("not an object");
  const fields = new Map<string, unknown>();
  for (const [key, value] of Object.entries(parsed)) fields.set(key.toLowerCase(), value);
  return {
    id: BigInt(stringOf(fields.get("id") ?? "0")),
    peerUrls: stringsOf(fields.get("peerurls")),
    isLearner: fields.get("islearner") === true,
    name: stringOf(fields.get("name") ?? ""),
    clientUrls: stringsOf(fields.get("clienturls")),
    isPromote: fields.get("ispromote") === true,
  };
}

/** As encoding/json writes a value: with these five characters escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** The key of a member in the buckets, and how ids are printed. */
export function idText(id: bigint): string {
  return id.toString(16);
}

function stringOf(value: unknown): string {
  if (typeof value !== "string") throw new SyntaxError("a string is expected");
  return value;
}

function stringsOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new SyntaxError("a list of strings is expected");
  return value.map(stringOf);
}
