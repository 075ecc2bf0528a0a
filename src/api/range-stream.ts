// KV.RangeStream (etcd 3.7): the answer of Range in pieces. All pieces have KeyValues; header,
// `more` and `count` come with the last. Merged they are the answer of Range. The client's reading
// speed limits how far reading runs ahead.

import type { Member } from "../server/member.ts";
import { RangeCursor, RangeResult } from "../state/mvcc/range.ts";
import { RangeView, readRange } from "../wire/kv-requests.ts";
import type { KeyValueColumns } from "../wire/kv-responses.ts";
import {
  type RangeStreamResponseInit,
  SortOrder,
  SortTarget,
  sizeRangeStreamResponse,
  writeRangeStreamResponse,
} from "../wire/messages/rpc-kv.ts";
import type { Method, StreamCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { checkRangeView } from "./kv-validate.ts";
import { type Encoder, sendOne } from "./send.ts";

const KEYS_PER_SLICE = 2000;
/** Between two looks at how many bytes there are. */
const KEYS_PER_STEP = 250;
/** A piece is not much larger; one KeyValue may be. */
const PIECE_BYTES = 512 * 1024;
const QUEUED_BYTES_MAX = 1024 * 1024;

const customSort = new RpcError(
  Code.Unimplemented,
  "RangeStream does not support custom sort orders",
);
const customFilter = new RpcError(
  Code.Unimplemented,
  "RangeStream does not support revision filters",
);
const encoder: Encoder<RangeStreamResponseInit> = {
  size: sizeRangeStreamResponse,
  write: writeRangeStreamResponse,
};

export function rangeStreamMethod(member: Member): Method {
  return {
    kind: "server-stream",
    handle: (call, bytes, start, end) => {
      const request = bytes.slice(start, end);
      const view = new RangeView();
      readRange(request, 0, request.length, view);
      const error = checkRangeView(view) ?? unsupported(view);
      if (error !== null) {
        call.fail(error);
        return { onCancel() {} };
      }
      if (view.revision > 0) member.care.readers.note(view.revision, member.clock.monotonicMs());
      const stream = new RangeStream(member, call, request, view);
      const waiter = { ready: stream.start, fail: (reason: RpcError) => call.fail(reason) };
      if (view.serializable || member.confirmRead(waiter)) stream.start();
      return { onCancel: stream.cancel };
    },
  };
}

function unsupported(view: RangeView): RpcError | null {
  const isKeyOrder = view.sortTarget === SortTarget.KEY && view.sortOrder !== SortOrder.DESCEND;
  if (view.sortOrder !== SortOrder.NONE && !isKeyOrder) return customSort;
  const bounds = [view.minModRevision, view.maxModRevision];
  bounds.push(view.minCreateRevision, view.maxCreateRevision);
  return bounds.some((bound) => bound !== 0) ? customFilter : null;
}

class RangeStream {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #request: Uint8Array;
  readonly #view: RangeView;
  readonly #result = new RangeResult();
  #cursor: RangeCursor | undefined;
  #isComplete = false;
  /** KeyValues that were sent. */
  #sent = 0;

  constructor(member: Member, call: StreamCall, request: Uint8Array, view: RangeView) {
    this.#member = member;
    this.#call = call;
    this.#request = request;
    this.#view = view;
  }

  readonly start = (): void => {
    const error = this.#member.mvcc.revisionError(this.#view.revision);
    if (error !== null) {
      this.#call.fail(error);
      return;
    }
    this.#cursor = new RangeCursor(this.#member.mvcc, this.#request, this.#view, this.#result);
    this.#pump();
  };

  readonly cancel = (): void => {
    this.#cursor?.close();
    this.#cursor = undefined;
  };

  readonly #pump = (): void => {
    const cursor = this.#cursor;
    if (cursor === undefined) return;
    if (this.#call.queuedBytes > QUEUED_BYTES_MAX) {
      this.#call.whenDrained(QUEUED_BYTES_MAX / 2, this.#pump);
      return;
    }
    const { kvs } = this.#result;
    if (this.#sent === kvs.count && !this.#isComplete) {
      kvs.clear();
      this.#sent = 0;
      this.#readSlice(cursor);
    }
    const isLast = this.#sendPiece();
    if (isLast) this.#call.end();
    else this.#member.clock.endOfTurn(this.#pump);
  };

  #readSlice(cursor: RangeCursor): void {
    const { kvs } = this.#result;
    let at = 0;
    let bytes = 0;
    for (let keys = 0; keys < KEYS_PER_SLICE && bytes < PIECE_BYTES; keys += KEYS_PER_STEP) {
      this.#isComplete = cursor.step(KEYS_PER_STEP);
      if (this.#isComplete) return;
      for (; at < kvs.count; at++) bytes += kvs.ends[at]! - kvs.starts[at]!;
    }
  }

  /** As much as fits into a piece of what was read; true when it was the last. */
  #sendPiece(): boolean {
    const { kvs, more, total, revision } = this.#result;
    const piece: Uint8Array[] = [];
    let size = 0;
    while (this.#sent < kvs.count && size < PIECE_BYTES) {
      const one = viewOf(kvs, this.#sent++);
      size += one.length;
      piece.push(one);
    }
    const isLast = this.#isComplete && this.#sent === kvs.count;
    if (isLast) {
      const header = this.#member.headerAt(revision);
      const rangeResponse = { header, kvs: piece, more, count: total };
      sendOne(this.#call, encoder, { rangeResponse });
    } else if (piece.length > 0) {
      sendOne(this.#call, encoder, { rangeResponse: { kvs: piece } });
    }
    return isLast;
  }
}

function viewOf(kvs: KeyValueColumns, at: number): Uint8Array {
  return kvs.buffers[at]!.subarray(kvs.starts[at], kvs.ends[at]);
}
