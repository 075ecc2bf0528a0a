// A leader under load need not tell each commit index by itself: a moment later it sends the next
// entries, which carry it. Telling it alone costs every member a turn, an answer and a write, which
// with one client was a third of all messages. Members where somebody waits for the index are told
// at once (raft/replication.ts); watchers of the others hear of a change a few milliseconds later.
//
//   entries ─► entries ─► committed … entries ─► committed … … … … tell
//      └─ ≤ HOLD_MS ─┘       └ told with them       └── HOLD_MS ──┘

import type { Clock } from "../io/io.ts";
import type { Raft } from "../raft/raft.ts";

/** Entries that follow each other faster are load; a commit index waits no longer. */
const HOLD_MS = 5;

export class CommitHold {
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #wake: () => void;
  /** When the last group of entries left. */
  #lastMs = Number.NEGATIVE_INFINITY;
  /** It followed the one before at once. */
  #isLoad = false;
  #isArmed = false;
  #owedSinceMs: number | undefined;

  constructor(parts: { clock: Clock; raft: Raft; wake: () => void }) {
    this.#clock = parts.clock;
    this.#raft = parts.raft;
    this.#wake = parts.wake;
  }

  /** Before raft is asked for messages. */
  begin(): void {
    this.#raft.holdsCommits = this.#isLoad && this.#clock.monotonicMs() - this.#lastMs <= HOLD_MS;
  }

  /** A leader's messages were taken; those of this turn `hadEntries`, new ones. */
  taken(hadEntries: boolean): void {
    if (hadEntries) {
      const nowMs = this.#clock.monotonicMs();
      this.#isLoad = nowMs - this.#lastMs <= HOLD_MS;
      this.#lastMs = nowMs;
    }
    if (!this.#raft.owesCommits) {
      this.#owedSinceMs = undefined;
      return;
    }
    this.#owedSinceMs ??= this.#clock.monotonicMs();
    if (!this.#isArmed) this.#arm(HOLD_MS);
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#clock.after(delayMs, () => {
      this.#isArmed = false;
      if (this.#owedSinceMs === undefined) return;
      const restMs = this.#owedSinceMs + HOLD_MS - this.#clock.monotonicMs();
      if (restMs > 0) {
        this.#arm(Math.ceil(restMs));
        return;
      }
      this.#raft.tellCommits();
      this.#wake();
    });
  }
}
