import { errorText } from "../../client/errors.ts";
import { Maintenance } from "../../client/maintenance.ts";
import {
  type HashKVResponse,
  HashKVResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { endpointsOf } from "./endpoints.ts";
import { Exit, ExitCode } from "./exit.ts";
import { field, headerFields, quotedField } from "./printers/fields.ts";
import { jsonString, messageJson } from "./printers/json.ts";
import { drawTable } from "./printers/table.ts";
import type { View } from "./printers/view.ts";
import type { Session } from "./session.ts";

interface EndpointHash {
  readonly endpoint: string;
  readonly hash: HashKVResponse;
}

function row({ endpoint, hash }: EndpointHash): string[] {
  return [endpoint, String(hash.hash), String(hash.hashRevision)];
}

function hashJson({ endpoint, hash }: EndpointHash): string {
  const message = messageJson(HashKVResponse_DESCRIPTOR, hash);
  return `{"Endpoint":${jsonString(endpoint)},"HashKV":${message}}`;
}

function hashView(all: readonly EndpointHash[]): View {
  return {
    simple: () => all.map((one) => `${row(one).join(", ")}\n`),
    json: () => [all.length === 0 ? "null\n" : `[${all.map(hashJson).join(",")}]\n`],
    table: () => [drawTable(["endpoint", "hash", "hash revision"], all.map(row))],
    fields: (style) =>
      all.map(
        ({ endpoint, hash }) =>
          headerFields(hash.header, style) +
          quotedField("Endpoint", endpoint) +
          field("Hash", hash.hash) +
          `${field("HashRevision", hash.hashRevision)}\n`,
      ),
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const rev = flags.integer("rev", 0n, "up to this revision (default: the latest)");
    return async (session) => {
      const endpoints = await endpointsOf(session, { cluster: session.isSet("cluster") });
      const all: EndpointHash[] = [];
      let failure: string | undefined;
      for (const endpoint of endpoints) {
        const maintenance = new Maintenance(await session.callerOf(endpoint));
        try {
          const request = { revision: Number(rev.value) };
          all.push({ endpoint, hash: await maintenance.hashKV(request, session.callOptions) });
        } catch (error) {
          failure = errorText(error);
          session.console.err(`Failed to get the hash of endpoint ${endpoint} (${failure})\n`);
        }
      }
      session.show(hashView(all));
      if (failure !== undefined) throw new Exit(ExitCode.Error, failure);
    };
  },
};
