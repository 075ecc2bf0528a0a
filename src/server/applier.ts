// A committed entry becomes state, and what follows from it: who waits is answered, the lease clock
// of a new leader starts, a compaction begins, peers come and go.
//
//   entry ─┬ normal, empty   a leader's first: its term has begun. Or a change that it refused
//          ├ normal          state.apply ─► outcome ─► proposals.settle
//          └ conf change     validated ─► raft ─► members ─► peers

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";
import { type Entry, EntryType } from "../raft/ready.ts";
import type { Outcome } from "../state/outcome.ts";
import type { ConfChangeOutcome, State } from "../state/state.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { decodeConfChange } from "../wire/messages/raft.ts";
import { fieldName } from "./apply-metrics.ts";
import type { Compactor } from "./compactor.ts";
import type { LeaseClock } from "./lease-clock.ts";
import type { LogSnapshots } from "./log-snapshots.ts";
import type { Proposals } from "./proposals.ts";
import type { Publisher } from "./publisher.ts";
import type { Reads } from "./reads.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface ApplierParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly warningApplyMs: number;
  readonly state: State;
  readonly raft: Raft;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly publisher: Publisher;
  readonly snapshots: LogSnapshots;
  readonly compactor: Compactor;
  readonly leaseClock: LeaseClock;
  readonly raiseNoSpace: () => void;
  readonly membershipChanged: (outcome: ConfChangeOutcome) => void;
  readonly fatal: (error: Error) => void;
}

export class Applier {
  readonly #parts: ApplierParts;
  /** The monotonic clock as last read: exact to one applied entry while there is work. */
  nowMs = 0;
  /** In which this member was promoted. */
  #leadsInTerm = 0;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
  }

  apply(entry: Entry): void {
    if (entry.type === EntryType.Normal) this.#applyNormal(entry);
    else if (entry.type === EntryType.ConfChange) this.#applyConfChange(entry);
    else {
      const what = `entry ${entry.index} changes the configuration in a way unknown here`;
      this.#parts.fatal(new Error(what));
    }
  }

  #applyNormal(entry: Entry): void {
    const { clock, state } = this.#parts;
    const beganMs = clock.monotonicMs();
    const outcome = state.apply(entry.index, entry.term, entry.data);
    const nowMs = clock.monotonicMs();
    this.nowMs = nowMs;
    if (outcome.isReplay) return;
    this.#observe(outcome, entry, nowMs - beganMs);
    if (entry.data.length === 0) {
      this.#applyEmpty(entry);
      return;
    }
    if (outcome.field === RequestField.ClusterVersionSet) this.#parts.publisher.followVersion();
    // So that a member of the older version finds its own version in the snapshot it starts from.
    if (outcome.field === RequestField.ClusterVersionSet && state.members.downgrade.enabled) {
      this.#parts.snapshots.saveNow(entry.index, entry.term);
    }
    if (outcome.compaction !== null) this.#parts.compactor.wake();
    if (outcome.shouldRaiseNoSpace) this.#parts.raiseNoSpace();
    this.#parts.proposals.settle(outcome, nowMs);
  }

  /** Only the first of a term begins it: a later one stands for a change that was refused. */
  #applyEmpty({ term }: Entry): void {
    const { raft, leaseClock, reads, publisher } = this.#parts;
    if (raft.isLeader && term === raft.term && term !== this.#leadsInTerm) {
      this.#leadsInTerm = term;
      leaseClock.promote();
    }
    // These may be told once too often.
    reads.firstCommitInTerm();
    publisher.checkVersion();
  }

  #observe(outcome: Outcome, entry: Entry, tookMs: number): void {
    const { metrics, log, warningApplyMs } = this.#parts;
    const isOk = outcome.error === null;
    metrics.applySeconds.observe(outcome.field, isOk, tookMs / 1000);
    if (!isOk && outcome.error === Errors.NoSpace) {
      log.error("failed to apply request", {
        took: `${tookMs.toFixed(3)}ms`,
        request: `header:<ID:${outcome.idLow48} > ${fieldName(outcome.field)}:<${entry.data.length} bytes>`,
        error: outcome.error.message,
      });
    }
    if (tookMs < warningApplyMs) return;
    metrics.slowApply.add();
    log.warn("apply request took too long", {
      took: `${tookMs.toFixed(3)}ms`,
      "expected-duration": `${warningApplyMs}ms`,
      prefix: "",
      request: `${fieldName(outcome.field)}:<${entry.data.length} bytes>`,
    });
  }

  #applyConfChange(entry: Entry): void {
    const { state, raft, membershipChanged } = this.#parts;
    const change = decodeConfChange(entry.data);
    membershipChanged(
      state.applyConfChange(entry.index, entry.term, change, (given) =>
        raft.applyConfChange(given),
      ),
    );
  }
}
