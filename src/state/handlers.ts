// What each kind of request does, once nothing speaks against it. A handler sets what is particular
// in the outcome, or its error after having changed nothing.

import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { PutView, RangeView, readPut, readRange } from "../wire/kv-requests.ts";
import {
  decodeClusterMemberAttrSetRequest,
  decodeClusterVersionSetRequest,
  decodeDowngradeInfoSetRequest,
} from "../wire/messages/membership.ts";
import { decodeCompactionRequest } from "../wire/messages/rpc-kv.ts";
import {
  decodeLeaseCheckpointRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
} from "../wire/messages/rpc-lease.ts";
import { AlarmAction, AlarmType, decodeAlarmRequest } from "../wire/messages/rpc-maintenance.ts";
import { Code, RpcError } from "../wire/status.ts";
import { compareMinor } from "./members/members.ts";
import { DeleteView, readDelete } from "./mvcc/delete-view.ts";
import { KeyValueList } from "./mvcc/key-value-list.ts";
import { RangeResult, range } from "./mvcc/range.ts";
import { applyTxn, checkPut, executeDelete, executePut } from "./mvcc/txn.ts";
import type { Outcome } from "./outcome.ts";
import type { State } from "./state.ts";

export interface Handler {
  /** Nothing to do when nobody here waits for the answer. */
  readonly readsOnly: boolean;
  handle(
    state: State,
    bytes: Uint8Array,
    start: number,
    end: number,
    outcome: Outcome,
    isAwaited: boolean,
  ): void;
}

const putView = new PutView();
const rangeView = new RangeView();
const deleteView = new DeleteView();

const put: Handler["handle"] = (state, bytes, start, end, outcome, isAwaited) => {
  const { mvcc, leases } = state;
  readPut(bytes, start, end, putView);
  outcome.error = checkPut(mvcc, leases.exists, bytes, putView);
  if (outcome.error !== null) return;
  if (putView.prevKv && isAwaited) outcome.previous = new KeyValueList();
  mvcc.begin();
  executePut(mvcc, bytes, putView, outcome.previous);
  mvcc.end();
};

const readKeys: Handler["handle"] = (state, bytes, start, end, outcome) => {
  readRange(bytes, start, end, rangeView);
  const result = new RangeResult();
  outcome.error = range(state.mvcc, bytes, rangeView, result);
  if (outcome.error === null) outcome.range = result;
};

const deleteRange: Handler["handle"] = (state, bytes, start, end, outcome, isAwaited) => {
  readDelete(bytes, start, end, deleteView);
  if (deleteView.prevKv && isAwaited) outcome.previous = new KeyValueList();
  state.mvcc.begin();
  outcome.deleted = executeDelete(state.mvcc, bytes, deleteView, outcome.previous);
  state.mvcc.end();
};

const txn: Handler["handle"] = (state, bytes, start, end, outcome, isAwaited) => {
  const result = applyTxn(state.mvcc, state.leases.exists, bytes, start, end, isAwaited);
  if (result instanceof RpcError) {
    outcome.error = result;
  } else {
    outcome.txn = result;
    outcome.revision = result.revision;
  }
};

const compaction: Handler["handle"] = (state, bytes, start, end, outcome) => {
  const { revision } = decodeCompactionRequest(bytes, start, end);
  const job = state.compaction.schedule(revision);
  if (!(job instanceof RpcError)) {
    outcome.compaction = job;
    return;
  }
  outcome.error = job;
  if (job === Errors.Compacted) outcome.compaction = state.compaction.last ?? null;
};

const leaseGrant: Handler["handle"] = (state, bytes, start, end, outcome) => {
  const { id, ttl } = decodeLeaseGrantRequest(bytes, start, end);
  const lease = state.leases.grant(id, ttl);
  if (lease instanceof RpcError) {
    outcome.error = lease;
  } else {
    outcome.leaseId = lease.id;
    outcome.leaseTtl = lease.ttl;
  }
};

/** All keys of the lease go under one revision, in the order of their bytes. */
const leaseRevoke: Handler["handle"] = (state, bytes, start, end, outcome) => {
  const { mvcc, leases } = state;
  const lease = leases.find(decodeLeaseRevokeRequest(bytes, start, end).id);
  if (lease === undefined) {
    outcome.error = Errors.LeaseNotFound;
    return;
  }
  const keys = state.keysOf(lease);
  mvcc.begin();
  for (const key of keys) mvcc.deleteSlot(mvcc.index.findText(key));
  leases.remove(lease);
  mvcc.end();
};

