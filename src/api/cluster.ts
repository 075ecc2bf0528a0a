// etcdserverpb.Cluster: who belongs to the cluster, and changes of it (server/membership.ts).

import type { Member } from "../server/member.ts";
import type { Member as ClusterMember } from "../state/members/member-json.ts";
import { Errors } from "../wire/errors.ts";
import {
  decodeMemberAddRequest,
  decodeMemberListRequest,
  decodeMemberPromoteRequest,
  decodeMemberRemoveRequest,
  decodeMemberUpdateRequest,
  type MemberAddResponseInit,
  type MemberInit,
  type MemberListResponseInit,
  sizeMemberAddResponse,
  sizeMemberListResponse,
  writeMemberAddResponse,
  writeMemberListResponse,
} from "../wire/messages/rpc-cluster.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { RpcError } from "../wire/status.ts";
import { checkedPeerUrls } from "./peer-urls.ts";
import { type Encoder, send } from "./send.ts";

const addAnswer: Encoder<MemberAddResponseInit> = {
  size: sizeMemberAddResponse,
  write: writeMemberAddResponse,
};
/** Removals, updates and promotions are answered with the same two fields. */
const listAnswer: Encoder<MemberListResponseInit> = {
  size: sizeMemberListResponse,
  write: writeMemberListResponse,
};

type Handle = (
  member: Member,
  call: UnaryCall,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

const HANDLERS: Readonly<Record<string, Handle>> = {
  MemberAdd: add,
  MemberRemove(member, call, bytes, start, end) {
    const { id } = decodeMemberRemoveRequest(bytes, start, end);
    member.duties.membership.remove(id, answerWith(member, call));
  },
  MemberUpdate(member, call, bytes, start, end) {
    const { id, peerURLs } = decodeMemberUpdateRequest(bytes, start, end);
    member.duties.membership.update(id, peerURLs, answerWith(member, call));
  },
  MemberPromote(member, call, bytes, start, end) {
    const { id } = decodeMemberPromoteRequest(bytes, start, end);
    member.duties.promotion.promote(id, answerWith(member, call));
  },
  MemberList(member, call, bytes, start, end) {
    const { linearizable } = decodeMemberListRequest(bytes, start, end);
    const answer = answerWith(member, call);
    const ready = (): void => answer(member.members.all());
    if (!linearizable || member.confirmRead({ ready, fail: answer })) ready();
  },
};

export function clusterMethods(member: Member): [string, Method][] {
  return Object.entries(HANDLERS).map(([name, handle]) => [
    `/etcdserverpb.Cluster/${name}`,
    {
      kind: "unary",
      handle: (call, bytes, start, end) => handle(member, call, bytes, start, end),
    },
  ]);
}

function add(member: Member, call: UnaryCall, bytes: Uint8Array, start: number, end: number): void {
  const { peerURLs, isLearner } = decodeMemberAddRequest(bytes, start, end);
  const urls = checkedPeerUrls(peerURLs);
  if (urls === undefined) {
    call.fail(Errors.MemberBadURLs);
    return;
  }
  member.duties.membership.add(urls, isLearner, (result, added) => {
    if (result instanceof RpcError) call.fail(result);
    else {
      const header = member.headerAt(0);
      send(call, addAnswer, { header, member: toMessage(added), members: result.map(toMessage) });
    }
  });
}

function answerWith(
  member: Member,
  call: UnaryCall,
): (result: readonly ClusterMember[] | RpcError) => void {
  return (result) => {
    if (result instanceof RpcError) call.fail(result);
    // Answers of this service carry no revision.
    else send(call, listAnswer, { header: member.headerAt(0), members: result.map(toMessage) });
  };
}

function toMessage({ id, name, peerUrls, clientUrls, isLearner }: ClusterMember): MemberInit {
  return { id, name, peerURLs: peerUrls, clientURLs: clientUrls, isLearner };
}
