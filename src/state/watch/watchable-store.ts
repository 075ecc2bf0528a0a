// Watchers over the store. The log of events is the store itself: its records are immutable, and a
// watcher is a position in them. Those in step are given each change as it is applied; those that
// are behind, because they ask for the past or their client does not read, go on from history.
//
//               create(now)                         end of a batch: flush()
//   client ──────────────────► synced ◄── onChanges ── state.apply
//     │  create(past)            │  ▲
//     ├──────────► lagging ◄─────┘  │   its stream is over its budget
//     │              └── step() ────┘   slices of history, in rounds
//     └──────────► future ───────► synced            when its revision is next
//       create(later)
//
// Whoever is synced has been given everything up to the current revision when a flush is over;
// nothing here waits, and what the streams hold is bounded, so apply is never held up.

import { assert } from "../../base/assert.ts";
import { Heap } from "../../base/heap.ts";
import type { HeaderTemplate } from "../../wire/kv-responses.ts";
import type { Changes } from "../mvcc/changes.ts";
import type { Mvcc } from "../mvcc/mvcc.ts";
import { CatchUp } from "./catch-up.ts";
import { EventSender } from "./event-sender.ts";
import { FanOut } from "./fan-out.ts";
import { type Listener, Listeners } from "./listeners.ts";
import { defaultWatchLimits, streamBudgetBytes, type WatchLimits } from "./watch-limits.ts";
import { drainedBytes, type WatchSink, WatchStream } from "./watch-stream.ts";
import { Watcher, type WatcherOptions } from "./watcher.ts";

/** Watchers of the future that are gone may wait for so many others before they are dropped. */
const FUTURE_GONE_MAX = 1000;

export interface WatchableStoreParts {
  readonly mvcc: Mvcc;
  readonly header: HeaderTemplate;
  readonly term: () => number;
  /** Larger responses are cut for watchers that allow it. */
  readonly fragmentBytes: number;
  /** There is something for `step` to do. */
  readonly onLagging: () => void;
}

export class WatchableStore {
  readonly streams: Set<WatchStream> = new Set();
  readonly limits: WatchLimits;
  readonly #parts: WatchableStoreParts;
  readonly #mvcc: Mvcc;
  readonly #sender: EventSender;
  readonly #fanOut: FanOut;
  readonly #catchUp: CatchUp;
  readonly #listeners = new Listeners();
  readonly #future = new Heap<Watcher>((a, b) => a.nextRevision < b.nextRevision);
  /** Watchers whose stream was closed while events were handed out. */
  #leaving: Watcher[] = [];
  #isDelivering = false;
  #watcherCount = 0;
  #futureGone = 0;

