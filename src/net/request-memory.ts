// Memory for request messages that have arrived in part. Small ones (up to a stream's window) are
// stored as they come. For a large one the peer needs more window than it has, and gets it only
// when there is memory for the whole message: further ones wait in line. So 1,000 puts of 1 MiB
// on one connection take turns instead of 1 GiB, and none can block another half-way.
//
// A message that stops growing is given up, or its memory (and its place) would be lost for good.

import { ByteBudget } from "./byte-budget.ts";
import { REQUEST_BYTES_MAX, REQUEST_BYTES_SOFT_MAX, REQUEST_STALL_MS } from "./limits.ts";

export interface PartialMessage {
  /** Bytes of memory it has; 0 before `take`. */
  readonly heldBytes: number;
  /** Bytes that the whole message needs. */
  readonly wantedBytes: number;
  /** Bytes received so far. */
  readonly receivedBytes: number;
  /** It has `wantedBytes` now. */
  onAdmitted(): void;
  onStalled(): void;
}

interface Progress {
  receivedBytes: number;
  sinceMs: number;
}

export class RequestMemory {
  readonly #budget: ByteBudget;
  /** Every partial message, in order of arrival. */
  readonly #partial = new Map<PartialMessage, Progress>();
  readonly #waiting = new Set<PartialMessage>();

  constructor(total: ByteBudget) {
    this.#budget = new ByteBudget(REQUEST_BYTES_MAX, total);
  }

  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Memory for the first part of a message. Returns false when there is no room. */
  take(message: PartialMessage, bytes: number, nowMs: number): boolean {
    if (!this.#budget.hasRoom(bytes)) return false;
    this.#budget.take(bytes);
    this.#partial.set(message, { receivedBytes: 0, sinceMs: nowMs });
    return true;
  }

  /** Asks for `wantedBytes` in place of `heldBytes`: `onAdmitted`, now or later. */
  grow(message: PartialMessage): void {
    this.#waiting.add(message);
    this.#admit();
  }

  /** The message is complete or given up. */
  release(message: PartialMessage): void {
    if (!this.#partial.delete(message)) return;
    this.#budget.release(message.heldBytes);
    this.#waiting.delete(message);
    this.#admit();
  }

  /** Called about once a second. */
  sweep(nowMs: number): void {
    for (const [message, progress] of this.#partial) {
      if (message.receivedBytes !== progress.receivedBytes || this.#waiting.has(message)) {
        progress.receivedBytes = message.receivedBytes;
        progress.sinceMs = nowMs;
      } else if (nowMs - progress.sinceMs >= REQUEST_STALL_MS) {
        message.onStalled();
      }
    }
  }

  #admit(): void {
    for (const message of this.#waiting) {
      const bytes = message.wantedBytes - message.heldBytes;
      const fits = this.#budget.usedBytes + bytes <= REQUEST_BYTES_SOFT_MAX;
      if (!fits || !this.#budget.hasRoom(bytes)) return;
      this.#budget.take(bytes);
      this.#waiting.delete(message);
      message.onAdmitted();
    }
  }
}
