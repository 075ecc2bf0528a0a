import type { Caller } from "../../client/caller.ts";
import { errorText } from "../../client/errors.ts";
import { Lease } from "../../client/lease.ts";
import type { LeaseKeepAliveResponse } from "../../wire/messages/rpc-lease.ts";
import { Code, RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { headerMembers, headerProtobuf, leaseIdArgument } from "./leases.ts";
import { field, headerFields, leaseField, leaseId } from "./printers/fields.ts";
import type { View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function keepAliveView({ header, id, ttl }: LeaseKeepAliveResponse): View {
  return {
    ...headerProtobuf(header),
    simple: () => [`lease ${leaseId(id)} keepalived with TTL(${ttl})\n`],
    json: () => [`{${headerMembers(header)}"ID":${id},"TTL":${ttl}}\n`],
    fields: (style) => [
      headerFields(header, style),
      leaseField("ID", id, style),
      field("TTL", ttl),
    ],
  };
}

/** After a lost stream: how long until the next try. */
const RETRY_MS = 500;

/** Renews three times per TTL and shows each answer; returns when the lease has ended. */
async function keepAlive(session: Session, caller: Caller, id: bigint): Promise<void> {
  const lease = new Lease(caller);
  for (;;) {
    const stream = await lease.leaseKeepAlive();
    try {
      for (;;) {
        stream.send({ id });
        const answer = await stream.next();
        if (answer === undefined) break;
        if (answer.ttl <= 0) return;
        session.show(keepAliveView(answer));
        await session.world.sleep((answer.ttl * 1000) / 3);
      }
    } catch (error) {
      // A member that goes away takes its streams along; another one will do.
      if (!(error instanceof RpcError) || error.code !== Code.Unavailable) throw error;
    } finally {
      stream.cancel();
    }
    await session.world.sleep(RETRY_MS);
  }
}

export const body: Body<Session> = {
  prepare(flags) {
    const once = flags.boolean("once", false, "renew the lease a single time");
    return async (session, args) => {
      if (args.length !== 1) {
        throw badArguments("lease keep-alive command needs lease ID as argument");
      }
      const id = leaseIdArgument(args[0]!);
      const caller = await session.caller();
      try {
        if (once.value) {
          const answer = await new Lease(caller).leaseKeepAliveOnce(id, session.callOptions);
          session.show(keepAliveView(answer));
          return;
        }
        await keepAlive(session, caller, id);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        throw new Exit(ExitCode.BadConnection, errorText(error));
      }
      session.print(`lease ${leaseId(id)} expired or revoked.\n`);
    };
  },
};
