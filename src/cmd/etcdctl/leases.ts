// What the lease commands share.

import { encodeResponseHeader, type ResponseHeader } from "../../wire/messages/rpc.ts";
import { ParseError, parseInt64 } from "../flags/go-text.ts";
import { badArguments } from "./exit.ts";
import type { View } from "./printers/view.ts";

/** @throws Exit */
export function leaseIdArgument(text: string): bigint {
  try {
    return parseInt64(text, 16);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw badArguments(`bad lease ID arg (${error.message}), expecting ID in Hex`);
  }
}

/** The fields of a header that are set, by their names. */
function headerEntries(header: ResponseHeader | undefined): (readonly [string, bigint | number])[] {
  const { clusterId = 0n, memberId = 0n, revision = 0, raftTerm = 0 } = header ?? {};
  const entries = [
    ["cluster_id", clusterId],
    ["member_id", memberId],
    ["revision", revision],
    ["raft_term", raftTerm],
  ] as const;
  return entries.filter(([, value]) => value !== 0 && value !== 0n);
}

/** The members of a header that is not nested: leases are shown as Go's client structs are. */
export function headerMembers(header: ResponseHeader | undefined): string {
  return headerEntries(header)
    .map(([name, value]) => `"${name}":${value},`)
    .join("");
}

/** A header within the words of an error, as Go's prototext has it. */
export function headerText(header: ResponseHeader | undefined): string {
  if (header === undefined) return "<nil>";
  return headerEntries(header)
    .map(([name, value]) => `${name}:${value}`)
    .join("  ");
}

/** Of these answers etcdctl prints only the header as protobuf. */
export function headerProtobuf(
  header: ResponseHeader | undefined,
): Required<Pick<View, "protobuf">> {
  return { protobuf: () => (header === undefined ? [] : [encodeResponseHeader(header)]) };
}
