// The answer to a range of several keys. It is read in slices, with other requests served in
// between, and pinned to its revision meanwhile; the message is encoded when all is known.

import type { Member } from "../server/member.ts";
import { RangeCursor, RangeResult } from "../state/mvcc/range.ts";
import type { RangeView } from "../wire/kv-requests.ts";
import type { UnaryCall } from "../wire/rpc.ts";
import { sendRange } from "./send-range.ts";
import { isSlow, warnSlow } from "./slow-requests.ts";

/** Keys read in one go: about 2 ms from cold pages, and most ranges are smaller. */
const KEYS_PER_SLICE = 2000;

export class RangeAnswer {
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #result = new RangeResult();
  #cursor: RangeCursor | undefined;
  #beganMs = 0;
  #requestBytes = 0;

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
    this.#requestBytes = view.rangeEndEnd - view.keyStart;
    this.#beganMs = this.#member.clock.monotonicMs();
    this.#cursor = new RangeCursor(this.#member.mvcc, bytes, view, this.#result);
    this.#step();
  }

  readonly #step = (): void => {
    const cursor = this.#cursor!;
    if (this.#call.isCancelled) {
      cursor.close();
    } else if (cursor.step(KEYS_PER_SLICE)) {
      sendRange(this.#member, this.#call, this.#result);
      this.#observe();
    } else {
      this.#member.clock.endOfTurn(this.#step);
    }
  };

  #observe(): void {
    const member = this.#member;
    member.nowMs = member.clock.monotonicMs();
    member.metrics.rangeSeconds.observe((member.nowMs - this.#beganMs) / 1000);
    if (!isSlow(member, this.#beganMs)) return;
    const { kvs } = this.#result;
    let responseBytes = 0;
    for (let at = 0; at < kvs.count; at++) responseBytes += kvs.ends[at]! - kvs.starts[at]!;
    warnSlow(member, this.#call, {
      method: "/etcdserverpb.KV/Range",
      startedMs: this.#beganMs,
      requestBytes: this.#requestBytes,
      responseCount: kvs.count,
      responseBytes,
    });
  }
}
