// Compacts by itself, on the leader only: by time or by the number of revisions.
//
//   periodic 10h   revisions are noted every tenth of an hour (of the period, if that is shorter):
//                  ├──── 10 h ────┤
//                  0h … 9h  10h   at 10 h revision(0 h) is compacted,
//                     1h … 10h 11h   at 11 h revision(1 h), then every hour
//   revision 1000  every 5 minutes: the current revision - 1000
//
// What fails is tried again a tenth later, with what is then old enough. A follower notes revisions
// as well, so that it can go on at once when it becomes the leader.

import { durationText } from "../base/duration-text.ts";
import type { Fields, Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Outcome } from "../state/outcome.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeCompactionRequest } from "../wire/messages/rpc-kv.ts";
import type { RpcError } from "../wire/status.ts";
import type { Proposals } from "./proposals.ts";

export type AutoCompaction =
  | { readonly mode: "periodic"; readonly periodMs: number }
  | { readonly mode: "revision"; readonly retention: number };

const HOUR_MS = 3600_000;
const NOTES_PER_CYCLE = 10;
const REVISION_INTERVAL_MS = 5 * 60_000;

/** When to look, and what would then be compacted. */
interface Plan {
  readonly mode: AutoCompaction["mode"];
  readonly intervalMs: number;
  readonly fields: Fields;
  /** To be called at every interval with the revision of that moment. */
  note(revision: number): void;
  /** The revision to compact now, if it is time. */
  due(nowMs: number): number | undefined;
  compacted(revision: number, nowMs: number): void;
}

class PeriodicPlan implements Plan {
  readonly mode = "periodic" as const;
  readonly intervalMs: number;
  readonly fields: Fields;
  readonly #cycleMs: number;
  readonly #notesMax: number;
  /** The first is from one period ago, once there are enough. */
  readonly #notes: number[] = [];
  /** Until the first compaction a whole period, then a cycle. */
  #waitMs: number;
  #lastSuccessMs: number;
  #lastRevision = 0;

  constructor(periodMs: number, nowMs: number) {
    this.#cycleMs = Math.min(periodMs, HOUR_MS);
    this.intervalMs = Math.max(1, this.#cycleMs / NOTES_PER_CYCLE);
    this.#notesMax = Math.floor(periodMs / this.intervalMs) + 1;
    this.#waitMs = periodMs;
    this.#lastSuccessMs = nowMs;
    this.fields = { "compact-period": durationText(periodMs) };
  }

  note(revision: number): void {
    this.#notes.push(revision);
    if (this.#notes.length > this.#notesMax) this.#notes.shift();
  }

  due(nowMs: number): number | undefined {
    // Timers of an operating system may be early by a little: half an interval is near enough.
    const isEarly = nowMs - this.#lastSuccessMs + this.intervalMs / 2 < this.#waitMs;
    const revision = this.#notes[0]!;
    if (isEarly || revision === this.#lastRevision) return undefined;
    this.#waitMs = this.#cycleMs;
    return revision;
  }

  compacted(revision: number, nowMs: number): void {
    this.#lastRevision = revision;
    this.#lastSuccessMs = nowMs;
  }
}

class RevisionPlan implements Plan {
  readonly mode = "revision" as const;
  readonly intervalMs: number = REVISION_INTERVAL_MS;
  readonly fields: Fields;
  readonly #retention: number;
  #current = 0;
  #lastRevision = 0;

  constructor(retention: number) {
    this.#retention = retention;
    this.fields = { "revision-compaction-retention": retention };
  }

  note(revision: number): void {
    this.#current = revision;
  }

  due(): number | undefined {
    const revision = this.#current - this.#retention;
    return revision > 0 && revision !== this.#lastRevision ? revision : undefined;
  }

  compacted(revision: number): void {
    this.#lastRevision = revision;
  }
}

export interface AutoCompactorParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** undefined: never. */
  readonly setting: AutoCompaction | undefined;
  readonly proposals: Pick<Proposals, "propose">;
  readonly isLeader: () => boolean;
  readonly revision: () => number;
}

export class AutoCompactor {
  readonly #parts: AutoCompactorParts;
  readonly #plan: Plan | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: AutoCompactorParts) {
    this.#parts = parts;
    this.#plan = planOf(parts.setting, parts.clock.monotonicMs());
  }

  start(): void {
    if (this.#plan === undefined) return;
    this.#plan.note(this.#parts.revision());
    this.#schedule(this.#plan);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(plan: Plan): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(plan.intervalMs, () => this.#look(plan));
  }

  #look(plan: Plan): void {
    const { clock, isLeader, revision } = this.#parts;
    plan.note(revision());
    const due = isLeader() ? plan.due(clock.monotonicMs()) : undefined;
    if (due === undefined) this.#schedule(plan);
    else this.#compact(plan, due);
  }

  #compact(plan: Plan, revision: number): void {
    const { clock, log, proposals } = this.#parts;
    const beganMs = clock.monotonicMs();
    const fields = { revision, ...plan.fields };
    log.info(`starting auto ${plan.mode} compaction`, fields);
    const done = (error: RpcError | null): void => {
      if (this.#isStopped) return;
      const nowMs = clock.monotonicMs();
      if (error === null || error === Errors.Compacted) {
        plan.compacted(revision, nowMs);
        const took = durationText(nowMs - beganMs);
        log.info(`completed auto ${plan.mode} compaction`, { ...fields, took });
      } else {
        const retry = { "retry-interval": durationText(plan.intervalMs) };
        log.warn(`failed auto ${plan.mode} compaction`, {
          ...fields,
          ...retry,
          error: error.message,
        });
      }
      this.#schedule(plan);
    };
    const body = encodeCompactionRequest({ revision });
    const settle = (outcome: Outcome): void => done(outcome.error);
    const waiter = { proposedAtMs: 0, settle, fail: done };
    proposals.propose(RequestField.Compaction, body, 0, body.length, waiter);
  }
}

function planOf(setting: AutoCompaction | undefined, nowMs: number): Plan | undefined {
  if (setting === undefined) return undefined;
  if (setting.mode === "revision") return new RevisionPlan(setting.retention);
  return new PeriodicPlan(setting.periodMs, nowMs);
}
