// What the large answers of one connection have in memory: written to its socket, and not yet taken
// by the kernel. Streams that would add to too much of it wait here.

import type { Http2Stream } from "./http2-stream.ts";
import type { LargeAnswers } from "./large-answers.ts";
import type { OutputBuffer } from "./output-buffer.ts";

export class AnswerAccount {
  readonly #answers: LargeAnswers;
  readonly #output: OutputBuffer;
  readonly #unblock: (streams: readonly Http2Stream[]) => void;
  readonly #blocked: Http2Stream[] = [];
  /** Answers under way. */
  count = 0;
  #chargedBytes = 0;
  #isOver = false;

  constructor(
    answers: LargeAnswers,
    output: OutputBuffer,
    unblock: (streams: readonly Http2Stream[]) => void,
  ) {
    this.#answers = answers;
    this.#output = output;
    this.#unblock = unblock;
  }

  begin(stream: Http2Stream): void {
    this.#answers.begin(stream);
    if (this.count++ === 0) this.#output.onTaken = this.#onTaken;
  }

  end(stream: Http2Stream): void {
    this.#answers.end(stream);
    this.count--;
    this.settle();
  }

  /** True when the socket has too much; `unblock` comes when it has less. */
  isBlocked(stream: Http2Stream): boolean {
    if (this.#output.pendingBytes <= this.#answers.backlogBytes) return false;
    this.#blocked.push(stream);
    return true;
  }

  /** After every change of what is in the socket. */
  settle(): void {
    if (this.#isOver) return;
    const isConcerned = this.count > 0 || this.#chargedBytes > 0;
    const bytes = isConcerned ? this.#output.pendingBytes : 0;
    if (this.count === 0 && bytes === 0) this.#output.onTaken = null;
    const change = bytes - this.#chargedBytes;
    this.#chargedBytes = bytes;
    if (change !== 0) this.#answers.charge(change);
  }

  /** The connection is gone, and with it all that was in memory for it. */
  close(): void {
    this.#isOver = true;
    this.#answers.charge(-this.#chargedBytes);
    this.#chargedBytes = 0;
  }

  readonly #onTaken = (): void => {
    if (this.#isOver) return;
    this.settle();
    if (this.#blocked.length === 0) return;
    if (this.#output.pendingBytes <= this.#answers.backlogBytes) {
      this.#unblock(this.#blocked.splice(0));
    }
  };
}
