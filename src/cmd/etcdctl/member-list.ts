import { Cluster } from "../../client/cluster.ts";
import {
  encodeMemberListResponse,
  type Member,
  type MemberListResponse,
  MemberListResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-cluster.ts";
import type { Body } from "../flags/command.ts";
import { quote } from "../flags/go-text.ts";
import { Exit, ExitCode } from "./exit.ts";
import { membersView } from "./members.ts";
import { field, headerFields, idField, quotedField } from "./printers/fields.ts";
import { drawTable } from "./printers/table.ts";
import type { Style, View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const heads = ["ID", "status", "name", "peer addrs", "client addrs", "is learner"];

function row(member: Member): string[] {
  return [
    member.id.toString(16),
    // A member tells its name when it starts for the first time.
    member.name === "" ? "unstarted" : "started",
    member.name,
    member.peerURLs.join(","),
    member.clientURLs.join(","),
    String(member.isLearner),
  ];
}

function memberFields(member: Member, style: Style): string {
  return (
    idField("ID", member.id, style) +
    quotedField("Name", member.name) +
    member.peerURLs.map((url) => quotedField("PeerURL", url)).join("") +
    member.clientURLs.map((url) => quotedField("ClientURL", url)).join("") +
    `${field("IsLearner", member.isLearner)}\n`
  );
}

function listView(response: MemberListResponse): View {
  const { members } = response;
  const lines = members.map((one) => `${row(one).join(", ")}\n`).join("");
  return {
    ...membersView(response, MemberListResponse_DESCRIPTOR, encodeMemberListResponse, lines),
    table: () => [drawTable(heads, members.map(row))],
    fields: (style) => [
      headerFields(response.header, style),
      ...members.map((one) => memberFields(one, style)),
    ],
  };
}

const LINEARIZABLE = "l";

export const body: Body<Session> = {
  long: `Lists the members of the cluster.

In the simple format it is one line per member: id, status, name, peer addresses, client addresses,
is learner.`,
  prepare(flags) {
    const level = flags.string("consistency", LINEARIZABLE, "linearizable (l) or serializable (s)");
    return async (session) => {
      if (level.value !== LINEARIZABLE && level.value !== "s") {
        // etcdctl names the default here, not what was given.
        const text = `unknown consistency flag ${quote(LINEARIZABLE)}`;
        throw new Exit(ExitCode.BadFeature, text);
      }
      const cluster = new Cluster(await session.caller());
      const request = { linearizable: level.value === LINEARIZABLE };
      session.show(listView(await cluster.memberList(request, session.callOptions)));
    };
  },
};
