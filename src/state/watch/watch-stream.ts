// The watchers of one stream of a client, and how much the stream may hold back.
//
//   open ── more queued than the budget ──► blocked: its watchers lag, nothing more is handed over
//     ▲                                        │
//     └──── most of it was taken ──────────────┘   they read from history what they missed

import type { StreamCall } from "../../wire/rpc.ts";
import type { Watcher } from "./watcher.ts";

/** What watchers write to: the part of a call that they need. */
export type WatchSink = Pick<
  StreamCall,
  "buffer" | "reserve" | "sendMessage" | "queuedBytes" | "whenDrained"
>;

export class WatchStream {
  readonly sink: WatchSink;
  readonly onCompacted: (id: number, compactRevision: number) => void;
  readonly watchers: Map<number, Watcher> = new Map();
  isBlocked = false;
  isClosed = false;
  laggingCount = 0;
  #nextId = 0;

  constructor(sink: WatchSink, onCompacted: WatchStream["onCompacted"]) {
    this.sink = sink;
    this.onCompacted = onCompacted;
  }

  /** The next id that is free, from 0 on. */
  takeId(): number {
    while (this.watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }
}

/** Blocked streams go on when no more than this part of their budget is left. */
const DRAINED_PART = 0.25;

export function drainedBytes(budgetBytes: number): number {
  return Math.floor(budgetBytes * DRAINED_PART);
}
