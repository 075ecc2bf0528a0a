// The "fields" format: one `"Name" : value` per line, texts quoted as Go quotes them.

import type { KeyValue } from "../../../wire/messages/kv.ts";
import type { ResponseHeader } from "../../../wire/messages/rpc.ts";
import { quote } from "../../flags/go-text.ts";
import type { Style } from "./view.ts";

export function leaseId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, "0");
}

export function field(name: string, value: unknown): string {
  return `"${name}" : ${String(value)}\n`;
}

export function quotedField(name: string, value: string | Uint8Array): string {
  return `"${name}" : ${quote(value)}\n`;
}

export function idField(name: string, id: bigint, style: Style): string {
  return field(name, style.hex ? id.toString(16) : id);
}

export function leaseField(name: string, id: bigint, style: Style): string {
  return field(name, style.hex ? leaseId(id) : id);
}

export function headerFields(header: ResponseHeader | undefined, style: Style): string {
  const { clusterId = 0n, memberId = 0n, revision = 0, raftTerm = 0 } = header ?? {};
  return (
    idField("ClusterID", clusterId, style) +
    idField("MemberID", memberId, style) +
    // Calls that concern members or alarms have none.
    (revision > 0 ? field("Revision", revision) : "") +
    field("RaftTerm", raftTerm)
  );
}

export function keyValueFields(kv: KeyValue, style: Style, prefix = ""): string {
  return (
    quotedField(`${prefix}Key`, kv.key) +
    field(`${prefix}CreateRevision`, kv.createRevision) +
    field(`${prefix}ModRevision`, kv.modRevision) +
    field(`${prefix}Version`, kv.version) +
    quotedField(`${prefix}Value`, kv.value) +
    leaseField(`${prefix}Lease`, kv.lease, style)
  );
}
