// The sending half of a connection. Two ways lead to the wire:
//
//   direct    the message fits the windows, a frame and the socket: it is encoded in place between
//             its frame headers, and an answer is HEADERS, DATA and trailers in one go:
//             | 9 | 88 bf | 9 | 0 length | message … | 9 | be |
//   queued    it does not, or others of the stream wait already: it gets a buffer of its own, and
//             `pump` copies it out frame by frame as windows allow, streams taking turns.
//
// Header blocks are encoded when they are written, because HPACK's table is a state of the
// wire. Queued bytes are counted; above the budget `commit` refuses.

import { assert } from "../base/assert.ts";
import type { AnswerSource } from "../wire/rpc.ts";
import { AnswerAccount } from "./answer-account.ts";
import { ByteBudget } from "./byte-budget.ts";
import {
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES,
  FrameType,
  WINDOW_BYTES_DEFAULT,
  WINDOW_BYTES_MAX,
  writeControlFrame,
  writeFrameHeader,
  writeUint32,
} from "./frames.ts";
import { GRPC_BLOCK_BYTES_MAX, HpackEncoder } from "./hpack-encoder.ts";
import { writeEnding, writeHeaders } from "./http2-headers.ts";
import type { Ending, Fields, Http2Stream, QueuedData } from "./http2-stream.ts";
import type { LargeAnswers } from "./large-answers.ts";
import { QUEUED_BYTES_MAX, QUEUED_BYTES_SOFT_MAX, QUEUED_OVERHEAD_BYTES } from "./limits.ts";
import type { Flushable, Outbox } from "./outbox.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import { PingAcks } from "./ping-acks.ts";

/** HEADERS, the header of DATA, trailers. */
const DIRECT_OVERHEAD_BYTES = 3 * FRAME_HEADER_BYTES + 2 * GRPC_BLOCK_BYTES_MAX;

export interface SenderOwner {
  /** END_STREAM was written for `stream`. */
  onSent(stream: Http2Stream): void;
}

export class Http2Sender implements Flushable {
  readonly output: OutputBuffer;
  readonly encoder: HpackEncoder = new HpackEncoder();
  /** True while input is being handled: the flush comes at its end. */
  isCorked = false;
  isListed = false;
  isPatient = false;
  windowBytes: number = WINDOW_BYTES_DEFAULT;
  /** SETTINGS_INITIAL_WINDOW_SIZE of the peer. */
  peerWindowBytes: number = WINDOW_BYTES_DEFAULT;
  /** Messages and statuses sent: signs that the peer's frames are not a mere flood. */
  answerCount = 0;
  /** HEADERS and DATA frames sent. */
  sentCount = 0;
  /** Where the bytes of the last `reserve` lie. */
  buffer: Uint8Array;
  readonly #owner: SenderOwner;
  readonly #outbox: Outbox;
  readonly #queuedBudget: ByteBudget;
  readonly #answers: LargeAnswers;
  readonly #account: AnswerAccount;
  #reservedFor: Http2Stream | null = null;
  #reservedBytes = 0;
  #isDirect = false;
  #firstSendable: Http2Stream | null = null;
  #lastSendable: Http2Stream | null = null;
  #isPumping = false;
  /** Streams that are over, when all of the input was heard. */
  readonly #ending: Http2Stream[] = [];
  readonly #acks: PingAcks;

