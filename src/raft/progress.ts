// What a leader knows of one member, and how fast it may send to it.
//
//                  became leader
//                        │          acknowledged
//                        ▼      ┌──────────────────►┌───────────┐
//   snapshot arrived ┌───────┐  │                   │ Replicate │ many messages under way,
//   or failed ┌─────►│ Probe │──┘   rejected, or    │           │ `next` runs ahead
//             │      │       │◄─────unreachable─────└───────────┘
//             │      └───────┘                            │
//             │          │ one message, then wait         │
//             │          │ for an answer or a heartbeat   │
//             │          ▼ what is needed was compacted   ▼
//         ┌────────────────────────────────────────────────┐
//         │ Snapshot: nothing is sent                      │
//         └────────────────────────────────────────────────┘
//           leaves also when an acknowledgement shows that the log of the leader reaches it
//
// `match` is known to be on the member; `next` is what is sent next; match < next always.

import { assert } from "../base/assert.ts";
import type { Inflights } from "./inflights.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  readonly id: bigint;
  readonly inflights: Inflights;
  match = 0;
  next: number;
  state: ProgressState = "probe";
  /** Index of the snapshot that is under way; 0 when none is. */
  pendingSnapshot = 0;
  /** Heard of since the last check of the quorum. */
  recentActive = false;
  /** Probe: a message with entries is unanswered. Replicate: the window is full. */
  paused = false;
  /** The highest commit index that was sent; lower again if that may have been lost. */
  sentCommit = 0;
  /** Somebody at the member waits for entries up to here to be committed. */
  awaited = 0;
  isLearner: boolean;

  constructor(id: bigint, next: number, inflights: Inflights, isLearner: boolean) {
    this.id = id;
    this.next = next;
    this.inflights = inflights;
    this.isLearner = isLearner;
  }

  /** A new term: nothing is known. */
  reset(next: number, match: number): void {
    this.match = match;
    this.next = next;
    this.recentActive = false;
    this.sentCommit = 0;
    this.awaited = 0;
    this.#enter("probe");
  }

  becomeProbe(): void {
    // What is known after a snapshot: it arrived, so all up to it need not be sent.
    this.next = Math.max(this.match, this.state === "snapshot" ? this.pendingSnapshot : 0) + 1;
    this.#enter("probe");
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#enter("replicate");
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.pendingSnapshot = 0;
    this.inflights.clear();
  }

  isPaused(): boolean {
    return this.state === "snapshot" || this.paused;
  }

  /** The member would learn of a commit index that no message has told it yet. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Somebody there waits for just that. */
  get isAwaiting(): boolean {
    return this.awaited > this.sentCommit;
  }

  tellSoon(index: number): void {
    if (index > this.awaited) this.awaited = index;
  }

  /** A MsgApp with `count` entries has been queued. */
  sent(count: number, bytes: number, commit: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // With a full window an empty message is a probe: one, then wait.
      this.paused = this.inflights.isFull();
    } else {
      assert(this.state === "probe", "nothing is sent while a snapshot is under way");
      if (count > 0) this.paused = true;
    }
    this.sentCommit = commit;
  }

  /** The member has everything up to `index`. False if that was known. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The member refused what follows `rejected`; the logs may agree at `hint`. False if the
   * message that was refused is older than what is known.
   */
  retreat(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (rejected !== this.next - 1) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }
}
