import { errorText } from "../../client/errors.ts";
import { Lease } from "../../client/lease.ts";
import type { LeaseLeasesResponse } from "../../wire/messages/rpc-lease.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { Exit, ExitCode } from "./exit.ts";
import { headerMembers, headerProtobuf } from "./leases.ts";
import { headerFields, leaseField, leaseId } from "./printers/fields.ts";
import type { View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function listView({ header, leases }: LeaseLeasesResponse): View {
  return {
    ...headerProtobuf(header),
    simple: () => [
      `found ${leases.length} leases\n`,
      ...leases.map(({ id }) => `${leaseId(id)}\n`),
    ],
    json: () => {
      const ids = leases.map(({ id }) => `{"id":${id}}`).join(",");
      return [`{${headerMembers(header)}"leases":[${ids}]}\n`];
    },
    fields: (style) => [
      headerFields(header, style),
      ...leases.map(({ id }) => leaseField("ID", id, style)),
    ],
  };
}

export const body: Body<Session> = {
  prepare: () => async (session) => {
    const lease = new Lease(await session.caller());
    try {
      session.show(listView(await lease.leaseLeases(session.callOptions)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new Exit(ExitCode.BadConnection, errorText(error));
    }
  },
};
