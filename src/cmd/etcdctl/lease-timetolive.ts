import { errorText } from "../../client/errors.ts";
import { Lease } from "../../client/lease.ts";
import type { LeaseTimeToLiveResponse } from "../../wire/messages/rpc-lease.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { headerMembers, headerProtobuf, leaseIdArgument } from "./leases.ts";
import { field, headerFields, leaseField, leaseId, quotedField } from "./printers/fields.ts";
import { base64 } from "./printers/json.ts";
import type { View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function simpleText(response: LeaseTimeToLiveResponse, withKeys: boolean): string {
  const { id, ttl, grantedTTL, keys } = response;
  // A lease that never was looks like one that has ended.
  if (grantedTTL === 0 && ttl === -1) return `lease ${leaseId(id)} already expired\n`;
  const names = keys.map((key) => Buffer.from(key).toString()).join(" ");
  const attached = withKeys ? `, attached keys([${names}])` : "";
  return `lease ${leaseId(id)} granted with TTL(${grantedTTL}s), remaining(${ttl}s)${attached}\n`;
}

function timeToLiveView(response: LeaseTimeToLiveResponse, withKeys: boolean): View {
  const { header, id, ttl, grantedTTL, keys } = response;
  const keysJson = keys.length === 0 ? "null" : `["${keys.map(base64).join('","')}"]`;
  return {
    ...headerProtobuf(header),
    simple: () => [simpleText(response, withKeys)],
    json: () => [
      `{${headerMembers(header)}"id":${id},"ttl":${ttl},"granted-ttl":${grantedTTL},` +
        `"keys":${keysJson}}\n`,
    ],
    fields: (style) => [
      headerFields(header, style),
      leaseField("ID", id, style),
      field("TTL", ttl),
      field("GrantedTTL", grantedTTL),
      ...keys.map((key) => quotedField("Key", key)),
    ],
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const keys = flags.boolean("keys", false, "also list the keys of the lease");
    return async (session, args) => {
      if (args.length !== 1) {
        throw badArguments("lease timetolive command needs lease ID as argument");
      }
      const id = leaseIdArgument(args[0]!);
      const lease = new Lease(await session.caller());
      try {
        const request = { id, keys: keys.value };
        const response = await lease.leaseTimeToLive(request, session.callOptions);
        session.show(timeToLiveView(response, keys.value));
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        throw new Exit(ExitCode.BadConnection, errorText(error));
      }
    };
  },
};
