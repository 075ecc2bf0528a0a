import { Cluster } from "../../client/cluster.ts";
import {
  encodeMemberPromoteResponse,
  MemberPromoteResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-cluster.ts";
import type { Body } from "../flags/command.ts";
import { memberIdArgument, membersView } from "./members.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const id = memberIdArgument(args);
    const cluster = new Cluster(await session.caller());
    const response = await cluster.memberPromote({ id }, session.callOptions);
    const where = (response.header?.clusterId ?? 0n).toString(16).padStart(16);
    const text = `Member ${id.toString(16).padStart(16)} promoted in cluster ${where}\n`;
    session.show(
      membersView(response, MemberPromoteResponse_DESCRIPTOR, encodeMemberPromoteResponse, text),
    );
  },
};
