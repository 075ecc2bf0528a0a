import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState } from "../../test/model/applied-state.ts";
import { silentLogger } from "../base/log.ts";
import { type Entry, EntryType } from "../raft/ready.ts";
import { Applier, type ApplierParts } from "./applier.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const NO_DATA = new Uint8Array(0);

/** An applier whose raft has the role and term that a test says. */
class SmallApplier {
  readonly raft: { isLeader: boolean; term: number } = { isLeader: false, term: 1 };
  promotions = 0;
  readonly fatal: string[] = [];
  readonly #applied = new AppliedState();
  readonly #applier: Applier;

  constructor() {
    const parts: Partial<Record<keyof ApplierParts, unknown>> = {
      clock: new ManualClock(),
      log: silentLogger,
      metrics: new ServerMetrics(),
      warningApplyMs: 100,
      state: this.#applied.state,
      raft: this.raft,
      reads: { firstCommitInTerm: () => {} },
      publisher: { checkVersion: () => {} },
      leaseClock: {
        promote: () => {
          this.promotions++;
        },
      },
      fatal: (error: Error) => this.fatal.push(error.message),
    };
    this.#applier = new Applier(parts as unknown as ApplierParts);
  }

  /** Applies an entry without data; returns how many promotions it brought. */
  apply(term: number, type: Entry["type"] = EntryType.Normal): number {
    const before = this.promotions;
    const index = this.#applied.state.appliedIndex + 1;
    this.#applier.apply({ term, index, type, data: NO_DATA });
    return this.promotions - before;
  }
}

test("a leader is promoted by the first empty entry of its term, and by no other", () => {
  const applier = new SmallApplier();
  assert.equal(applier.apply(1), 0, "who does not lead");
  Object.assign(applier.raft, { isLeader: true, term: 2 });
  assert.equal(applier.apply(1), 0, "an entry of the leader before");
  assert.equal(applier.apply(2), 1, "its first");
  assert.equal(applier.apply(2), 0, "a refused change");
  // It lost its office and got it back, and nobody was told in between.
  applier.raft.term = 4;
  assert.equal(applier.apply(2), 0, "a refused change of its earlier term");
  assert.equal(applier.apply(4), 1, "its first again");
  assert.equal(applier.apply(4), 0, "a refused change");
});

test("a change of the second kind, which no member of a cluster proposes, is fatal", () => {
  const applier = new SmallApplier();
  applier.apply(1, EntryType.ConfChangeV2);
  assert.deepEqual(applier.fatal, ["entry 1 changes the configuration in a way unknown here"]);
});