const leaseCheckpoint: Handler["handle"] = (state, bytes, start, end) => {
  const version = state.members.clusterVersion;
  const persist = version !== undefined && compareMinor(version, "3.6") >= 0;
  for (const checkpoint of decodeLeaseCheckpointRequest(bytes, start, end).checkpoints) {
    state.leases.checkpoint(checkpoint.id, checkpoint.remainingTTL, persist);
  }
};

const alarm: Handler["handle"] = (state, bytes, start, end, outcome) => {
  const { action, memberID, alarm: type } = decodeAlarmRequest(bytes, start, end);
  const { alarms } = state;
  if (action === AlarmAction.GET) {
    outcome.alarms = alarms.list(type);
  } else if (action === AlarmAction.ACTIVATE && type !== AlarmType.NONE) {
    outcome.alarms = [alarms.activate(memberID, type)];
  } else if (action === AlarmAction.DEACTIVATE) {
    const gone = alarms.deactivate(memberID, type);
    if (gone !== undefined) outcome.alarms = [gone];
  }
};

const clusterVersionSet: Handler["handle"] = (state, bytes, start, end) => {
  state.members.setClusterVersion(decodeClusterVersionSetRequest(bytes, start, end).ver);
};

const clusterMemberAttrSet: Handler["handle"] = (state, bytes, start, end) => {
  const request = decodeClusterMemberAttrSetRequest(bytes, start, end);
  const { name = "", clientUrls = [] } = request.memberAttributes ?? {};
  state.members.setAttributes(request.memberID, name, clientUrls);
};

const downgradeInfoSet: Handler["handle"] = (state, bytes, start, end) => {
  const { enabled, ver } = decodeDowngradeInfoSetRequest(bytes, start, end);
  state.members.setDowngrade({ enabled, targetVersion: enabled ? ver : "" });
};

const nothing: Handler["handle"] = () => {};

const AuthUnsupported = new RpcError(
  Code.Unimplemented,
  "etcdserver: authentication is not supported yet",
);

/** Users and roles are not kept yet; the API refuses these before they are proposed. */
const refuseAuth: Handler["handle"] = (_state, _bytes, _start, _end, outcome) => {
  outcome.error = AuthUnsupported;
};

/** Kinds that a member of this version may find in its log; those of the v2 store are not. */
type Kind = Exclude<keyof typeof RequestField, "None" | "V2">;

const BY_KIND: Record<Kind, Handler> = {
  Put: { readsOnly: false, handle: put },
  Range: { readsOnly: true, handle: readKeys },
  DeleteRange: { readsOnly: false, handle: deleteRange },
  Txn: { readsOnly: false, handle: txn },
  Compaction: { readsOnly: false, handle: compaction },
  LeaseGrant: { readsOnly: false, handle: leaseGrant },
  LeaseRevoke: { readsOnly: false, handle: leaseRevoke },
  LeaseCheckpoint: { readsOnly: false, handle: leaseCheckpoint },
  Alarm: { readsOnly: false, handle: alarm },
  ClusterVersionSet: { readsOnly: false, handle: clusterVersionSet },
  ClusterMemberAttrSet: { readsOnly: false, handle: clusterMemberAttrSet },
  DowngradeInfoSet: { readsOnly: false, handle: downgradeInfoSet },
  DowngradeVersionTest: { readsOnly: false, handle: nothing },
  AuthEnable: { readsOnly: false, handle: refuseAuth },
  AuthDisable: { readsOnly: false, handle: refuseAuth },
  Authenticate: { readsOnly: false, handle: refuseAuth },
  AuthStatus: { readsOnly: true, handle: refuseAuth },
  AuthUserAdd: { readsOnly: false, handle: refuseAuth },
  AuthUserDelete: { readsOnly: false, handle: refuseAuth },
  AuthUserGet: { readsOnly: true, handle: refuseAuth },
  AuthUserChangePassword: { readsOnly: false, handle: refuseAuth },
  AuthUserGrantRole: { readsOnly: false, handle: refuseAuth },
  AuthUserRevokeRole: { readsOnly: false, handle: refuseAuth },
  AuthUserList: { readsOnly: false, handle: refuseAuth },
  AuthRoleList: { readsOnly: false, handle: refuseAuth },
  AuthRoleAdd: { readsOnly: false, handle: refuseAuth },
  AuthRoleDelete: { readsOnly: false, handle: refuseAuth },
  AuthRoleGet: { readsOnly: true, handle: refuseAuth },
  AuthRoleGrantPermission: { readsOnly: false, handle: refuseAuth },
  AuthRoleRevokePermission: { readsOnly: false, handle: refuseAuth },
};

/** By the number of the request's field. */
export const HANDLERS: ReadonlyMap<number, Handler> = new Map(
  Object.entries(BY_KIND).map(([kind, handler]) => [RequestField[kind as Kind], handler]),
);
