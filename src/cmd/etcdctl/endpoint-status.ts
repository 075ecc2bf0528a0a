import { humanSize } from "../../base/human-size.ts";
import { errorText } from "../../client/errors.ts";
import { Maintenance } from "../../client/maintenance.ts";
import {
  type StatusResponse,
  StatusResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { endpointsOf } from "./endpoints.ts";
import { Exit, ExitCode } from "./exit.ts";
import { field, headerFields, quotedField } from "./printers/fields.ts";
import { jsonString, messageJson } from "./printers/json.ts";
import { drawTable } from "./printers/table.ts";
import type { Style, View } from "./printers/view.ts";
import type { Session } from "./session.ts";

export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: StatusResponse;
}

const heads = [
  "endpoint",
  "ID",
  "version",
  "storage version",
  "db size",
  "in use",
  "percentage not in use",
  "quota",
  "is leader",
  "is learner",
  "raft term",
  "raft index",
  "raft applied index",
  "errors",
  "downgrade target version",
  "downgrade enabled",
];

function percentFree(status: StatusResponse): string {
  if (status.dbSize === 0) return "0%";
  return `${100 - Math.floor((status.dbSizeInUse * 100) / status.dbSize)}%`;
}

function row({ endpoint, status }: EndpointStatus): string[] {
  const memberId = status.header?.memberId ?? 0n;
  return [
    endpoint,
    memberId.toString(16),
    status.version,
    status.storageVersion,
    humanSize(status.dbSize),
    humanSize(status.dbSizeInUse),
    percentFree(status),
    humanSize(status.dbSizeQuota),
    String(status.leader === memberId),
    String(status.isLearner),
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    status.errors.join(", "),
    status.downgradeInfo?.targetVersion ?? "",
    String(status.downgradeInfo?.enabled ?? false),
  ];
}

function statusFields({ endpoint, status }: EndpointStatus, style: Style): string {
  return (
    headerFields(status.header, style) +
    quotedField("Version", status.version) +
    quotedField("StorageVersion", status.storageVersion) +
    field("DBSize", status.dbSize) +
    field("DBSizeInUse", status.dbSizeInUse) +
    field("DBSizeQuota", status.dbSizeQuota) +
    field("Leader", status.leader) +
    field("IsLearner", status.isLearner) +
    field("RaftIndex", status.raftIndex) +
    field("RaftAppliedIndex", status.raftAppliedIndex) +
    field("Errors", `[${status.errors.join(" ")}]`) +
    quotedField("Endpoint", endpoint) +
    quotedField("DowngradeTargetVersion", status.downgradeInfo?.targetVersion ?? "") +
    `${field("DowngradeEnabled", status.downgradeInfo?.enabled ?? false)}\n`
  );
}

function statusJson({ endpoint, status }: EndpointStatus): string {
  const message = messageJson(StatusResponse_DESCRIPTOR, status);
  return `{"Endpoint":${jsonString(endpoint)},"Status":${message}}`;
}

export function statusView(all: readonly EndpointStatus[]): View {
  return {
    simple: () => all.map((one) => `${row(one).join(", ")}\n`),
    json: () => [all.length === 0 ? "null\n" : `[${all.map(statusJson).join(",")}]\n`],
    table: () => [drawTable(heads, all.map(row))],
    fields: (style) => all.map((one) => statusFields(one, style)),
  };
}

export const body: Body<Session> = {
  long: `Prints the state of the member behind each endpoint.

In the simple format it is one line per endpoint: endpoint, member id, version, storage version,
database size, size in use, percentage not in use, quota, is leader, is learner, raft term, raft
index, raft applied index, errors, downgrade target version, downgrade enabled.`,
  prepare: () => async (session) => {
    const endpoints = await endpointsOf(session, { cluster: session.isSet("cluster") });
    const all: EndpointStatus[] = [];
    let failed = false;
    for (const endpoint of endpoints) {
      const maintenance = new Maintenance(await session.callerOf(endpoint));
      try {
        all.push({ endpoint, status: await maintenance.status(session.callOptions) });
      } catch (error) {
        failed = true;
        session.console.err(
          `Failed to get the status of endpoint ${endpoint} (${errorText(error)})\n`,
        );
      }
    }
    session.show(statusView(all));
    if (failed) throw new Exit(ExitCode.Error);
  },
};
