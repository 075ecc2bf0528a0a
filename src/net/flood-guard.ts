// Counts what a peer can make us do without being served for it. Honest clients send PINGs and
// WINDOW_UPDATEs by the thousand (grpc-go measures the link with one of each per answer), so a
// plain rate limit would hit them: every answer sent clears the count of control frames, and
// every call that ends well pays for one reset.

import { CONTROL_FRAMES_PER_SECOND_MAX, RESETS_PER_SECOND_MAX } from "./limits.ts";

export class FloodGuard {
  #controlFrames = 0;
  #answersAtLastFrame = 0;
  #resets = 0;
  #answersAtSecond = 0;

  /** One more frame that costs the peer nothing. Returns false when it is one too many. */
  onControlFrame(answerCount: number): boolean {
    if (answerCount !== this.#answersAtLastFrame) {
      this.#answersAtLastFrame = answerCount;
      this.#controlFrames = 0;
    }
    return ++this.#controlFrames <= CONTROL_FRAMES_PER_SECOND_MAX;
  }

  /** One more stream that ended by the peer's fault or wish. */
  onReset(answerCount: number): boolean {
    this.#resets++;
    return this.#resets - (answerCount - this.#answersAtSecond) <= RESETS_PER_SECOND_MAX;
  }

  onSecond(answerCount: number): void {
    this.#controlFrames = 0;
    this.#resets = 0;
    this.#answersAtSecond = answerCount;
  }
}