  constructor(parts: WatchableStoreParts) {
    this.#parts = parts;
    this.#mvcc = parts.mvcc;
    this.limits = defaultWatchLimits(parts.fragmentBytes);
    this.#sender = new EventSender({ ...parts, limits: this.limits });
    this.#fanOut = new FanOut(parts.mvcc, this.limits);
    this.#catchUp = new CatchUp({
      mvcc: parts.mvcc,
      sender: this.#sender,
      limits: this.limits,
      hooks: {
        canTake: (watcher) => watcher.state === "lagging" && this.#canTake(watcher.stream),
        caughtUp: (watcher) => this.#endLag(watcher, "synced"),
        compacted: (watcher) => this.#cancelCompacted(watcher),
      },
    });
  }

  get revision(): number {
    return this.#mvcc.currentRevision;
  }

  get watcherCount(): number {
    return this.#watcherCount;
  }

  get eventsSent(): number {
    return this.#sender.eventsSent;
  }

  get responsesSent(): number {
    return this.#sender.responsesSent;
  }

  /** Some watchers are behind, and their streams can take something. */
  get hasWork(): boolean {
    return this.#catchUp.ready.size > 0;
  }

  /** `onCompacted`: a watcher is no more, because its next revision was compacted. */
  openStream(sink: WatchSink, onCompacted: WatchStream["onCompacted"]): WatchStream {
    const stream = new WatchStream(sink, onCompacted);
    this.streams.add(stream);
    return stream;
  }

  /** The client has gone: all its watchers are forgotten. */
  closeStream(stream: WatchStream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.streams.delete(stream);
    this.#catchUp.ready.delete(stream);
    for (const watcher of stream.watchers.values()) this.#leave(watcher);
    stream.watchers.clear();
  }

  /** The id of the options, if it is not 0, must be free. */
  create(stream: WatchStream, options: WatcherOptions): Watcher {
    // Events that are under way are older than what the new watcher may see.
    this.flush();
    const { startRevision } = options;
    const id = options.id === 0 ? stream.takeId() : options.id;
    assert(!stream.watchers.has(id), "two watchers of a stream have two ids");
    const watcher = new Watcher(stream, id, options);
    stream.watchers.set(id, watcher);
    this.#watcherCount++;
    this.#enter(watcher, startRevision === 0 ? this.revision + 1 : startRevision);
    return watcher;
  }

  /** False when there is no such watcher. */
  cancel(stream: WatchStream, id: number): boolean {
    this.flush();
    const watcher = stream.watchers.get(id);
    if (watcher === undefined) return false;
    stream.watchers.delete(id);
    this.#leave(watcher);
    return true;
  }

  /**
   * Has the watcher been given everything, and would its stream take more? Not before its
   * beginning: who goes on behind the revision that it is told would see what it did not ask for.
   */
  isInStep(watcher: Watcher): boolean {
    if (watcher.state !== "synced" || this.revision < watcher.startRevision) return false;
    return this.#canTake(watcher.stream);
  }

  /** The same for all watchers of a stream, of which there is one at least. */
  isStreamInStep(stream: WatchStream): boolean {
    if (stream.watchers.size === 0) return false;
    for (const watcher of stream.watchers.values()) if (!this.isInStep(watcher)) return false;
    return true;
  }

  /** Calls the listener for each event in [from, to) that is flushed from now on. */
  listen(from: string, to: string | undefined, listener: Listener): () => void {
    this.flush();
    return this.#listeners.add(from, to, listener);
  }

  /** The hook of the store: what a transaction changed, before its revision is current. */
  onChanges(changes: Changes): void {
    const hasListeners = !this.#listeners.isEmpty;
    if (this.#fanOut.index.count === 0 && !hasListeners) return;
    const { index } = this.#mvcc;
    const { revision, count, slots, buffers, starts, ends, tombstones } = changes;
    for (let i = 0; i < count; i++) {
      const key = index.keyOf(slots[i]!);
      const bytes = buffers[i]!;
      const start = starts[i]!;
      const end = ends[i]!;
      const tombstone = tombstones[i]!;
      this.#fanOut.offer(revision, key, tombstone, bytes, start, end, null);
      if (hasListeners) {
        this.#listeners.offer({ key, revision, tombstone, bytes, start, end });
      }
    }
  }

  /** Events that the next flush hands out. */
  get gatheredCount(): number {
    return this.#fanOut.count;
  }

  /** Something has gathered, and more may be added before it has to be handed out. */
  get canHold(): boolean {
    return !this.#fanOut.isEmpty && !this.#fanOut.isFull;
  }

  /** After a batch of entries, instead of `flush`: what watchers are to get waits for more. */
  hold(): void {
    this.#listeners.tell();
  }

  /** Hands out what has gathered. Called after each batch of entries. */
  flush(): void {
    if (!this.#fanOut.isEmpty) {
      this.#isDelivering = true;
      this.#fanOut.deliver(this.#sender, this, 0);
      this.#endDelivery();
    }
    this.#admitFuture();
    this.#listeners.tell();
  }

  /**
   * The store has been replaced by one that is ahead, to which it was flushed at `before`: those in
   * step read what they have missed from history.
   */
  replaced(before: number): void {
    if (this.revision > before) {
      for (const stream of this.streams) {
        for (const watcher of stream.watchers.values()) {
          if (watcher.state !== "synced") continue;
          this.#fanOut.index.remove(watcher);
          this.#beginLag(watcher, before + 1);
        }
      }
    }
    this.#admitFuture();
    this.#listeners.tellAll();
  }

  /** A slice for those behind. */
  step(): void {
    this.flush();
    this.#isDelivering = true;
    this.#catchUp.step();
    this.#endDelivery();
  }

  /** For `deliver`: a watcher whose stream is full is in step no longer. */
  admit(watcher: Watcher, revision: number): boolean {
    if (watcher.state === "synced" && this.#canTake(watcher.stream)) return true;
    this.#fanOut.index.remove(watcher);
    if (watcher.state === "synced") this.#beginLag(watcher, revision);
    return false;
  }

  /** How far those behind are behind: watchers, revisions of all together, and of the last. */
  lag(): { watchers: number; revisions: number; revisionsMax: number; queuedBytes: number } {
    const lag = { watchers: 0, revisions: 0, revisionsMax: 0, queuedBytes: 0 };
    for (const stream of this.streams) {
      lag.queuedBytes += stream.sink.queuedBytes;
      if (stream.laggingCount === 0) continue;
      lag.watchers += stream.laggingCount;
      for (const watcher of stream.watchers.values()) {
        if (watcher.state !== "lagging") continue;
        const behind = this.revision + 1 - watcher.nextRevision;
        lag.revisions += behind;
        lag.revisionsMax = Math.max(lag.revisionsMax, behind);
      }
    }
    return lag;
  }

  /** The oldest revision that a watcher was not given, Infinity when all are in step. */
  oldestNeeded(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const stream of this.streams) {
      if (stream.laggingCount === 0) continue;
      for (const { state, nextRevision } of stream.watchers.values()) {
        if (state === "lagging") oldest = Math.min(oldest, nextRevision);
      }
    }
    return oldest;
  }

  #enter(watcher: Watcher, nextRevision: number): void {
    if (nextRevision === this.revision + 1) {
      watcher.state = "synced";
      this.#fanOut.index.add(watcher, 0);
    } else if (nextRevision > this.revision) {
      watcher.state = "future";
      watcher.nextRevision = nextRevision;
      this.#future.push(watcher);
    } else {
      this.#beginLag(watcher, nextRevision);
    }
  }

  #admitFuture(): void {
    for (;;) {
      const watcher = this.#future.peek();
      if (watcher === undefined) return;
      const isDue = watcher.nextRevision <= this.revision + 1;
      if (!isDue && watcher.state === "future") return;
      this.#future.pop();
      if (watcher.state === "future") this.#enter(watcher, watcher.nextRevision);
      else this.#futureGone--;
    }
  }

  #leave(watcher: Watcher): void {
    const { state } = watcher;
    if (state === "lagging") this.#endLag(watcher, "gone");
    watcher.state = "gone";
    this.#watcherCount--;
    if (state === "future") this.#forgetFuture();
    if (state !== "synced") return;
    // While events are handed out the members of a group must stay where they are.
    if (this.#isDelivering) this.#leaving.push(watcher);
    else this.#fanOut.index.remove(watcher);
  }

  /** Those gone stay in the heap until they are due, or too many. */
  #forgetFuture(): void {
    const isMany = ++this.#futureGone > FUTURE_GONE_MAX;
    if (!isMany || this.#futureGone < this.#future.size / 2) return;
    this.#future.retain((watcher) => watcher.state === "future");
    this.#futureGone = 0;
  }

  #endDelivery(): void {
    this.#isDelivering = false;
    if (this.#leaving.length === 0) return;
    for (const watcher of this.#leaving) {
      if (watcher.group !== null) this.#fanOut.index.remove(watcher);
    }
    this.#leaving = [];
  }

  #beginLag(watcher: Watcher, nextRevision: number): void {
    const { stream } = watcher;
    assert(nextRevision <= this.revision, "who lags has something to read");
    watcher.state = "lagging";
    watcher.nextRevision = nextRevision;
    stream.laggingCount++;
    if (this.#canTake(stream)) this.#makeReady(stream);
  }

  #endLag(watcher: Watcher, state: "synced" | "gone"): void {
    const { stream } = watcher;
    assert(watcher.state === "lagging", "only who lags can catch up");
    watcher.state = state;
    if (--stream.laggingCount === 0) this.#catchUp.ready.delete(stream);
    if (state === "synced") this.#fanOut.index.add(watcher, 0);
  }

  #cancelCompacted(watcher: Watcher): void {
    const { stream, id } = watcher;
    stream.watchers.delete(id);
    this.#leave(watcher);
    stream.onCompacted(id, this.#mvcc.compactRevision);
  }

  #makeReady(stream: WatchStream): void {
    this.#catchUp.ready.add(stream);
    this.#parts.onLagging();
  }

  /** False when too much is queued; its watchers are ready again when most of it was taken. */
  #canTake(stream: WatchStream): boolean {
    if (stream.isClosed || stream.isBlocked) return false;
    const budgetBytes = streamBudgetBytes(this.limits, this.streams.size);
    if (stream.sink.queuedBytes <= budgetBytes) return true;
    stream.isBlocked = true;
    this.#catchUp.ready.delete(stream);
    stream.sink.whenDrained(drainedBytes(budgetBytes), () => {
      stream.isBlocked = false;
      if (!stream.isClosed && stream.laggingCount > 0) this.#makeReady(stream);
    });
    return false;
  }
}
