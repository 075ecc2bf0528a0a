// The commit rule: an entry is committed when a quorum has it and it is of the leader's own term.
// Entries of earlier terms become so only together with a later one: counting replicas of an old
// entry is not enough, since a candidate without it could still win (figure 8 of the raft paper).

import type { Core } from "./core.ts";
import { releasePendingReads } from "./reads.ts";

/** Of a leader, when a member has acknowledged more or the configuration has changed. */
export function advanceCommit(core: Core): void {
  const index = core.tracker.committed();
  if (index <= core.log.commit || !core.log.matches(index, core.term)) return;
  core.log.commitTo(index);
  releasePendingReads(core);
  core.appendsPending = true;
}
