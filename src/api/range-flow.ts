// A large range that leaves while it is read: first the index says how many bytes it has, then its
// KeyValues are made part by part, as the client takes them. Nothing of it waits in memory.
//
//   head: header │ part │ part │ … │ tail: more, count

import type { Member } from "../server/member.ts";
import type { SizedRange } from "../state/mvcc/sized-range.ts";
import { sizeRangeEnd, writeRangeEnd } from "../wire/kv-responses.ts";
import type { AnswerSource, UnaryCall } from "../wire/rpc.ts";

/** Keys measured in one go: about half a millisecond. */
const KEYS_PER_STEP = 4096;

export interface FlowEnd {
  /** All was read; `readMs` is the time that it took, without waiting for the client. */
  readonly done: (answer: { keys: number; bytes: number; readMs: number }) => void;
}

export class RangeFlow implements AnswerSource {
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #range: SizedRange;
  readonly #done: FlowEnd["done"];
  #abandon: (() => void) | undefined;
  #head: Uint8Array | undefined;
  #sizeBytes = 0;
  #readMs: number;

  constructor(
    member: Member,
    call: UnaryCall,
    range: SizedRange,
    beganMs: number,
    done: FlowEnd["done"],
  ) {
    this.#member = member;
    this.#call = call;
    this.#range = range;
    this.#done = done;
    this.#readMs = member.clock.monotonicMs() - beganMs;
  }

  /** Measures on, if need be, and then sends. */
  readonly start = (): void => {
    if (this.#call.isCancelled) {
      this.close();
      return;
    }
    const beganMs = this.#member.clock.monotonicMs();
    const isMeasured = this.#range.measure(KEYS_PER_STEP);
    this.#readMs += this.#member.clock.monotonicMs() - beganMs;
    if (isMeasured) this.send();
    else this.#member.clock.endOfTurn(this.start);
  };

  send(): void {
    const { header, term } = this.#member;
    const { sizeBytes, headerRevision, more, total } = this.#range;
    const head = new Uint8Array(header.size(headerRevision, term));
    header.write(head, 0, headerRevision, term);
    this.#head = head;
    this.#sizeBytes = head.length + sizeBytes + sizeRangeEnd(more, total);
    this.#abandon = this.#call.sendFrom!(this.#sizeBytes, this).abandon;
  }

  /** The records go away: another database takes their place. */
  revoke(): void {
    this.close();
    this.#abandon?.();
  }

  next(maxBytes: number): Uint8Array {
    const head = this.#head;
    if (head !== undefined) {
      this.#head = undefined;
      return head;
    }
    const range = this.#range;
    if (range.isSent) return this.#tail();
    const beganMs = this.#member.clock.monotonicMs();
    const part = range.next(maxBytes);
    const nowMs = this.#member.clock.monotonicMs();
    this.#readMs += nowMs - beganMs;
    if (range.isSent) {
      this.#member.nowMs = nowMs;
      this.#done({ keys: range.keyCount, bytes: this.#sizeBytes, readMs: this.#readMs });
    }
    return part;
  }

  close(): void {
    this.#range.close();
  }

  #tail(): Uint8Array {
    const { more, total } = this.#range;
    const tail = new Uint8Array(sizeRangeEnd(more, total));
    writeRangeEnd(tail, 0, more, total);
    return tail;
  }
}
