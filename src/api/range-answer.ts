// The answer to a range of several keys. It is read in slices, with other requests served in
// between, and pinned to its revision meanwhile; the message is encoded when all is known.

import type { Member } from "../server/member.ts";
import { RangeCursor, RangeResult } from "../state/mvcc/range.ts";
import type { RangeView } from "../wire/kv-requests.ts";
import type { UnaryCall } from "../wire/rpc.ts";
import { sendRange } from "./kv.ts";

/** Keys read in one go: about 2 ms from cold pages, and most ranges are smaller. */
const KEYS_PER_SLICE = 2000;

export class RangeAnswer {
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #result = new RangeResult();
  #cursor: RangeCursor | undefined;

  constructor(member: Member, call: UnaryCall) {
    this.#member = member;
    this.#call = call;
  }

  /** `view` has offsets into `bytes`; both are used only until this returns. */
  start(bytes: Uint8Array, view: RangeView): void {
    const error = this.#member.mvcc.revisionError(view.revision);
    if (error !== null) {
      this.#call.fail(error);
      return;
    }
    this.#cursor = new RangeCursor(this.#member.mvcc, bytes, view, this.#result);
    this.#step();
  }

  readonly #step = (): void => {
    const cursor = this.#cursor!;
    if (this.#call.isCancelled) {
      cursor.close();
    } else if (cursor.step(KEYS_PER_SLICE)) {
      sendRange(this.#member, this.#call, this.#result);
    } else {
      this.#member.clock.endOfTurn(this.#step);
    }
  };
}
