// Maintenance.Downgrade: permission to go one minor version back. The version of the cluster then
// falls, the marks in the database follow, and members of the older version may take over its data
// (etcd.io/docs/v3.6/downgrades).

import type { Member } from "../server/member.ts";
import { minorOf } from "../server/version-monitor.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeDowngradeInfoSetRequest } from "../wire/messages/membership.ts";
import {
  DowngradeAction,
  type DowngradeResponseInit,
  decodeDowngradeRequest,
  sizeDowngradeResponse,
  writeDowngradeResponse,
} from "../wire/messages/rpc-maintenance.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { ProposalAnswer } from "./proposal-answer.ts";
import { type Encoder, send } from "./send.ts";

const encoder: Encoder<DowngradeResponseInit> = {
  size: sizeDowngradeResponse,
  write: writeDowngradeResponse,
};
const unknownAction = new RpcError(Code.Unknown, "etcdserver: unknown method");

export function downgradeMethod(member: Member): Method {
  return {
    kind: "unary",
    handle: (call, bytes, start, end) => {
      const { action, version } = decodeDowngradeRequest(bytes, start, end);
      const ready = (): void => run(member, call, action, version);
      const fail = (error: RpcError): void => call.fail(error);
      if (member.confirmRead({ ready, fail })) ready();
    },
  };
}

function run(member: Member, call: UnaryCall, action: number, version: string): void {
  const { clusterVersion, downgrade } = member.members;
  const answer = (): void =>
    send(call, encoder, { header: member.headerAt(), version: minorOf(clusterVersion ?? "") });
  if (action === DowngradeAction.CANCEL) {
    // etcd tells its log, not its client, that there was nothing to cancel.
    if (downgrade.enabled) setDowngrade(member, call, { enabled: false, ver: "" }, answer);
    else {
      const error = Errors.NoInflightDowngrade.message;
      member.log.warn("failed to cancel downgrade", { error });
      answer();
    }
    return;
  }
  if (action !== DowngradeAction.VALIDATE && action !== DowngradeAction.ENABLE) {
    call.fail(unknownAction);
    return;
  }
  const target = checkedTarget(version, clusterVersion);
  if (target instanceof RpcError) refuse(member, call, action, target);
  else if (downgrade.enabled) refuse(member, call, action, Errors.DowngradeInProcess);
  else if (action === DowngradeAction.VALIDATE) answer();
  else setDowngrade(member, call, { enabled: true, ver: target }, answer);
}

function refuse(member: Member, call: UnaryCall, action: number, error: RpcError): void {
  if (action === DowngradeAction.ENABLE) {
    member.log.warn("reject downgrade request", { error: error.message });
  }
  call.fail(error);
}

/** "3.6.0" of "3.6" or "3.6.5", when it is one minor below the cluster's. */
function checkedTarget(version: string, clusterVersion: string | undefined): string | RpcError {
  const parts = /^(\d+)\.(\d+)(?:\.\d+(?:[-+].*)?)?$/.exec(version);
  if (parts === null) return Errors.WrongDowngradeVersionFormat;
  if (clusterVersion === undefined) return Errors.ClusterVersionUnavailable;
  const [major, minor] = clusterVersion.split(".").map(Number);
  const isAllowed = Number(parts[1]) === major && Number(parts[2]) === minor! - 1;
  return isAllowed ? `${parts[1]}.${parts[2]}.0` : Errors.InvalidDowngradeTargetVersion;
}

function setDowngrade(
  member: Member,
  call: UnaryCall,
  request: { readonly enabled: boolean; readonly ver: string },
  answer: () => void,
): void {
  const body = encodeDowngradeInfoSetRequest(request);
  // The version of the cluster follows when its monitor looks again.
  const waiter = new ProposalAnswer(call, answer);
  member.propose(RequestField.DowngradeInfoSet, body, 0, body.length, waiter);
}
