// Who takes part: the configuration and how one changes into the next. Pure functions on values;
// what a change means for replication is `membership.ts`.
//
//   simple:  (1 2 3)  ── add 4 ──►  (1 2 3 4)                  at most one voter differs, so any
//                                                              two majorities overlap
//   joint:   (1 2 3)  ── enter ──►  (2 3 4)&(1 2 3)  ── leave ──►  (2 3 4)
//                                   both halves must agree
//
// A voter that becomes a learner while the old half still counts on it waits in `learnersNext`.

import { assert } from "../base/assert.ts";
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
} from "../wire/messages/raft.ts";
import type { ConfState } from "./ready.ts";

export interface Configuration {
  readonly incoming: ReadonlySet<bigint>;
  /** Empty unless the configuration is joint. */
  readonly outgoing: ReadonlySet<bigint>;
  readonly learners: ReadonlySet<bigint>;
  readonly learnersNext: ReadonlySet<bigint>;
  readonly autoLeave: boolean;
}

interface Draft {
  incoming: Set<bigint>;
  outgoing: Set<bigint>;
  learners: Set<bigint>;
  learnersNext: Set<bigint>;
  autoLeave: boolean;
}

export function configurationOf(state: ConfState): Configuration {
  const configuration = {
    incoming: new Set(state.voters),
    outgoing: new Set(state.votersOutgoing),
    learners: new Set(state.learners),
    learnersNext: new Set(state.learnersNext),
    autoLeave: state.autoLeave,
  };
  check(configuration);
  return configuration;
}

export function confStateOf(configuration: Configuration): ConfState {
  return {
    voters: sorted(configuration.incoming),
    learners: sorted(configuration.learners),
    votersOutgoing: sorted(configuration.outgoing),
    learnersNext: sorted(configuration.learnersNext),
    autoLeave: configuration.autoLeave,
  };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.size > 0;
}

export function isV2(change: ConfChange | ConfChangeV2): change is ConfChangeV2 {
  return "changes" in change;
}

export function asV2(change: ConfChange | ConfChangeV2): ConfChangeV2 {
  if (isV2(change)) return change;
  const { type, nodeId, context } = change;
  return {
    transition: ConfChangeTransition.ConfChangeTransitionAuto,
    changes: [{ type, nodeId }],
    context,
  };
}

/** A V2 change without any content means: leave the joint configuration. */
export function isLeaveJoint(change: ConfChangeV2): boolean {
  return (
    change.transition === ConfChangeTransition.ConfChangeTransitionAuto &&
    change.changes.length === 0
  );
}

/** @throws InvariantError for a change that no correct leader lets into the log. */
export function changed(from: Configuration, change: ConfChangeV2): Configuration {
  if (isLeaveJoint(change)) return leaveJoint(from);
  const wantsJoint =
    change.transition !== ConfChangeTransition.ConfChangeTransitionAuto ||
    change.changes.length > 1;
  assert(!isJoint(from), "a joint configuration is left before the next change");
  const draft = draftOf(from);
  if (wantsJoint) {
    assert(from.incoming.size > 0, "a configuration without voters cannot become joint");
    draft.outgoing = new Set(from.incoming);
    draft.autoLeave = change.transition !== ConfChangeTransition.ConfChangeTransitionJointExplicit;
  }
  for (const single of change.changes) applySingle(draft, single);
  assert(draft.incoming.size > 0, "a configuration keeps at least one voter");
  if (!wantsJoint) {
    const differing = differenceSize(from.incoming, draft.incoming);
    assert(differing <= 1, "more than one voter changes only through a joint configuration");
  }
  check(draft);
  return draft;
}

function leaveJoint(from: Configuration): Configuration {
  assert(isJoint(from), "only a joint configuration can be left");
  const draft = draftOf(from);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext = new Set();
  draft.outgoing = new Set();
  draft.autoLeave = false;
  check(draft);
  return draft;
}

function applySingle(draft: Draft, { type, nodeId }: ConfChangeSingle): void {
  // etcd sets the node to 0 when it refuses a change at apply.
  if (nodeId === 0n) return;
  switch (type) {
    case ConfChangeType.ConfChangeAddNode:
      draft.learners.delete(nodeId);
      draft.learnersNext.delete(nodeId);
      draft.incoming.add(nodeId);
      break;
    case ConfChangeType.ConfChangeAddLearnerNode:
      draft.incoming.delete(nodeId);
      if (draft.outgoing.has(nodeId)) draft.learnersNext.add(nodeId);
      else draft.learners.add(nodeId);
      break;
    case ConfChangeType.ConfChangeRemoveNode:
      draft.incoming.delete(nodeId);
      draft.learners.delete(nodeId);
      draft.learnersNext.delete(nodeId);
      break;
    default:
      // UpdateNode concerns the application only.
      assert(type === ConfChangeType.ConfChangeUpdateNode, `unknown type ${type} of a conf change`);
  }
}

function draftOf(from: Configuration): Draft {
  return {
    incoming: new Set(from.incoming),
    outgoing: new Set(from.outgoing),
    learners: new Set(from.learners),
    learnersNext: new Set(from.learnersNext),
    autoLeave: from.autoLeave,
  };
}

function check(configuration: Configuration): void {
  const { incoming, outgoing, learners, learnersNext, autoLeave } = configuration;
  for (const id of learners) {
    assert(!incoming.has(id) && !outgoing.has(id), "a learner is not a voter");
  }
  for (const id of learnersNext) {
    assert(outgoing.has(id) && !incoming.has(id), "a staged learner votes in the old half only");
  }
  assert(isJoint(configuration) || !autoLeave, "only a joint configuration is left");
}

function differenceSize(a: ReadonlySet<bigint>, b: ReadonlySet<bigint>): number {
  let size = 0;
  for (const id of a) if (!b.has(id)) size++;
  for (const id of b) if (!a.has(id)) size++;
  return size;
}

export function sorted(ids: Iterable<bigint>): bigint[] {
  return [...ids].sort(ascending);
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
