import { humanSize } from "../../base/human-size.ts";
import {
  encodeWritersResponse,
  type LeaseWriter,
  type Writer,
  type WritersResponse,
  WritersResponse_DESCRIPTOR,
} from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf, perSecond, spanText } from "./care-calls.ts";
import { badArguments } from "./exit.ts";
import { leaseId } from "./printers/fields.ts";
import { drawTable } from "./printers/table.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const HEADS = ["writes", "per s", "puts", "txns", "deletes", "leases", "bytes", "refused", "who"];
const LEASE_HEADS = ["lease", "ttl", "keys", "writes", "bytes"];
const LIMIT_DEFAULT = 20n;

export function writesOf({ puts, txns, deletes, leases }: Writer): number {
  return puts + txns + deletes + leases;
}

export function whoText({ certificateName, address, agent }: Writer): string {
  const certificate = certificateName === "" ? "" : `CN=${certificateName} `;
  return `${certificate}${address} ${agent === "" ? "(no agent)" : agent}`;
}

function cells(writer: Writer, uptimeMs: number): string[] {
  const writes = writesOf(writer);
  const mark = writer.uncertain > 0 ? "≥" : "";
  return [
    `${mark}${writes}`,
    perSecond(writes, uptimeMs),
    String(writer.puts),
    String(writer.txns),
    String(writer.deletes),
    String(writer.leases),
    humanSize(writer.bytes),
    String(writer.refused),
    whoText(writer),
  ];
}

function leaseCells({ lease, ttl, keys, writes, bytes }: LeaseWriter): string[] {
  return [leaseId(lease), `${ttl}s`, String(keys), String(writes), humanSize(bytes)];
}

export function writersView(response: WritersResponse): View {
  const { writers, leases, uptimeMs, writes, bytes } = response;
  const rows = writers.map((writer) => cells(writer, uptimeMs));
  const listed = writers.reduce((sum, writer) => sum + writesOf(writer), 0);
  const total =
    `${writes} writes, ${humanSize(bytes)} in ${spanText(uptimeMs)}; ` +
    `${writes - listed} of callers not listed; ` +
    `${response.leaseCount} leases, ${response.emptyLeaseCount} without keys\n`;
  return {
    ...messageView(response, WritersResponse_DESCRIPTOR, encodeWritersResponse),
    simple: () => [
      ...rows.map((row) => `${row.join(", ")}\n`),
      ...leases.map((lease) => `lease ${leaseCells(lease).join(", ")}\n`),
      total,
    ],
    table: () => [
      drawTable(HEADS, rows),
      ...(leases.length === 0 ? [] : [drawTable(LEASE_HEADS, leases.map(leaseCells))]),
      total,
    ],
  };
}

export const body: Body<Session> = {
  long: `Shows who writes to a member, since it started: certificate, address and agent of callers,
and leases. The simple format is: writes, per second, puts, transactions, deletions, lease grants,
bytes of requests, refused for want of space, who.

Each member counts the requests that came to it.`,
  prepare(flags) {
    const limit = flags.unsigned("limit", LIMIT_DEFAULT, "how many callers");
    return async (session, args) => {
      if (args.length > 0) throw badArguments("writers command accepts no arguments");
      const care = await careOf(session);
      const call = care.writers({ limit: Number(limit.value) }, session.callOptions);
      session.show(writersView(await asked(session, call)));
    };
  },
};
