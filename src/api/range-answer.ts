// The answer to a range of several keys. It is read in slices, with other requests served in
// between, and pinned to its revision meanwhile. One slice is most often enough and is encoded in
// place; of a larger range each slice is encoded at once. A sort by value has to wait for all.

import type { Member } from "../server/member.ts";
import { RangeCursor, RangeResult } from "../state/mvcc/range.ts";
import type { RangeView } from "../wire/kv-requests.ts";
import { SortTarget } from "../wire/messages/rpc-kv.ts";
import type { UnaryCall } from "../wire/rpc.ts";
import { RangePieces } from "./range-pieces.ts";
import { sendRange } from "./send-range.ts";
import { isSlow, warnSlow } from "./slow-requests.ts";

/** Keys read in one go: about 2 ms from cold pages, and most ranges are smaller. */
const KEYS_PER_SLICE = 2000;
/** Values may be large: no more than this is read, copied and sent in one go. */
const BYTES_PER_SLICE = 2 << 20;
/** Between two looks at how many bytes there are. */
const KEYS_PER_STEP = 250;

export class RangeAnswer {
  readonly #member: Member;
  readonly #call: UnaryCall;
  readonly #result = new RangeResult();
  readonly #pieces = new RangePieces();
  #isByValue = false;
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
      this.#member.metrics.rangeFamily.with("false").observe(0);
      return;
    }
    this.#isByValue = view.sortTarget === SortTarget.VALUE;
    this.#requestBytes = view.rangeEndEnd - view.keyStart;
    this.#beganMs = this.#member.clock.monotonicMs();
    this.#cursor = new RangeCursor(this.#member.mvcc, bytes, view, this.#result);
    this.#step();
  }

  readonly #step = (): void => {
    const cursor = this.#cursor!;
    if (this.#call.isCancelled) {
      cursor.close();
      return;
    }
    if (this.#readSlice(cursor)) {
      this.#send();
      return;
    }
    if (!this.#isByValue) this.#pieces.take(this.#result);
    this.#member.clock.endOfTurn(this.#step);
  };

  /** True when all is read. */
  #readSlice(cursor: RangeCursor): boolean {
    const { kvs } = this.#result;
    let at = kvs.count;
    let bytes = 0;
    for (let keys = 0; keys < KEYS_PER_SLICE; keys += KEYS_PER_STEP) {
      if (cursor.step(KEYS_PER_STEP)) return true;
      for (; at < kvs.count; at++) bytes += kvs.ends[at]! - kvs.starts[at]!;
      if (bytes >= BYTES_PER_SLICE) break;
    }
    return false;
  }

  #send(): void {
    const member = this.#member;
    const result = this.#result;
    const count = this.#pieces.keyCount + result.kvs.count;
    if (this.#pieces.isEmpty) {
      this.#observe(count, sendRange(member, this.#call, result));
      return;
    }
    this.#pieces.send(member, this.#call, result);
    this.#observe(count, this.#pieces.sizeBytes);
  }

  #observe(responseCount: number, responseBytes: number): void {
    const member = this.#member;
    member.nowMs = member.clock.monotonicMs();
    member.metrics.rangeSeconds.observe((member.nowMs - this.#beganMs) / 1000);
    if (!isSlow(member, this.#beganMs)) return;
    warnSlow(member, this.#call, {
      method: "/etcdserverpb.KV/Range",
      startedMs: this.#beganMs,
      requestBytes: this.#requestBytes,
      responseCount,
      responseBytes,
    });
  }
}
