import { Maintenance } from "../../client/maintenance.ts";
import {
  encodeMoveLeaderResponse,
  MoveLeaderResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { ParseError, parseUint64 } from "../flags/go-text.ts";
import { badArguments } from "./exit.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

function target(args: readonly string[]): bigint {
  if (args.length !== 1) throw badArguments("move-leader command needs 1 argument");
  try {
    return parseUint64(args[0]!, 16);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw badArguments(error.message);
  }
}

/** The leader, if it is behind one of the endpoints: only it can hand leadership over. */
async function findLeader(
  session: Session,
  endpoints: readonly string[],
): Promise<{ maintenance: Maintenance; id: bigint } | undefined> {
  for (const endpoint of endpoints) {
    const maintenance = new Maintenance(await session.callerOf(endpoint));
    const status = await maintenance.status(session.callOptions);
    const id = status.header?.memberId;
    if (id !== undefined && id === status.leader) return { maintenance, id };
  }
  return undefined;
}

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const targetID = target(args);
    const { endpoints } = await session.config();
    const leader = await findLeader(session, endpoints);
    if (leader === undefined) {
      throw badArguments(`no leader endpoint given at [${endpoints.join(" ")}]`);
    }
    const request = { targetID };
    const response = await leader.maintenance.moveLeader(request, session.callOptions);
    const from = leader.id.toString(16);
    const to = targetID.toString(16);
    session.show({
      ...messageView(response, MoveLeaderResponse_DESCRIPTOR, encodeMoveLeaderResponse),
      simple: () => [`Leadership transferred from ${from} to ${to}\n`],
    });
  },
};
