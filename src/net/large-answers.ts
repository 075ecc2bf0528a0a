// Answers too large to be made as a whole: each part is made when its connection can take it. All
// connections share one budget for what was made and the kernel has not taken, and one line:
// whoever has sent a part goes to its end, so that a hundred large answers grow at one pace.
//
//   window open, socket has room ──► line ──(a turn's worth, inside the budget)──► sender.feed ──┐
//        ▲                                                                                       │
//        └──────── window update, bytes taken by the kernel ◄────────────────────────────────────┘
//
// A client that does not read holds next to nothing: without a window nothing is made for it. After
// a minute its stream is reset, because the revision that it reads is kept for it.

import type { Clock } from "../io/io.ts";
import { ByteBudget } from "./byte-budget.ts";
import { ErrorCode } from "./frames.ts";
import type { Http2Stream } from "./http2-stream.ts";
import {
  LARGE_ANSWER_BACKLOG_BYTES,
  LARGE_ANSWER_PART_BYTES,
  LARGE_ANSWER_STALL_MS,
  LARGE_ANSWER_TURN_BYTES,
} from "./limits.ts";

/** The sending half of a connection, as far as large answers go. */
export interface AnswerFeeder {
  /** Sends a part of the stream's answer; returns its bytes, -1 when it could not go out. */
  feed(stream: Http2Stream, maxBytes: number): number;
}

interface Waiting {
  readonly feeder: AnswerFeeder;
  readonly stream: Http2Stream;
}

export class LargeAnswers {
  /** Made, and not yet taken by the kernel. */
  readonly budget: ByteBudget;
  /** The most that there ever was of it. */
  peakBytes = 0;
  readonly #clock: Clock;
  readonly #streams = new Set<Http2Stream>();
  #line: Waiting[] = [];
  #next = 0;
  #isArmed = false;

  constructor(clock: Clock, limitBytes: number) {
    this.#clock = clock;
    this.budget = new ByteBudget(limitBytes);
  }

  /** Answers under way. */
  get count(): number {
    return this.#streams.size;
  }

  /** Less is made ahead when the budget gets short. */
  get isShort(): boolean {
    return this.budget.usedBytes > this.budget.limitBytes / 2;
  }

  /** What a connection may have waiting in its socket and still get more. */
  get backlogBytes(): number {
    return this.isShort ? 0 : LARGE_ANSWER_BACKLOG_BYTES;
  }

  begin(stream: Http2Stream): void {
    this.#streams.add(stream);
    stream.sourceFedMs = this.#clock.monotonicMs();
  }

  end(stream: Http2Stream): void {
    this.#streams.delete(stream);
  }

  /** The stream could take a part now. */
  want(feeder: AnswerFeeder, stream: Http2Stream): void {
    this.#line.push({ feeder, stream });
    this.#arm();
  }

  /** A connection has so much more, or less, in memory. */
  charge(bytes: number): void {
    const { budget } = this;
    if (bytes > 0) budget.take(bytes);
    else budget.release(-bytes);
    if (budget.usedBytes > this.peakBytes) this.peakBytes = budget.usedBytes;
    if (bytes < 0) this.#arm();
  }

  /** About once a second. */
  sweep(nowMs: number): void {
    for (const stream of this.#streams) {
      if (nowMs - stream.sourceFedMs < LARGE_ANSWER_STALL_MS) continue;
      stream.reset(ErrorCode.Cancel);
    }
  }

  #arm(): void {
    if (this.#isArmed || this.#next === this.#line.length) return;
    this.#isArmed = true;
    this.#clock.endOfTurn(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isArmed = false;
    let left = LARGE_ANSWER_TURN_BYTES;
    while (left > 0 && this.#next < this.#line.length) {
      const partBytes = this.isShort ? LARGE_ANSWER_PART_BYTES / 4 : LARGE_ANSWER_PART_BYTES;
      // Until a connection has less: `charge`.
      if (!this.budget.hasRoom(partBytes)) return;
      const { feeder, stream } = this.#line[this.#next++]!;
      if (this.#next === this.#line.length) {
        this.#line = [];
        this.#next = 0;
      }
      const bytes = feeder.feed(stream, partBytes);
      if (bytes < 0) continue;
      stream.sourceFedMs = this.#clock.monotonicMs();
      left -= Math.max(bytes, LARGE_ANSWER_PART_BYTES / 4);
    }
    this.#arm();
  };
}
