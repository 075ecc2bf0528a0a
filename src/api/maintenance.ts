// etcdserverpb.Maintenance: looking after one member, and who of them leads.

import { hashKv as hashKvOf } from "../server/hash-kv.ts";
import type { Member } from "../server/member.ts";
import { SERVER_VERSION } from "../server/options.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  type AlarmResponseInit,
  type DefragmentResponseInit,
  decodeAlarmRequest,
  decodeHashKVRequest,
  decodeMoveLeaderRequest,
  type HashKVResponseInit,
  type HashResponseInit,
  type MoveLeaderResponseInit,
  type StatusResponseInit,
  sizeAlarmResponse,
  sizeDefragmentResponse,
  sizeHashKVResponse,
  sizeHashResponse,
  sizeMoveLeaderResponse,
  sizeStatusResponse,
  writeAlarmResponse,
  writeDefragmentResponse,
  writeHashKVResponse,
  writeHashResponse,
  writeMoveLeaderResponse,
  writeStatusResponse,
} from "../wire/messages/rpc-maintenance.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { alarmName } from "./alarm-name.ts";
import { downgradeMethod } from "./downgrade.ts";
import { withoutFields } from "./empty-request.ts";
import { ProposalAnswer } from "./proposal-answer.ts";
import { type Encoder, send } from "./send.ts";
import { snapshotMethod } from "./snapshot-stream.ts";

const status: Encoder<StatusResponseInit> = {
  size: sizeStatusResponse,
  write: writeStatusResponse,
};
const alarm: Encoder<AlarmResponseInit> = { size: sizeAlarmResponse, write: writeAlarmResponse };
const hash: Encoder<HashResponseInit> = { size: sizeHashResponse, write: writeHashResponse };
const hashKv: Encoder<HashKVResponseInit> = {
  size: sizeHashKVResponse,
  write: writeHashKVResponse,
};
const defragment: Encoder<DefragmentResponseInit> = {
  size: sizeDefragmentResponse,
  write: writeDefragmentResponse,
};

const moved: Encoder<MoveLeaderResponseInit> = {
  size: sizeMoveLeaderResponse,
  write: writeMoveLeaderResponse,
};

export function maintenanceMethods(member: Member): [string, Method][] {
  const service = "/etcdserverpb.Maintenance/";
  return [
    [`${service}Status`, withoutFields((call) => sendStatus(member, call))],
    [`${service}Hash`, withoutFields((call) => sendHash(member, call))],
    [
      `${service}HashKV`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) =>
          sendHashKv(member, call, decodeHashKVRequest(bytes, start, end).revision),
      },
    ],
    [`${service}Defragment`, withoutFields((call) => runDefragment(member, call))],
    [`${service}Snapshot`, snapshotMethod(member)],
    [`${service}Downgrade`, downgradeMethod(member)],
    [
      `${service}MoveLeader`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) =>
          moveLeader(member, call, decodeMoveLeaderRequest(bytes, start, end).targetID),
      },
    ],
    [
      `${service}Alarm`,
      {
        kind: "unary",
        handle: (call, bytes, start, end) => {
          // What is in the log must be readable for ever.
          decodeAlarmRequest(bytes, start, end);
          member.propose(RequestField.Alarm, bytes, start, end, alarmAnswer(member, call));
        },
      },
    ],
  ];
}

function sendStatus(member: Member, call: UnaryCall): void {
  const raft = member.raftStatus();
  send(call, status, {
    header: member.headerAt(),
    version: SERVER_VERSION,
    dbSize: member.backend.sizeBytes,
    leader: raft.lead,
    raftIndex: raft.commit,
    raftTerm: raft.term,
    raftAppliedIndex: member.appliedIndex,
    errors: statusErrors(member, raft.lead),
    dbSizeInUse: member.backend.sizeInUseBytes,
    isLearner: member.isLearner,
    storageVersion: member.storageVersion ?? "",
    dbSizeQuota: quotaOf(member),
    downgradeInfo: member.members.downgrade,
  });
}

/** As etcdctl's column ERRORS shows them. */
function statusErrors(member: Member, leader: bigint): string[] {
  const errors = leader === 0n ? [Errors.NoLeader.message] : [];
  for (const { memberID, alarm: type } of member.alarms) {
    errors.push(`memberID:${memberID}  alarm:${alarmName(type)}`);
  }
  return errors;
}

function sendHash(member: Member, call: UnaryCall): void {
  member.backend.hash((value) => send(call, hash, { header: member.headerAt(), hash: value }));
}

function sendHashKv(member: Member, call: UnaryCall, revision: number): void {
  hashKvOf(member, revision, (result) => {
    if (result instanceof RpcError) call.fail(result);
    else {
      send(call, hashKv, {
        header: member.headerAt(),
        hash: result.hash,
        compactRevision: result.compactRevision,
        hashRevision: result.revision,
      });
    }
  });
}

function moveLeader(member: Member, call: UnaryCall, to: bigint): void {
  if (member.raftStatus().lead !== member.id) {
    call.fail(Errors.NotLeader);
    return;
  }
  member.moveLeader(to, (error) => {
    // etcd answers without a header here.
    if (error === null) send(call, moved, {});
    else call.fail(error);
  });
}

function runDefragment(member: Member, call: UnaryCall): void {
  member.log.info("starting defragment");
  member.backend.defragment((error) => {
    member.log.info("finished defragment");
    // etcd answers without a header here.
    if (error === null) send(call, defragment, {});
    else call.fail(new RpcError(Code.Unknown, error.message));
  });
}

function alarmAnswer(member: Member, call: UnaryCall): ProposalAnswer {
  return new ProposalAnswer(call, (outcome) => {
    send(call, alarm, { header: member.headerAt(), alarms: outcome.alarms });
  });
}

/** Without a quota etcd reports 0. */
function quotaOf(member: Member): number {
  const { quotaBytes } = member.state.quota;
  return Number.isFinite(quotaBytes) ? quotaBytes : 0;
}
