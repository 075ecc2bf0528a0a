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

/** The members of a header that is not nested: leases are shown as Go's client structs are. */
export function headerMembers(header: ResponseHeader | undefined): string {
  const { clusterId = 0n, memberId = 0n, revision = 0, raftTerm = 0 } = header ?? {};
  const members = [
    ["cluster_id", clusterId],
    ["member_id", memberId],
    ["revision", revision],
    ["raft_term", raftTerm],
  ] as const;
  return members
    .filter(([, value]) => value !== 0 && value !== 0n)
    .map(([name, value]) => `"${name}":${value},`)
    .join("");
}

/** Of these answers etcdctl prints only the header as protobuf. */
export function headerProtobuf(
  header: ResponseHeader | undefined,
): Required<Pick<View, "protobuf">> {
  return { protobuf: () => (header === undefined ? [] : [encodeResponseHeader(header)]) };
}
