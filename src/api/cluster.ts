// etcdserverpb.Cluster. Changes of membership need more than one member and are not here yet.

import type { Member } from "../server/member.ts";
import {
  decodeMemberListRequest,
  type MemberListResponseInit,
  sizeMemberListResponse,
  writeMemberListResponse,
} from "../wire/messages/rpc-cluster.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import type { RpcError } from "../wire/status.ts";
import { type Encoder, send } from "./send.ts";

const list: Encoder<MemberListResponseInit> = {
  size: sizeMemberListResponse,
  write: writeMemberListResponse,
};

export function clusterMethods(member: Member): [string, Method][] {
  const memberList: Method = {
    kind: "unary",
    handle: (call, bytes, start, end) => {
      const { linearizable } = decodeMemberListRequest(bytes, start, end);
      const waiter = {
        ready: () => sendList(member, call),
        fail: (error: RpcError) => call.fail(error),
      };
      if (!linearizable || member.confirmRead(waiter)) sendList(member, call);
    },
  };
  return [["/etcdserverpb.Cluster/MemberList", memberList]];
}

function sendList(member: Member, call: UnaryCall): void {
  const members = member.members.all().map((one) => ({
    id: one.id,
    name: one.name,
    peerURLs: one.peerUrls,
    clientURLs: one.clientUrls,
    isLearner: one.isLearner,
  }));
  // Answers of this service carry no revision.
  send(call, list, { header: member.headerAt(0), members });
}
