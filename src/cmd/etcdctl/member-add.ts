import { Cluster } from "../../client/cluster.ts";
import {
  encodeMemberAddResponse,
  type MemberAddResponse,
  MemberAddResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-cluster.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { membersView, peerUrls } from "./members.ts";
import type { Session } from "./session.ts";

/** What happened, and the environment in which the new member is to be started. */
function addedText(response: MemberAddResponse, name: string): string {
  const { member, members, header } = response;
  const id = member?.id ?? 0n;
  const kind = member?.isLearner === true ? "added as learner to" : "added to";
  const cluster = (header?.clusterId ?? 0n).toString(16);
  const initial = members.flatMap((one) =>
    // The new member has no name yet in the answer.
    one.peerURLs.map((url) => `${one.id === id ? name : one.name}=${url}`),
  );
  return `Member ${id.toString(16).padStart(16)} ${kind} cluster ${cluster.padStart(16)}

ETCD_NAME="${name}"
ETCD_INITIAL_CLUSTER="${initial.join(",")}"
ETCD_INITIAL_ADVERTISE_PEER_URLS="${(member?.peerURLs ?? []).join(",")}"
ETCD_INITIAL_CLUSTER_STATE="existing"
`;
}

export const body: Body<Session> = {
  prepare(flags) {
    const urls = flags.string("peer-urls", "", "URLs of the new member, separated by commas");
    const learner = flags.boolean("learner", false, "add it without a vote at first");
    return async (session, args) => {
      const [name, extra] = args;
      if (name === undefined) throw badArguments("member name not provided");
      if (args.length > 1) {
        const isUrl = /^https?:\/\//.test(extra!);
        throw badArguments(
          `too many arguments${isUrl ? `, did you mean --peer-urls=${extra}` : ""}`,
        );
      }
      if (urls.value === "") throw badArguments("member peer urls not provided");
      const request = { peerURLs: peerUrls(urls.value), isLearner: learner.value };
      const cluster = new Cluster(await session.caller());
      const response = await cluster.memberAdd(request, session.callOptions);
      const text = addedText(response, name);
      session.show(
        membersView(response, MemberAddResponse_DESCRIPTOR, encodeMemberAddResponse, text),
      );
    };
  },
};
