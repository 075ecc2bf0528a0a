// What one log entry does: the same on every member, for ever.
//
// It depends on the log and on nothing else: no clock, no chance, no file. The one thing that does
// differ between members, the size of the file, decides about the answer only: what does not fit is
// done and yet answered with ErrNoSpace. Refusing before it is done is the alarm's work, and alarms
// come through the log.

import { assert, InvariantError } from "../base/assert.ts";
import { Errors } from "../wire/errors.ts";
import { Proposal, RequestField, readProposal } from "../wire/internal-raft-request.ts";
import { AlarmType } from "../wire/messages/rpc-maintenance.ts";
import { ProtoError } from "../wire/protobuf/proto-error.ts";
import type { RpcError } from "../wire/status.ts";
import { HANDLERS } from "./handlers.ts";
import { Outcome } from "./outcome.ts";
import { LEASE_COST_BYTES, PUT_OVERHEAD_BYTES, putCostBytes, txnCostBytes } from "./quota.ts";
import type { State } from "./state.ts";

const proposal = new Proposal();

export function apply(state: State, index: number, term: number, data: Uint8Array): Outcome {
  const outcome = new Outcome(index, term);
  if (index <= state.appliedIndex) {
    outcome.isReplay = true;
    return outcome;
  }
  assert(index === state.appliedIndex + 1, "entries are applied in order, each once");
  try {
    // The first entry of a leader is empty.
    if (data.length > 0) applyRequest(state, data, outcome);
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    throw new InvariantError(`entry ${index} cannot be decoded: ${error.message}`);
  }
  outcome.revision ||= state.mvcc.currentRevision;
  state.records.setApplied(index, term);
  return outcome;
}

function applyRequest(state: State, data: Uint8Array, outcome: Outcome): void {
  readProposal(data, proposal);
  const { field, start, end } = proposal;
  outcome.field = field;
  outcome.idHigh = proposal.idHigh;
  outcome.idLow48 = proposal.idLow48;
  const handler = HANDLERS.get(field);
  if (handler === undefined) {
    throw new InvariantError(`entry ${outcome.index} holds a request of unknown kind ${field}`);
  }
  const isAwaited = state.isAwaited(proposal.idHigh, proposal.idLow48);
  if (!isAwaited && handler.readsOnly) return;

  outcome.error = refuseIfCorrupt(state, field) ?? refuseIfNoSpace(state, field, data, start, end);
  if (outcome.error !== null) return;
  const hasRoom =
    state.quota.isAvailable(costBoundOf(field, end - start)) ||
    state.quota.isAvailable(costOf(field, data, start, end));
  handler.handle(state, data, start, end, outcome, isAwaited);
  if (outcome.error === null && !hasRoom) {
    outcome.error = Errors.NoSpace;
    outcome.shouldRaiseNoSpace = !state.alarms.isActive(AlarmType.NOSPACE);
  }
}

const REFUSED_IF_CORRUPT: ReadonlySet<number> = new Set([
  RequestField.Range,
  RequestField.Put,
  RequestField.DeleteRange,
  RequestField.Txn,
  RequestField.Compaction,
  RequestField.LeaseGrant,
  RequestField.LeaseRevoke,
]);

function refuseIfCorrupt(state: State, field: number): RpcError | null {
  if (!state.alarms.isActive(AlarmType.CORRUPT)) return null;
  return REFUSED_IF_CORRUPT.has(field) ? Errors.Corrupt : null;
}

/** Puts, lease grants and transactions with puts are those that cost something. */
function refuseIfNoSpace(
  state: State,
  field: number,
  data: Uint8Array,
  start: number,
  end: number,
): RpcError | null {
  if (!state.alarms.isActive(AlarmType.NOSPACE)) return null;
  return costOf(field, data, start, end) > 0 ? Errors.NoSpace : null;
}

/** What the request may add to the file; deletions, compactions and all else cost nothing. */
function costOf(field: number, data: Uint8Array, start: number, end: number): number {
  switch (field) {
    case RequestField.Put:
      return putCostBytes(data, start, end);
    case RequestField.Txn:
      return txnCostBytes(data, start, end);
    case RequestField.LeaseGrant:
      return LEASE_COST_BYTES;
    default:
      return 0;
  }
}

/** Not less than `costOf`, without a look at the request: mostly there is room for that too. */
function costBoundOf(field: number, length: number): number {
  switch (field) {
    case RequestField.Put:
      return PUT_OVERHEAD_BYTES + length;
    case RequestField.Txn:
      return length * (1 + PUT_OVERHEAD_BYTES);
    default:
      return LEASE_COST_BYTES;
  }
}
