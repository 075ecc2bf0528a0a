import { errorText } from "../../client/errors.ts";
import { Lease } from "../../client/lease.ts";
import type { LeaseGrantResponse } from "../../wire/messages/rpc-lease.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { ParseError, parseInt64 } from "../flags/go-text.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { headerMembers, headerProtobuf } from "./leases.ts";
import { field, headerFields, leaseField, leaseId } from "./printers/fields.ts";
import { jsonString } from "./printers/json.ts";
import type { View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function parseTtl(args: readonly string[]): number {
  if (args.length !== 1) throw badArguments("lease grant command needs TTL argument");
  try {
    return Number(parseInt64(args[0]!));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw badArguments(`bad TTL (${error.message})`);
  }
}

function grantView({ header, id, ttl, error }: LeaseGrantResponse): View {
  return {
    ...headerProtobuf(header),
    simple: () => [`lease ${leaseId(id)} granted with TTL(${ttl}s)\n`],
    json: () => [
      `{${headerMembers(header)}"ID":${id},"TTL":${ttl},"Error":${jsonString(error)}}\n`,
    ],
    fields: (style) => [
      headerFields(header, style),
      leaseField("ID", id, style),
      field("TTL", ttl),
    ],
  };
}

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const ttl = parseTtl(args);
    const lease = new Lease(await session.caller());
    try {
      session.show(grantView(await lease.leaseGrant({ ttl }, session.callOptions)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new Exit(ExitCode.Error, `failed to grant lease (${errorText(error)})`);
    }
  },
};
