// Carries out what the policy decides, one action at a time: proposes the compaction, defragments,
// disarms. Each action is one log line, one event that can be asked for and one count, with its
// reason and what it won.
//
//   look ── decide ──► none │ warn ─ told once an hour
//                      observe: told, not done
//                      on: act ──► done: look again at once (what a compaction freed is to be
//                               │        given back, what was given back disarms)
//                               └► failed: the next look is later, twice as late each time

import { humanSize } from "../../base/human-size.ts";
import type { Logger } from "../../base/log.ts";
import { Counter, Family } from "../../base/metrics.ts";
import type { Clock } from "../../io/io.ts";
import { idText } from "../../state/members/member-json.ts";
import type { State } from "../../state/state.ts";
import type { Backend } from "../../storage/backend.ts";
import { Errors } from "../../wire/errors.ts";
import { RequestField } from "../../wire/internal-raft-request.ts";
import { encodeCompactionRequest } from "../../wire/messages/rpc-kv.ts";
import { AlarmAction, AlarmType, encodeAlarmRequest } from "../../wire/messages/rpc-maintenance.ts";
import type { Proposals } from "../proposals.ts";
import { type Needs, unknownText } from "./peer-needs.ts";
import { COPY_OVERHEAD, type Decision, decide, type Figures, overheadOf } from "./policy.ts";

export type SelfCareMode = "on" | "observe" | "off";

/** Events that are remembered. */
const EVENTS_MAX = 200;
/** A warning, or what would be done, is not said again for so long. */
const REPEAT_MS = 3600_000;
const RETRY_FIRST_MS = 30_000;
const RETRY_MAX_MS = 3600_000;

export interface CareEvent {
  readonly unixMs: number;
  readonly action: Exclude<Decision["action"], "none">;
  readonly reason: string;
  /** "done", "failed: …", "observed", "told". */
  readonly result: string;
  readonly revision: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly tookMs: number;
}

/** An error of a request, or of files. */
interface Failure {
  readonly message: string;
}

/** What self-care remembers of its own deeds. */
export type OwnFigures = Pick<
  Figures,
  "copyOverhead" | "isCompactionBlocked" | "isDefragmentationBlocked"
>;

export interface SelfCareParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly state: State;
  readonly backend: Backend;
  readonly proposals: Pick<Proposals, "propose">;
  readonly memberId: bigint;
  readonly mode: SelfCareMode;
  /** All but what is known here. */
  readonly figures: (own: OwnFigures) => Figures;
  /** What the other members' watchers and readers need. */
  readonly askPeers: (done: (needs: Needs) => void) => void;
}

export class SelfCare {
  readonly events: CareEvent[] = [];
  readonly actions: Family<Counter> = new Family(["action", "result"], () => new Counter());
  readonly bytesWon: Counter = new Counter();
  readonly #parts: SelfCareParts;
  readonly #toldAtMs = new Map<string, number>();
  #isActing = false;
  #isStopped = false;
  /** Of actions that failed: not before then, and how long to wait the next time. */
  readonly #blocked = new Map<string, { untilMs: number; retryMs: number }>();
  #copyOverhead = COPY_OVERHEAD;

  constructor(parts: SelfCareParts) {
    this.#parts = parts;
  }

  get mode(): SelfCareMode {
    return this.#parts.mode;
  }

