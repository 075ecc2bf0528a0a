import { Cluster } from "../../client/cluster.ts";
import {
  encodeMemberUpdateResponse,
  MemberUpdateResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-cluster.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { memberIdArgument, membersView, peerUrls } from "./members.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare(flags) {
    const urls = flags.string("peer-urls", "", "new URLs of the member, separated by commas");
    return async (session, args) => {
      const id = memberIdArgument(args);
      if (urls.value === "") throw badArguments("member peer urls not provided");
      const peerURLs = peerUrls(urls.value);
      const cluster = new Cluster(await session.caller());
      const response = await cluster.memberUpdate({ id, peerURLs }, session.callOptions);
      const where = (response.header?.clusterId ?? 0n).toString(16).padStart(16);
      const text = `Member ${id.toString(16).padStart(16)} updated in cluster ${where}\n`;
      session.show(
        membersView(response, MemberUpdateResponse_DESCRIPTOR, encodeMemberUpdateResponse, text),
      );
    };
  },
};
