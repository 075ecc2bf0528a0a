// The receiving half of a connection (RFC 9113): keeps the streams and both kinds of receive
// windows, and hands requests to the layer above (`Http2Context.open`).
//
//   FrameReader ── onFrame ─┬─ HEADERS ── header block ── HPACK ── open() ──► StreamSink
//                           ├─ DATA ── windows ─────────────────────────────► StreamSink
//                           ├─ WINDOW_UPDATE, SETTINGS ─────────────────────► Http2Sender
//                           └─ PING, RST_STREAM, PRIORITY …
//
// A breach of the protocol by the connection throws ConnectionError; one by a stream resets that
// stream. What a peer can do for nothing is counted by the FloodGuard.

import type { Origin } from "../wire/rpc.ts";
import { FloodGuard } from "./flood-guard.ts";
import { ConnectionError, ErrorCode, Flag, FrameType, readUint32 } from "./frames.ts";
import { HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import type { Http2Context } from "./http2-connection.ts";
import type { Http2Sender } from "./http2-sender.ts";
import { Http2Stream, type StreamOwner } from "./http2-stream.ts";
import {
  CONNECTION_STREAMS_MAX,
  CONNECTION_WINDOW_BYTES,
  HEADER_LIST_BYTES_MAX,
  WINDOW_UPDATE_BYTES_FAIR,
} from "./limits.ts";
import { applySettings } from "./peer-settings.ts";
import { RecentIds } from "./recent-ids.ts";
import { RequestHead } from "./request-head.ts";
import { RequestMemory } from "./request-memory.ts";
import { StreamTable } from "./stream-table.ts";

export interface ReceiverOwner {
  readonly remoteAddress: string;
  readonly origin: Origin;
  readonly isSecure: boolean;
  /** The last stream has ended. */
  onIdle(): void;
  onPing(hasStreams: boolean): void;
  onPingAck(bytes: Uint8Array, start: number): void;
}

export class Http2Receiver implements StreamOwner {
  readonly requestMemory: RequestMemory;
  readonly streams: StreamTable<Http2Stream> = new StreamTable();
  /** Of the streams: the client has said all and waits for the rest of the answer. */
  awaitedCount = 0;
  /** Cleared when the connection is being closed: new streams are refused. */
  acceptsStreams = true;
  hasPeerSettings = false;
  isSettingsAcked = false;
  lastStreamId = 0;
  readonly streamsMax: number;
  readonly #context: Http2Context;
  readonly #owner: ReceiverOwner;
  readonly #sender: Http2Sender;
  readonly #decoder = new HpackDecoder(HEADER_LIST_BYTES_MAX);
  readonly #head = new RequestHead();
  readonly #block = new HeaderBlock();
  readonly #recentlyReset = new RecentIds();
  readonly #flood = new FloodGuard();
  /** The stream of the last HEADERS: DATA mostly follows at once. */
  #newest: Http2Stream | null = null;
  #windowBytes = CONNECTION_WINDOW_BYTES;
  #earliestDeadlineMs = Number.POSITIVE_INFINITY;
  #nowMs = -1;

  constructor(context: Http2Context, owner: ReceiverOwner, sender: Http2Sender) {
    this.#context = context;
    this.#owner = owner;
    this.#sender = sender;
    this.requestMemory = new RequestMemory(context.requestTotal);
    this.streamsMax = Math.min(context.limits.concurrentStreamsMax, CONNECTION_STREAMS_MAX);
  }

  // ── for streams ──

  get remoteAddress(): string {
    return this.#owner.remoteAddress;
  }

  get origin(): Origin {
    return this.#owner.origin;
  }

  get isSecure(): boolean {
    return this.#owner.isSecure;
  }

  /** The time, read at most once a turn. */
  nowMs(): number {
    if (this.#nowMs < 0) this.#nowMs = this.#context.clock.monotonicMs();
    return this.#nowMs;
  }

  forgetTime(): void {
    this.#nowMs = -1;
  }

  extendWindow(stream: Http2Stream, bytes: number): void {
    stream.receiveWindowBytes += bytes;
    this.#sender.sendNumber(FrameType.WindowUpdate, stream.id, bytes);
  }

  resetStream(stream: Http2Stream, code: ErrorCode): void {
    this.#sender.sendNumber(FrameType.RstStream, stream.id, code);
    this.#recentlyReset.add(stream.id);
    this.#remove(stream);
  }

  setDeadline(stream: Http2Stream, deadlineMs: number): void {
    stream.deadlineMs = deadlineMs;
    if (deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = deadlineMs;
  }

  /** END_STREAM is on its way; a client that still sends is asked to stop. */
  onSent(stream: Http2Stream): void {
    if (stream.remoteEnded) this.#remove(stream);
    else this.resetStream(stream, ErrorCode.NoError);
  }

  // ── for the connection ──

  closeStreams(): void {
    for (const stream of this.streams.all()) this.#remove(stream);
  }

  expireStreams(nowMs: number): void {
    if (nowMs < this.#earliestDeadlineMs) return;
    let earliestMs = Number.POSITIVE_INFINITY;
    this.#earliestDeadlineMs = earliestMs;
    for (const stream of this.streams.all()) {
      if (stream.isClosed) continue;
      if (stream.deadlineMs <= nowMs) stream.sink.onDeadline();
      else earliestMs = Math.min(earliestMs, stream.deadlineMs);
    }
    this.#earliestDeadlineMs = Math.min(this.#earliestDeadlineMs, earliestMs);
  }

  onSecond(nowMs: number): void {
    this.#flood.onSecond(this.#sender.answerCount);
    if (this.requestMemory.usedBytes > 0) this.requestMemory.sweep(nowMs);
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const block = this.#block;
    if (block.isOpen && (type !== FrameType.Continuation || streamId !== block.streamId)) {
      throw protocolError("a header block is interrupted");
    }
    if (!this.hasPeerSettings && type !== FrameType.Settings) {
      throw protocolError("the first frame is not SETTINGS");
    }
    switch (type) {
      case FrameType.Data:
        this.#onData(flags, streamId, bytes, start, end);
        return;
      case FrameType.Headers:
        this.#onHeaders(flags, streamId, bytes, start, end);
        return;
      case FrameType.WindowUpdate:
        this.#onWindowUpdate(streamId, bytes, start, end);
        return;
      case FrameType.Ping:
        this.#onPing(flags, streamId, bytes, start, end);
        return;
      case FrameType.RstStream:
        this.#onRstStream(streamId, end - start);
        return;
      case FrameType.Settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        return;
      case FrameType.Continuation:
        this.#onContinuation(flags, bytes, start, end);
        return;
      case FrameType.Priority:
        this.#onPriority(streamId, bytes, start, end);
        return;
      case FrameType.GoAway:
        if (streamId !== 0) throw protocolError("GOAWAY on a stream");
        return;
      case FrameType.PushPromise:
        throw protocolError("PUSH_PROMISE from a client");
      default:
        this.#countControlFrame();
    }
  }

  // ── frames ──

  #onData(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const stream = this.#find(streamId);
    this.#takeWindow(length);
    if (stream === undefined) {
      this.#onDataWithoutStream(streamId);
      return;
    }
    if (stream.remoteEnded) {
      this.#failStream(streamId, ErrorCode.StreamClosed);
      return;
    }
    if (length > stream.receiveWindowBytes) {
      this.#failStream(streamId, ErrorCode.FlowControlError);
      return;
    }
    stream.receiveWindowBytes -= length;
    let dataStart = start;
    let dataEnd = end;
    if ((flags & Flag.Padded) !== 0) {
      dataStart++;
      dataEnd -= length > 0 ? bytes[start]! : 1;
      if (dataEnd < dataStart) throw protocolError("padding larger than the frame");
    }
    const isEnd = (flags & Flag.EndStream) !== 0;
    if (stream.announcedBytes >= 0) {
      stream.announcedBytes -= dataEnd - dataStart;
      if (stream.announcedBytes < 0 || (isEnd && stream.announcedBytes > 0)) {
        this.#failStream(streamId, ErrorCode.ProtocolError);
        return;
      }
    }
    if (dataEnd === dataStart && !isEnd) this.#countControlFrame();
    if (isEnd) this.#end(stream);
    if (dataEnd > dataStart) stream.sink.onData(bytes, dataStart, dataEnd);
    if (isEnd && !stream.isClosed) stream.sink.onEnd();
  }

  #onDataWithoutStream(streamId: number): void {
    if (this.#isIdle(streamId)) throw protocolError("DATA on an idle stream");
    if (!this.#recentlyReset.has(streamId)) this.#failStream(streamId, ErrorCode.StreamClosed);
  }

  /**
   * Flow control of the connection. Refunded at once, in large pieces: what is stored is counted
   * by RequestMemory. A frame is smaller than half the window, so the peer cannot exceed it.
   */
  #takeWindow(length: number): void {
    this.#windowBytes -= length;
    if (this.#windowBytes * 2 > CONNECTION_WINDOW_BYTES) return;
    this.#sender.sendNumber(FrameType.WindowUpdate, 0, CONNECTION_WINDOW_BYTES - this.#windowBytes);
    this.#windowBytes = CONNECTION_WINDOW_BYTES;
  }

  #onHeaders(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): void {
    if ((streamId & 1) === 0) throw protocolError("HEADERS with an even stream id");
    let blockStart = start;
    let blockEnd = end;
    if ((flags & Flag.Padded) !== 0) {
      blockStart++;
      blockEnd -= end > start ? bytes[start]! : 1;
    }
    let isSelfDependent = false;
    if ((flags & Flag.Priority) !== 0) {
      isSelfDependent = (readUint32(bytes, blockStart) & 0x7fff_ffff) === streamId;
      blockStart += 5;
    }
    if (blockEnd < blockStart) throw protocolError("padding larger than the frame");
    if ((flags & Flag.EndHeaders) === 0) {
      this.#block.begin(streamId, flags, bytes, blockStart, blockEnd);
    } else {
      this.#onHeaderBlock(flags, streamId, bytes, blockStart, blockEnd);
    }
    if (isSelfDependent) this.#failStream(streamId, ErrorCode.ProtocolError);
  }

  #onContinuation(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const block = this.#block;
    if (!block.isOpen) throw protocolError("CONTINUATION without HEADERS");
    block.append(bytes, start, end);
    if ((flags & Flag.EndHeaders) === 0) return;
    const all = block.finish();
    this.#onHeaderBlock(block.flags, block.streamId, all, 0, all.length);
  }

  #onHeaderBlock(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const head = this.#head;
    head.reset();
    head.isTooLarge = !this.#decoder.decode(bytes, start, end, head);
    head.isEnd = (flags & Flag.EndStream) !== 0;
    if (streamId > this.lastStreamId) {
      this.#onRequest(streamId, head);
      return;
    }
    const stream = this.#find(streamId);
    if (stream !== undefined) {
      this.#onTrailers(stream, head);
      return;
    }
    if (this.#recentlyReset.has(streamId)) return;
    if (streamId === this.lastStreamId) {
      throw new ConnectionError(ErrorCode.StreamClosed, "HEADERS on a closed stream");
    }
    throw protocolError("HEADERS with an old stream id");
  }

  #onRequest(streamId: number, head: RequestHead): void {
    this.lastStreamId = streamId;
    if (!this.acceptsStreams || this.streams.size >= this.streamsMax || this.#sender.isOverloaded) {
      this.#failStream(streamId, ErrorCode.RefusedStream);
      return;
    }
    if (!head.isTooLarge && !head.isWellFormedRequest()) {
      this.#failStream(streamId, ErrorCode.ProtocolError);
      return;
    }
    const stream = new Http2Stream(streamId, this, this.#sender);
    if (head.contentLength !== null) {
      stream.announcedBytes = decimal(head.contentLength.value);
      if (stream.announcedBytes < 0 || (head.isEnd && stream.announcedBytes > 0)) {
        this.#failStream(streamId, ErrorCode.ProtocolError);
        return;
      }
    }
    this.streams.add(stream);
    this.#newest = stream;
    if (head.isEnd) this.#end(stream);
    const sink = this.#context.open(stream, head);
    stream.sink = sink;
    if (stream.isClosed) sink.onClosed();
    else if (stream.remoteEnded) sink.onEnd();
  }

  #onTrailers(stream: Http2Stream, head: RequestHead): void {
    if (stream.remoteEnded) {
      this.#failStream(stream.id, ErrorCode.StreamClosed);
      return;
    }
    if (!head.isEnd || head.isTooLarge || !head.areWellFormedTrailers()) {
      this.#failStream(stream.id, ErrorCode.ProtocolError);
      return;
    }
    if (stream.announcedBytes > 0) {
      this.#failStream(stream.id, ErrorCode.ProtocolError);
      return;
    }
    this.#end(stream);
    stream.sink.onEnd();
  }

  #end(stream: Http2Stream): void {
    stream.remoteEnded = true;
    this.awaitedCount++;
  }

  #onWindowUpdate(streamId: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) throw sizeError("WINDOW_UPDATE");
    const increment = readUint32(bytes, start) & 0x7fff_ffff;
    if (increment < WINDOW_UPDATE_BYTES_FAIR) this.#countControlFrame();
    if (streamId === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE of nothing");
      if (this.#sender.addWindow(increment)) return;
      throw new ConnectionError(ErrorCode.FlowControlError, "connection window too large");
    }
    const stream = this.#find(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw protocolError("WINDOW_UPDATE on an idle stream");
      this.#countControlFrame();
      return;
    }
    if (increment === 0) {
      this.#failStream(streamId, ErrorCode.ProtocolError);
      return;
    }
    if (!this.#sender.addStreamWindow(stream, increment)) {
      this.#failStream(streamId, ErrorCode.FlowControlError);
    }
  }

  #onSettings(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (streamId !== 0) throw protocolError("SETTINGS on a stream");
    if ((flags & Flag.Ack) !== 0) {
      if (end > start) throw sizeError("SETTINGS acknowledgement");
      this.isSettingsAcked = true;
      return;
    }
    this.#countControlFrame();
    this.hasPeerSettings = true;
    applySettings(this.#sender, this.streams, bytes, start, end);
    this.#sender.sendFrame(FrameType.Settings, Flag.Ack, 0, new Uint8Array(0));
  }

  #onPing(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): void {
    if (streamId !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw sizeError("PING");
    this.#countControlFrame();
    if ((flags & Flag.Ack) !== 0) {
      this.#owner.onPingAck(bytes, start);
      return;
    }
    this.#sender.sendPingAck(bytes.subarray(start, end));
    this.#owner.onPing(this.streams.size > 0);
  }

  #onRstStream(streamId: number, length: number): void {
    if (length !== 4) throw sizeError("RST_STREAM");
    if (this.#isIdle(streamId)) throw protocolError("RST_STREAM on an idle stream");
    const stream = this.#find(streamId);
    if (stream !== undefined) this.#remove(stream);
    this.#countReset();
  }

  #onPriority(streamId: number, bytes: Uint8Array, start: number, end: number): void {
    if (streamId === 0) throw protocolError("PRIORITY without a stream");
    this.#countControlFrame();
    if (end - start !== 5) {
      this.#failStream(streamId, ErrorCode.FrameSizeError);
      return;
    }
    if ((readUint32(bytes, start) & 0x7fff_ffff) === streamId) {
      this.#failStream(streamId, ErrorCode.ProtocolError);
    }
  }

  // ── streams ──

  #isIdle(streamId: number): boolean {
    return streamId > this.lastStreamId || (streamId & 1) === 0;
  }

  #find(streamId: number): Http2Stream | undefined {
    const newest = this.#newest;
    if (newest !== null && newest.id === streamId && !newest.isClosed) return newest;
    return this.streams.get(streamId);
  }

  #remove(stream: Http2Stream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    if (stream.remoteEnded) this.awaitedCount--;
    this.#sender.drop(stream);
    this.streams.delete(stream.id);
    if (this.#newest === stream) this.#newest = null;
    stream.sink.onClosed();
    if (this.streams.size === 0) this.#owner.onIdle();
  }

  /** A breach of the protocol by one stream. */
  #failStream(streamId: number, code: ErrorCode): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) {
      this.resetStream(stream, code);
    } else {
      this.#sender.sendNumber(FrameType.RstStream, streamId, code);
      this.#recentlyReset.add(streamId);
    }
    this.#countReset();
  }

  #countReset(): void {
    if (!this.#flood.onReset(this.#sender.answerCount)) throw calm("too many resets");
  }

  #countControlFrame(): void {
    if (!this.#flood.onControlFrame(this.#sender.answerCount)) throw calm("too many frames");
  }
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.ProtocolError, message);
}

function sizeError(frame: string): ConnectionError {
  return new ConnectionError(ErrorCode.FrameSizeError, `${frame} of a wrong size`);
}

function calm(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.EnhanceYourCalm, message);
}

/** A decimal number, or -1. */
function decimal(text: string): number {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
}
