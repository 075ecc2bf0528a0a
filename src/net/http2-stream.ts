// One HTTP/2 stream: both windows, who has ended, and what is held back. The layer above sees it
// through the methods here and hears from it through its `StreamSink`.
//
//            HEADERS                  END_STREAM received          END_STREAM sent
//   (idle) ───────────► open ──────────► remoteEnded ─────────────────► closed
//                         └──── END_STREAM sent, then RST_STREAM(NO_ERROR) ───▲
//                         └──── RST_STREAM, deadline, connection lost ────────▲

import type { AnswerSource, Origin } from "../wire/rpc.ts";
import { type ErrorCode, WINDOW_BYTES_DEFAULT } from "./frames.ts";
import type { Http2Sender } from "./http2-sender.ts";
import type { RequestMemory } from "./request-memory.ts";

/** The layer above. Bytes are views, valid during the call only. */
export interface StreamSink {
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** The client will send no more. */
  onEnd(): void;
  /** `deadlineMs` has passed. */
  onDeadline(): void;
  /** The stream is over, well or badly: nothing can be sent any more. */
  onClosed(): void;
}

/** What a stream needs from its connection on the receiving side. */
export interface StreamOwner {
  readonly remoteAddress: string;
  readonly origin: Origin;
  readonly isSecure: boolean;
  readonly requestMemory: RequestMemory;
  /** Gives the peer `bytes` more of the stream's window. */
  extendWindow(stream: Http2Stream, bytes: number): void;
  resetStream(stream: Http2Stream, code: ErrorCode): void;
  setDeadline(stream: Http2Stream, deadlineMs: number): void;
  nowMs(): number;
}

export type Fields = readonly (readonly [string, string])[];

/** The last thing that a stream says, after all its queued data. */
export type Ending =
  | { readonly kind: "grpc-ok" }
  | { readonly kind: "empty-data" }
  | { readonly kind: "fields"; readonly fields: Fields };

export const grpcOk: Ending = { kind: "grpc-ok" };
export const emptyData: Ending = { kind: "empty-data" };

/** Data that waits for a window or for the socket. */
export interface QueuedData {
  readonly bytes: Uint8Array;
  offset: number;
  next: QueuedData | null;
}

/** For a stream that has been answered already. */
export const nothingMore: StreamSink = { onData() {}, onEnd() {}, onDeadline() {}, onClosed() {} };

export class Http2Stream {
  readonly id: number;
  readonly owner: StreamOwner;
  readonly sender: Http2Sender;
  sink: StreamSink = nothingMore;
  isClosed = false;
  remoteEnded = false;

  // Receiving (kept by Http2Connection).
  receiveWindowBytes: number = WINDOW_BYTES_DEFAULT;
  /** Of the "content-length" field less what has come, or -1 when there is none. */
  announcedBytes = -1;
  deadlineMs: number = Number.POSITIVE_INFINITY;

  // Sending (kept by Http2Sender).
  sendWindowBytes: number;
  headSent = false;
  queueFirst: QueuedData | null = null;
  queueLast: QueuedData | null = null;
  queuedBytes = 0;
  ending: Ending | null = null;
  isSendable = false;
  nextSendable: Http2Stream | null = null;
  /** Makes the rest of the answer, `sourceLeftBytes`, as it is sent; see large-answers.ts. */
  source: AnswerSource | null = null;
  sourceLeftBytes = 0;
  /** When it last gave a part. */
  sourceFedMs = 0;
  drainedBelowBytes = 0;
  drainedTask: (() => void) | null = null;

  constructor(id: number, owner: StreamOwner, sender: Http2Sender) {
    this.id = id;
    this.owner = owner;
    this.sender = sender;
    this.sendWindowBytes = sender.peerWindowBytes;
  }

  /** Called when the sink holds no partial message: the peer may fill the window again. */
  topUpWindow(): void {
    const missing = WINDOW_BYTES_DEFAULT - this.receiveWindowBytes;
    if (missing * 2 < WINDOW_BYTES_DEFAULT || this.remoteEnded || this.isClosed) return;
    this.owner.extendWindow(this, missing);
  }

  /** Lets the peer send at least `bytes` more. */
  ensureWindow(bytes: number): void {
    const missing = bytes - this.receiveWindowBytes;
    if (missing > 0 && !this.remoteEnded && !this.isClosed) this.owner.extendWindow(this, missing);
  }

  whenDrained(belowBytes: number, task: () => void): void {
    this.drainedBelowBytes = belowBytes;
    this.drainedTask = task;
    this.sender.scheduleDrained(this);
  }

  reset(code: ErrorCode): void {
    if (!this.isClosed) this.owner.resetStream(this, code);
  }
}