  constructor(
    owner: SenderOwner,
    output: OutputBuffer,
    outbox: Outbox,
    total: ByteBudget,
    answers: LargeAnswers,
  ) {
    this.#owner = owner;
    this.#answers = answers;
    this.#account = new AnswerAccount(answers, output, (streams) => {
      for (const stream of streams) this.#markSendable(stream);
      this.pump();
    });
    this.#acks = new PingAcks(output, outbox, this);
    this.output = output;
    this.buffer = output.bytes;
    this.#outbox = outbox;
    this.#queuedBudget = new ByteBudget(QUEUED_BYTES_MAX, total);
  }

  /** So much is held back that new streams should be refused. */
  get isOverloaded(): boolean {
    return this.#queuedBudget.usedBytes > QUEUED_BYTES_SOFT_MAX;
  }

  /** Room for one DATA payload in `buffer`; to be filled and committed before anything else. */
  reserve(stream: Http2Stream, payloadBytes: number): number {
    const output = this.output;
    this.#reservedFor = stream;
    this.#reservedBytes = payloadBytes;
    this.#isDirect =
      payloadBytes <= stream.sendWindowBytes &&
      payloadBytes <= this.windowBytes &&
      payloadBytes <= FRAME_PAYLOAD_BYTES &&
      stream.queueFirst === null &&
      !output.isBacklogged;
    if (!this.#isDirect) {
      this.buffer = Buffer.allocUnsafeSlow(payloadBytes);
      return 0;
    }
    output.ensure(payloadBytes + DIRECT_OVERHEAD_BYTES);
    this.buffer = output.bytes;
    const dataAt = output.length + FRAME_HEADER_BYTES;
    if (stream.headSent) return dataAt;
    return dataAt + FRAME_HEADER_BYTES + this.encoder.grpcHeadBytes;
  }

  /** Room in `buffer` for what nobody will get. */
  reserveNothing(payloadBytes: number): number {
    this.#reservedFor = null;
    this.buffer = Buffer.allocUnsafe(payloadBytes);
    return 0;
  }

  /**
   * Sends what was reserved, after the head of a gRPC answer if that is still to be sent, and
   * `ending` after it. Returns false, and sends nothing, when too much is held back already.
   */
  commit(stream: Http2Stream, ending: Ending | null): boolean {
    assert(this.#reservedFor === stream, "a reserved message is filled and sent at once");
    this.#reservedFor = null;
    const payloadBytes = this.#reservedBytes;
    if (!this.#isDirect) {
      const message = this.buffer;
      // Or an idle connection would hold on to its last large message.
      this.buffer = this.output.bytes;
      return this.#enqueue(stream, message, ending);
    }
    const output = this.output;
    const bytes = output.bytes;
    let at = output.length;
    if (!stream.headSent) at = this.#putGrpcHead(stream, bytes, at);
    at = writeFrameHeader(bytes, at, payloadBytes, FrameType.Data, 0, stream.id);
    output.length = at + payloadBytes;
    this.windowBytes -= payloadBytes;
    stream.sendWindowBytes -= payloadBytes;
    this.answerCount++;
    this.sentCount++;
    if (ending === null) this.touch();
    else {
      this.#putEnding(stream, ending);
      if (!this.isCorked) this.#outbox.answered(this);
    }
    return true;
  }

  /** HEADERS with any fields; nothing for a gRPC head, which `commit` writes itself. */
  sendHead(stream: Http2Stream, fields: Fields): void {
    this.#putFields(stream, fields, 0);
    this.touch();
  }

  /** Queues `bytes`, which must not change afterwards. Returns false above the budget. */
  sendData(stream: Http2Stream, bytes: Uint8Array): boolean {
    return this.#enqueue(stream, bytes, null);
  }

  /** As `sendData`, for all of them or none; each is forgotten when it is sent. */
  sendPieces(stream: Http2Stream, pieces: readonly Uint8Array[], ending: Ending): boolean {
    let cost = 0;
    for (const piece of pieces) cost += piece.length + QUEUED_OVERHEAD_BYTES;
    if (!this.#queuedBudget.hasRoom(cost)) return false;
    // Nothing goes out before the last is queued: with it comes the ending.
    this.#isPumping = true;
    for (const piece of pieces) this.#enqueue(stream, piece, ending);
    this.#isPumping = false;
    this.pump();
    return true;
  }

  /** Sends `prefix` and then what `source` makes; see large-answers.ts. */
  sendFrom(
    stream: Http2Stream,
    prefix: Uint8Array,
    sizeBytes: number,
    source: AnswerSource,
    ending: Ending,
  ): boolean {
    stream.source = source;
    stream.sourceLeftBytes = sizeBytes;
    if (!this.#enqueue(stream, prefix, ending)) {
      stream.source = null;
      return false;
    }
    this.#account.begin(stream);
    return true;
  }

  /** A part of a large answer, if it can go out now; returns its bytes, or -1. */
  feed(stream: Http2Stream, maxBytes: number): number {
    const { source } = stream;
    if (source === null) return -1;
    if (this.#account.isBlocked(stream)) return -1;
    // Without a window of the stream: addStreamWindow comes back to it.
    if (stream.sendWindowBytes <= 0) return -1;
    if (this.windowBytes <= 0) {
      this.#markSendable(stream);
      return -1;
    }
    const windowBytes = Math.min(this.windowBytes, stream.sendWindowBytes);
    const wanted = Math.min(maxBytes, Math.max(windowBytes, FRAME_PAYLOAD_BYTES));
    const part = source.next(wanted);
    stream.sourceLeftBytes -= part.length;
    assert(stream.sourceLeftBytes >= 0, "a source makes what it has promised");
    const sent = this.#putFrames(stream, part);
    if (stream.sourceLeftBytes === 0) this.#endSource(stream);
    if (sent < part.length) this.#enqueueRest(stream, part.slice(sent));
    else if (stream.source !== null) this.#markSendable(stream);
    else this.#putEnding(stream, stream.ending!);
    this.flush();
    this.#account.settle();
    this.pump();
    return part.length;
  }

  /**
   * Ends the stream after what is queued. While input is being handled that waits for its end: of
   * clients that ask one thing on a stream and have their answer, END_STREAM is followed at once by
   * RST_STREAM, and then nobody wants to hear of the end.
   */
  end(stream: Http2Stream, ending: Ending): void {
    if (stream.queueFirst !== null) {
      stream.ending = ending;
    } else if (this.isCorked) {
      stream.ending = ending;
      this.#ending.push(stream);
    } else {
      this.#putEnding(stream, ending);
      this.touch();
    }
  }

  /** The input has been handled. */
  uncork(): void {
    const ending = this.#ending;
    for (let i = 0; i < ending.length; i++) {
      const stream = ending[i]!;
      if (stream.ending !== null) this.#putEnding(stream, stream.ending);
    }
    ending.length = 0;
    this.isCorked = false;
  }

  /** A control frame; `payload` is short. */
  sendFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    writeControlFrame(this.output, type, flags, streamId, payload);
    this.touch();
  }

  sendPingAck(payload: Uint8Array): void {
    this.#acks.onPing(payload, this.sentCount, this.#isHeldBack());
  }

  /** RST_STREAM, WINDOW_UPDATE: one number. */
  sendNumber(type: number, streamId: number, value: number): void {
    const output = this.output;
    output.ensure(FRAME_HEADER_BYTES + 4);
    const at = writeFrameHeader(output.bytes, output.length, 4, type, 0, streamId);
    output.length = writeUint32(output.bytes, at, value);
    this.touch();
  }

  /** Returns false when the window would pass 2^31-1. */
  addWindow(bytes: number): boolean {
    this.windowBytes += bytes;
    if (this.windowBytes > WINDOW_BYTES_MAX) return false;
    this.pump();
    return true;
  }

  addStreamWindow(stream: Http2Stream, bytes: number): boolean {
    stream.sendWindowBytes += bytes;
    if (stream.sendWindowBytes > WINDOW_BYTES_MAX) return false;
    if (stream.queueFirst !== null || stream.source !== null) {
      this.#markSendable(stream);
      this.pump();
    }
    return true;
  }

  /** Sends queued data until a window, or the socket, is full. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.windowBytes > 0 && !this.output.isBacklogged) {
      const stream = this.#takeSendable();
      if (stream === null) break;
      this.#sendSome(stream);
    }
    this.#isPumping = false;
  }

  /** Forgets what `stream` had queued; it is being closed. */
  drop(stream: Http2Stream): void {
    for (let data = stream.queueFirst; data !== null; data = data.next) {
      this.#queuedBudget.release(data.bytes.length + QUEUED_OVERHEAD_BYTES);
    }
    if (stream.source !== null) this.#endSource(stream);
    stream.queueFirst = null;
    stream.queueLast = null;
    stream.queuedBytes = 0;
    stream.ending = null;
    stream.drainedTask = null;
  }

  /** Runs the stream's `drainedTask` if it is time; not inside the caller. */
  scheduleDrained(stream: Http2Stream): void {
    if (stream.queuedBytes > stream.drainedBelowBytes) return;
    this.#outbox.endOfTurn(() => this.#runDrained(stream));
  }

  touch(): void {
    if (!this.isCorked && !this.isListed) this.#outbox.add(this);
  }

  /**
   * Acknowledgements alone wait for an answer that is due; not while the client's windows hold data
   * back, as they grow by what the pings tell.
   */
  flushAfterInput(isAnswerDue: boolean): void {
    if (isAnswerDue && !this.#isHeldBack() && this.#acks.isAlone) this.#acks.waitForAnswer();
    else this.flush();
  }

  #isHeldBack(): boolean {
    return this.#queuedBudget.usedBytes > 0 || this.#account.count > 0;
  }

  flush(): void {
    this.#acks.unsentBytes = 0;
    this.output.flush();
  }

  /** The connection is gone, and with it all that was in memory for it. */
  close(): void {
    this.#account.close();
  }

  #enqueue(stream: Http2Stream, bytes: Uint8Array, ending: Ending | null): boolean {
    const cost = bytes.length + QUEUED_OVERHEAD_BYTES;
    if (!this.#queuedBudget.hasRoom(cost)) return false;
    this.#queuedBudget.take(cost);
    this.#acks.release();
    if (!stream.headSent) {
      this.output.ensure(DIRECT_OVERHEAD_BYTES);
      this.output.length = this.#putGrpcHead(stream, this.output.bytes, this.output.length);
      this.touch();
    }
    const data: QueuedData = { bytes, offset: 0, next: null };
    if (stream.queueLast === null) stream.queueFirst = data;
    else stream.queueLast.next = data;
    stream.queueLast = data;
    stream.queuedBytes += bytes.length;
    stream.ending = ending;
    this.#markSendable(stream);
    this.pump();
    return true;
  }

  /** One frame of the stream at the head of the line, which then goes to its end. */
  #sendSome(stream: Http2Stream): void {
    const data = stream.queueFirst;
    if (stream.isClosed) return;
    if (data === null) {
      if (stream.source !== null) this.#wantPart(stream);
      return;
    }
    const length = Math.min(
      data.bytes.length - data.offset,
      FRAME_PAYLOAD_BYTES,
      this.windowBytes,
      stream.sendWindowBytes,
    );
    if (length <= 0 && data.bytes.length > 0) return;
    const output = this.output;
    output.ensure(FRAME_HEADER_BYTES + length);
    const at = writeFrameHeader(output.bytes, output.length, length, FrameType.Data, 0, stream.id);
    output.bytes.set(data.bytes.subarray(data.offset, data.offset + length), at);
    output.length = at + length;
    data.offset += length;
    this.windowBytes -= length;
    stream.sendWindowBytes -= length;
    stream.queuedBytes -= length;
    this.sentCount++;
    if (data.offset === data.bytes.length) {
      this.answerCount++;
      this.#queuedBudget.release(data.bytes.length + QUEUED_OVERHEAD_BYTES);
      stream.queueFirst = data.next;
      if (data.next === null) stream.queueLast = null;
    }
    this.touch();
    if (stream.queueFirst !== null || stream.source !== null) this.#markSendable(stream);
    else if (stream.ending !== null) this.#putEnding(stream, stream.ending);
    this.#runDrained(stream);
  }

  /** As much as the windows allow, in frames that fill the output buffers; returns how much. */
  #putFrames(stream: Http2Stream, part: Uint8Array): number {
    const { output } = this;
    let sent = 0;
    for (;;) {
      const windowBytes = Math.min(this.windowBytes, stream.sendWindowBytes, FRAME_PAYLOAD_BYTES);
      let length = Math.min(part.length - sent, windowBytes);
      if (length <= 0) break;
      const room = output.bytes.length - output.length - FRAME_HEADER_BYTES;
      if (room >= FRAME_PAYLOAD_BYTES / 2) length = Math.min(length, room);
      output.ensure(FRAME_HEADER_BYTES + length);
      const { bytes } = output;
      const at = writeFrameHeader(bytes, output.length, length, FrameType.Data, 0, stream.id);
      bytes.set(part.subarray(sent, sent + length), at);
      output.length = at + length;
      this.windowBytes -= length;
      stream.sendWindowBytes -= length;
      this.sentCount++;
      sent += length;
    }
    this.answerCount++;
    return sent;
  }

  #enqueueRest(stream: Http2Stream, rest: Uint8Array): void {
    if (!this.#enqueue(stream, rest, stream.ending)) stream.reset(ErrorCode.InternalError);
  }

  #wantPart(stream: Http2Stream): void {
    if (!this.#account.isBlocked(stream)) this.#answers.want(this, stream);
  }

  #endSource(stream: Http2Stream): void {
    stream.source!.close();
    stream.source = null;
    this.#account.end(stream);
  }

  #runDrained(stream: Http2Stream): void {
    const task = stream.drainedTask;
    if (task === null || stream.queuedBytes > stream.drainedBelowBytes) return;
    stream.drainedTask = null;
    task();
  }

  #markSendable(stream: Http2Stream): void {
    if (stream.isSendable) return;
    stream.isSendable = true;
    if (this.#lastSendable === null) this.#firstSendable = stream;
    else this.#lastSendable.nextSendable = stream;
    this.#lastSendable = stream;
  }

  #takeSendable(): Http2Stream | null {
    const stream = this.#firstSendable;
    if (stream === null) return null;
    this.#firstSendable = stream.nextSendable;
    if (this.#firstSendable === null) this.#lastSendable = null;
    stream.nextSendable = null;
    stream.isSendable = false;
    return stream;
  }

  #putGrpcHead(stream: Http2Stream, bytes: Uint8Array, at: number): number {
    stream.headSent = true;
    const length = this.encoder.grpcHeadBytes;
    writeFrameHeader(bytes, at, length, FrameType.Headers, Flag.EndHeaders, stream.id);
    return this.encoder.writeGrpcHead(bytes, at + FRAME_HEADER_BYTES);
  }

  #putEnding(stream: Http2Stream, ending: Ending): void {
    if (ending.kind === "fields") {
      stream.headSent = true;
      this.answerCount++;
    }
    writeEnding(this.output, this.encoder, stream.id, ending);
    stream.ending = null;
    this.sentCount++;
    this.#owner.onSent(stream);
  }

  #putFields(stream: Http2Stream, fields: Fields, flags: number): void {
    stream.headSent = true;
    writeHeaders(this.output, this.encoder, stream.id, fields, flags);
  }
}