  get isActing(): boolean {
    return this.#isActing;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What would be done now; for those who ask. */
  next(): Decision {
    return decide(this.figures());
  }

  figures(): Figures {
    return this.#parts.figures({
      copyOverhead: this.#copyOverhead,
      isCompactionBlocked: this.#isBlocked("compact"),
      isDefragmentationBlocked: this.#isBlocked("defragment"),
    });
  }

  look(): void {
    const { mode } = this.#parts;
    if (mode === "off" || this.#isActing || this.#isStopped) return;
    const figures = this.figures();
    const decision = decide(figures);
    if (decision.action === "none" || this.#isBlocked(decision.action)) return;
    if (decision.action === "warn") this.#tell(decision, "told");
    else if (mode === "observe") this.#tell(decision, "observed");
    else this.#act(decision, figures);
  }

  #act(decision: Exclude<Decision, { action: "none" | "warn" }>, figures: Figures): void {
    const { clock, backend } = this.#parts;
    this.#isActing = true;
    const beganMs = clock.monotonicMs();
    const isCompaction = decision.action === "compact";
    const size = (): number => (isCompaction ? backend.sizeInUseBytes : backend.sizeBytes);
    const bytesBefore = isCompaction ? figures.inUseBytes : figures.fileBytes;
    this.#perform(decision, (failure) => {
      this.#isActing = false;
      if (this.#isStopped) return;
      const tookMs = clock.monotonicMs() - beganMs;
      const result = failure === null ? "done" : `failed: ${failure}`;
      this.#record({ ...eventOf(decision), result, bytesBefore, bytesAfter: size(), tookMs });
      if (failure === null) {
        if (decision.action === "defragment") {
          this.#copyOverhead = overheadOf(backend.sizeBytes, this.figures());
        }
        this.#blocked.delete(decision.action);
        clock.endOfTurn(() => this.look());
      } else {
        this.#block(decision.action);
      }
    });
  }

  #block(action: string): void {
    const last = this.#blocked.get(action);
    const retryMs = last === undefined ? RETRY_FIRST_MS : Math.min(2 * last.retryMs, RETRY_MAX_MS);
    this.#blocked.set(action, { untilMs: this.#parts.clock.monotonicMs() + retryMs, retryMs });
  }

  #isBlocked(action: string): boolean {
    const blocked = this.#blocked.get(action);
    return blocked !== undefined && this.#parts.clock.monotonicMs() < blocked.untilMs;
  }

  #perform(
    decision: Exclude<Decision, { action: "none" | "warn" }>,
    done: (failure: string | null) => void,
  ): void {
    const { backend, memberId } = this.#parts;
    const ended = (error: Failure | null): void => done(error === null ? null : error.message);
    switch (decision.action) {
      case "compact":
        this.#compact(decision.revision, ended);
        return;
      case "defragment":
        backend.defragment(ended);
        return;
      case "disarm": {
        const alarm = { action: AlarmAction.DEACTIVATE, alarm: AlarmType.NOSPACE };
        const body = encodeAlarmRequest({ ...alarm, memberID: memberId });
        this.#propose(RequestField.Alarm, body, ended);
      }
    }
  }

  /** Done when all is deleted and that is on disk: only then is it known what was won. */
  #compact(wanted: number, done: (error: Failure | null) => void): void {
    this.#parts.askPeers((needs) => {
      if ("unknownTo" in needs) {
        done(new Error(unknownText(needs)));
        return;
      }
      const revision = Math.min(wanted, needs.revision);
      if (revision > this.#parts.state.mvcc.compactRevision)
        this.#proposeCompaction(revision, done);
      else {
        const who = `watchers or readers of member ${idText(needs.memberId)}`;
        done(new Error(`${who} need history from revision ${needs.revision} on`));
      }
    });
  }

  #proposeCompaction(revision: number, done: (error: Failure | null) => void): void {
    const { proposals, backend } = this.#parts;
    const body = encodeCompactionRequest({ revision });
    proposals.propose(RequestField.Compaction, body, 0, body.length, {
      proposedAtMs: 0,
      settle: ({ error, compaction }) => {
        // Somebody else was quicker: as good.
        if (error !== null && error !== Errors.Compacted) done(error);
        else if (compaction === null) done(null);
        else compaction.whenDone(() => backend.commit(() => done(null)));
      },
      fail: done,
    });
  }

  #propose(field: number, body: Uint8Array, done: (error: Failure | null) => void): void {
    this.#parts.proposals.propose(field, body, 0, body.length, {
      proposedAtMs: 0,
      settle: ({ error }) => done(error),
      fail: done,
    });
  }

  /** Not the same again and again. */
  #tell(decision: Exclude<Decision, { action: "none" }>, result: "told" | "observed"): void {
    const { clock, backend } = this.#parts;
    const nowMs = clock.monotonicMs();
    const last = this.#toldAtMs.get(decision.action);
    if (last !== undefined && nowMs - last < REPEAT_MS) return;
    this.#toldAtMs.set(decision.action, nowMs);
    const bytes = backend.sizeBytes;
    const sizes = { bytesBefore: bytes, bytesAfter: bytes, tookMs: 0 };
    this.#record({ ...eventOf(decision), result, ...sizes });
  }

  #record(event: Omit<CareEvent, "unixMs">): void {
    const { clock, log } = this.#parts;
    const { action, reason, result, bytesBefore, bytesAfter, tookMs } = event;
    const won = Math.max(0, bytesBefore - bytesAfter);
    this.events.push({ unixMs: clock.wallMs(), ...event });
    if (this.events.length > EVENTS_MAX) this.events.shift();
    this.actions.with(action, result.startsWith("failed") ? "failed" : result).add();
    this.bytesWon.add(won);
    const fields = {
      ...{ action, reason, result },
      ...(event.revision === 0 ? {} : { revision: event.revision }),
      ...(result === "done" ? { "bytes-won": won, won: humanSize(won) } : {}),
      took: `${Math.round(tookMs)}ms`,
    };
    if (result === "done") log.info("self-care", fields);
    else log.warn("self-care", fields);
  }
}

function eventOf(decision: Exclude<Decision, { action: "none" }>) {
  const revision = decision.action === "compact" ? decision.revision : 0;
  return { action: decision.action, reason: decision.reason, revision };
}
