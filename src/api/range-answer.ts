// The answer to a range of several keys, pinned to its revision while it takes several turns. A
// small one is encoded in place. A large one in the order of keys leaves while it is read: see
// range-flow.ts. Any other is read in slices, of which each is encoded at once; a sort by value has
// to wait for all.

import type { Member } from "../server/member.ts";
import { RangeCursor, RangeResult } from "../state/mvcc/range.ts";
import { SizedRange } from "../state/mvcc/sized-range.ts";
import type { RangeView } from "../wire/kv-requests.ts";
import { SortTarget } from "../wire/messages/rpc-kv.ts";
import type { UnaryCall } from "../wire/rpc.ts";
import { RangeFlow } from "./range-flow.ts";
import { RangePieces } from "./range-pieces.ts";
import { sendRange } from "./send-range.ts";
import { isSlow, warnSlow } from "./slow-requests.ts";

/** Keys read in one go: about 2 ms from cold pages, and most ranges are smaller. */
const KEYS_PER_SLICE = 2000;
/** Values may be large: no more than this is read, copied and sent in one go. */
const BYTES_PER_SLICE = 2 << 20;
/** An answer not larger than this is made as a whole. */
const IN_PLACE_BYTES = 256 << 10;
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
    this.#requestBytes = view.rangeEndEnd - view.keyStart;
    this.#beganMs = this.#member.clock.monotonicMs();
    const error = this.#member.mvcc.revisionError(view.revision);
    if (error !== null) {
      this.#call.fail(error);
      this.#member.metrics.rangeFamily.with("false").observe(0);
      return;
    }
    if (this.#flows(bytes, view)) return;
    this.#isByValue = view.sortTarget === SortTarget.VALUE;
    this.#cursor = new RangeCursor(this.#member.mvcc, bytes, view, this.#result);
    this.#step();
  }

  /** True when the answer is large and leaves while it is read. */
  #flows(bytes: Uint8Array, view: RangeView): boolean {
    if (this.#call.sendFrom === undefined || !SizedRange.suits(view)) return false;
    const sized = new SizedRange(this.#member.mvcc, bytes, view, () => flow.revoke());
    const isMeasured = sized.measure(KEYS_PER_SLICE);
    if (isMeasured && sized.sizeBytes <= IN_PLACE_BYTES) {
      sized.close();
      return false;
    }
    const flow = new RangeFlow(this.#member, this.#call, sized, this.#beganMs, (answer) =>
      this.#observe(answer.keys, answer.bytes, answer.readMs),
    );
    if (isMeasured) flow.send();
    else this.#member.clock.endOfTurn(flow.start);
    return true;
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
    let sizeBytes: number;
    if (this.#pieces.isEmpty) sizeBytes = sendRange(member, this.#call, result);
    else {
      this.#pieces.send(member, this.#call, result);
      sizeBytes = this.#pieces.sizeBytes;
    }
    member.nowMs = member.clock.monotonicMs();
    this.#observe(count, sizeBytes, member.nowMs - this.#beganMs);
  }

  #observe(responseCount: number, responseBytes: number, readMs: number): void {
    const member = this.#member;
    member.metrics.rangeSeconds.observe(readMs / 1000);
    const startedMs = member.nowMs - readMs;
    if (!isSlow(member, startedMs)) return;
    warnSlow(member, this.#call, {
      method: "/etcdserverpb.KV/Range",
      startedMs,
      requestBytes: this.#requestBytes,
      responseCount,
      responseBytes,
    });
  }
}
