// What a new configuration means for a running member. A change takes effect when it is applied,
// not when it is appended; it was committed by the configuration before it.

import type { ConfChange, ConfChangeV2 } from "../wire/messages/raft.ts";
import { EMPTY_BYTES } from "../wire/protobuf/reader.ts";
import { advanceCommit } from "./commit.ts";
import { asV2, type Configuration, changed, confStateOf } from "./confchange.ts";
import type { Core } from "./core.ts";
import { propose } from "./proposals.ts";
import { type ConfState, EntryType } from "./ready.ts";

/** @throws InvariantError for a change that cannot follow the present configuration. */
export function applyConfChange(core: Core, change: ConfChange | ConfChangeV2): ConfState {
  if (core.superseded !== undefined) {
    // A snapshot has overtaken this entry, and with it the change.
    core.superseded = changed(core.superseded, asV2(change));
    return confStateOf(core.superseded);
  }
  switchConfiguration(core, changed(core.tracker.configuration, asV2(change)));
  return core.tracker.confState();
}

export function switchConfiguration(core: Core, configuration: Configuration): void {
  const { tracker } = core;
  tracker.switchTo(configuration, core.log.last);
  core.logger.info(`${core.idHex} switched to configuration ${textOf(configuration)}`);
  const self = tracker.self;
  core.isLearner = self?.isLearner ?? false;
  // A leader that does not count any more only carries on until it is stopped.
  if (core.role !== "leader" || self === undefined || self.isLearner) return;
  // The quorum may have become smaller; members that are new have to be told of the log.
  advanceCommit(core);
  core.appendsPending = true;
  const { incoming, outgoing } = configuration;
  const transferee = core.leadTransferee;
  if (!incoming.has(transferee) && !outgoing.has(transferee)) core.leadTransferee = 0n;
}

/** Called when more is applied: the second half of a joint change is proposed by the leader. */
export function leaveJointIfDue(core: Core): void {
  const { autoLeave } = core.tracker.configuration;
  if (!autoLeave || core.role !== "leader" || core.log.applied < core.pendingConfIndex) return;
  // Refused while leadership is transferred: tried again with the next entry that is applied.
  propose(core, EntryType.ConfChangeV2, EMPTY_BYTES);
}

function textOf({ incoming, outgoing, learners, learnersNext, autoLeave }: Configuration): string {
  const parts = [`voters=${idsOf(incoming)}${outgoing.size > 0 ? `&&${idsOf(outgoing)}` : ""}`];
  if (learners.size > 0) parts.push(`learners=${idsOf(learners)}`);
  if (learnersNext.size > 0) parts.push(`learners_next=${idsOf(learnersNext)}`);
  if (autoLeave) parts.push("autoleave");
  return parts.join(" ");
}

function idsOf(ids: ReadonlySet<bigint>): string {
  return `(${[...ids].map((id) => id.toString(16)).join(" ")})`;
}
