// One HTTP/2 connection: the socket, its two halves (http2-receiver.ts, http2-sender.ts) and its
// life. Output of a turn is flushed once, at the end of the input that caused it.
//
//   open ── drain() ──► draining ── PING answered ──► drained ── last stream ended ──► lingering
//     │     GOAWAY 2^31-1, PING       GOAWAY with the last stream                        ▲   │
//     └──────── ConnectionError: GOAWAY with its code ────────────────────────────────────┘   │
//                                     peer gone, timeouts ──────────────────► closed ◄────────┘

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import { Origin } from "../wire/rpc.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  ConnectionError,
  ErrorCode,
  FrameType,
  Setting,
  STREAM_ID_MAX,
  WINDOW_BYTES_DEFAULT,
  writeUint32,
} from "./frames.ts";
import { Http2Receiver, type ReceiverOwner } from "./http2-receiver.ts";
import { Http2Sender, type SenderOwner } from "./http2-sender.ts";
import type { Http2Stream, StreamSink } from "./http2-stream.ts";
import { Keepalive } from "./keepalive.ts";
import type { LargeAnswers } from "./large-answers.ts";
import {
  CONNECTION_WINDOW_BYTES,
  DRAIN_PING_TIMEOUT_MS,
  HEADER_LIST_BYTES_MAX,
  LINGER_MS,
  type Limits,
  PREFACE_TIMEOUT_MS,
  SETTINGS_ACK_TIMEOUT_MS,
  WRITE_STALL_MS,
} from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { OutputBuffer } from "./output-buffer.ts";
import type { RequestHead } from "./request-head.ts";

/** What all connections of a server share. */
export interface Http2Context {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Limits;
  readonly outbox: Outbox;
  readonly pool: BufferPool;
  readonly queuedTotal: ByteBudget;
  readonly requestTotal: ByteBudget;
  readonly answers: LargeAnswers;
  /** GOAWAYs with an error, by code. */
  readonly goAwayCounts: Float64Array;
  /** A new request; `head` is valid during the call only. */
  open(stream: Http2Stream, head: RequestHead): StreamSink;
}

type Phase = "open" | "draining" | "drained" | "lingering" | "closed";

const DRAIN_PING = new Uint8Array([0x64, 0x72, 0x61, 0x69, 0x6e, 0x69, 0x6e, 0x67]);
const KEEPALIVE_PING = new Uint8Array(8);

export class Http2Connection implements SenderOwner, ReceiverOwner {
  readonly remoteAddress: string;
  readonly origin: Origin;
  readonly isSecure: boolean;
  readonly #context: Http2Context;
  readonly #socket: Socket;
  readonly #output: OutputBuffer;
  readonly #sender: Http2Sender;
  readonly #receiver: Http2Receiver;
  readonly #reader: FrameReader;
  readonly #keepalive: Keepalive;
  readonly #onClosed: (connection: Http2Connection) => void;
  readonly #openedMs: number;
  #phase: Phase = "open";
  /** When the phase has to end, for those that have to. */
  #phaseEndMs = Number.POSITIVE_INFINITY;
  #hasRead = false;
  /** Output that the kernel has taken, and since when it is so much. */
  #takenBytes = 0;
  #takenSinceMs: number;

  constructor(
    context: Http2Context,
    socket: Socket,
    remoteAddress: string,
    onClosed: (connection: Http2Connection) => void,
  ) {
    const nowMs = context.clock.monotonicMs();
    this.#context = context;
    this.#socket = socket;
    this.#onClosed = onClosed;
    this.#openedMs = nowMs;
    this.#takenSinceMs = nowMs;
    this.remoteAddress = remoteAddress;
    this.origin = new Origin(remoteAddress, certificateNameOf(socket));
    this.isSecure = "encrypted" in socket;
    this.#output = new OutputBuffer(socket, context.pool);
    this.#sender = new Http2Sender(
      this,
      this.#output,
      context.outbox,
      context.queuedTotal,
      context.answers,
    );
    this.#receiver = new Http2Receiver(context, this, this.#sender);
    this.#reader = new FrameReader(this.#receiver);
    this.#keepalive = new Keepalive(context.limits, nowMs);
    this.#sendSettings();
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("error", () => this.#close());
    socket.on("end", () => this.#close());
    socket.on("close", () => this.#close());
  }

  get streamCount(): number {
    return this.#receiver.streams.size;
  }

  /** Input after the preface. */
  receive(chunk: Uint8Array): void {
    if (this.#isOver()) return;
    this.#hasRead = true;
    this.#receiver.forgetTime();
    this.#sender.isCorked = true;
    let failure: ConnectionError | undefined;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      failure = error;
    }
    this.#sender.uncork();
    if (failure !== undefined) this.#fail(failure);
    this.#sender.flushAfterInput(this.#receiver.awaitedCount > 0);
    if (this.#output.isBacklogged) this.#socket.pause();
  }

  /** First of two GOAWAYs: no new streams please; those that cross it are still served. */
  drain(): void {
    if (this.#phase !== "open") return;
    this.#phase = "draining";
    this.#phaseEndMs = this.#context.clock.monotonicMs() + DRAIN_PING_TIMEOUT_MS;
    this.#sendGoAway(STREAM_ID_MAX, ErrorCode.NoError, "");
    this.#sender.sendFrame(FrameType.Ping, 0, 0, DRAIN_PING);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  /** Every `TICK_MS`; `isSweep` about once a second. */
  tick(nowMs: number, isSweep: boolean): void {
    if (nowMs >= this.#phaseEndMs) this.#endPhase();
    if (this.#isOver()) return;
    this.#receiver.expireStreams(nowMs);
    const action = this.#keepalive.onTick(nowMs, this.#hasRead);
    this.#hasRead = false;
    if (action === "ping") this.#sender.sendFrame(FrameType.Ping, 0, 0, KEEPALIVE_PING);
    if (action === "close") this.destroy();
    if (isSweep && !this.#isOver()) this.#sweep(nowMs);
  }

  // ── from the two halves ──

  onSent(stream: Http2Stream): void {
    this.#receiver.onSent(stream);
  }

  onIdle(): void {
    if (this.#phase === "drained") this.#linger();
  }

  onPing(hasStreams: boolean): void {
    const nowMs = this.#receiver.nowMs();
    if (this.#keepalive.onPing(nowMs, hasStreams, this.#sender.sentCount)) return;
    throw new ConnectionError(ErrorCode.EnhanceYourCalm, "too_many_pings");
  }

  onPingAck(bytes: Uint8Array, start: number): void {
    if (this.#phase !== "draining") return;
    if (DRAIN_PING.every((byte, at) => byte === bytes[start + at])) this.#finishDraining();
  }

  // ── life ──

  /** Nothing is read or said any more. */
  #isOver(): boolean {
    return this.#phase === "lingering" || this.#phase === "closed";
  }

  #sendSettings(): void {
    const bytes = new Uint8Array(12);
    bytes[1] = Setting.MaxConcurrentStreams;
    writeUint32(bytes, 2, this.#receiver.streamsMax);
    bytes[7] = Setting.MaxHeaderListSize;
    writeUint32(bytes, 8, HEADER_LIST_BYTES_MAX);
    this.#sender.sendFrame(FrameType.Settings, 0, 0, bytes);
    const more = CONNECTION_WINDOW_BYTES - WINDOW_BYTES_DEFAULT;
    this.#sender.sendNumber(FrameType.WindowUpdate, 0, more);
  }

  #sendGoAway(lastStreamId: number, code: ErrorCode, reason: string): void {
    const bytes = new Uint8Array(8 + reason.length);
    writeUint32(bytes, 0, lastStreamId);
    writeUint32(bytes, 4, code);
    for (let at = 0; at < reason.length; at++) bytes[8 + at] = reason.charCodeAt(at);
    this.#sender.sendFrame(FrameType.GoAway, 0, 0, bytes);
  }

  #sweep(nowMs: number): void {
    this.#receiver.onSecond(nowMs);
    const ageMs = nowMs - this.#openedMs;
    if (!this.#receiver.hasPeerSettings && ageMs >= PREFACE_TIMEOUT_MS) {
      this.destroy();
      return;
    }
    if (!this.#receiver.isSettingsAcked && ageMs >= SETTINGS_ACK_TIMEOUT_MS) {
      this.#fail(new ConnectionError(ErrorCode.SettingsTimeout, "SETTINGS not acknowledged"));
    }
    const pendingBytes = this.#socket.writableLength;
    const takenBytes = this.#output.writtenBytes - pendingBytes;
    if (pendingBytes === 0 || takenBytes !== this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#takenSinceMs = nowMs;
    } else if (nowMs - this.#takenSinceMs >= WRITE_STALL_MS) {
      this.destroy();
    }
  }

  #endPhase(): void {
    this.#phaseEndMs = Number.POSITIVE_INFINITY;
    if (this.#phase === "draining") this.#finishDraining();
    else this.destroy();
  }

  /** Second GOAWAY: with the last stream that will be served. */
  #finishDraining(): void {
    this.#phase = "drained";
    this.#phaseEndMs = Number.POSITIVE_INFINITY;
    this.#receiver.acceptsStreams = false;
    this.#sendGoAway(this.#receiver.lastStreamId, ErrorCode.NoError, "");
    if (this.#receiver.streams.size === 0) this.#linger();
  }

  #fail(error: ConnectionError): void {
    if (this.#isOver()) return;
    this.#context.log.debug("closing HTTP/2 connection", {
      "remote-addr": this.remoteAddress,
      code: error.code,
      reason: error.message,
    });
    this.#context.goAwayCounts[error.code]!++;
    this.#sendGoAway(this.#receiver.lastStreamId, error.code, error.message);
    this.#linger();
  }

  /** All is said. TCP is given a moment to deliver it; what still comes is dropped. */
  #linger(): void {
    this.#phase = "lingering";
    this.#phaseEndMs = this.#context.clock.monotonicMs() + LINGER_MS;
    this.#receiver.closeStreams();
    this.#sender.flush();
    this.#output.close();
    this.#socket.resume();
    this.#socket.end();
  }

  #close(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#output.close();
    this.#receiver.closeStreams();
    this.#sender.close();
    this.#socket.destroy();
    this.#onClosed(this);
  }

  #onDrain(): void {
    if (this.#phase === "closed") return;
    this.#output.onDrain();
    this.#sender.pump();
    this.#sender.flush();
    if (!this.#output.isBacklogged) this.#socket.resume();
  }
}

/** Common name of the certificate that the client has shown and that was found good, or "". */
function certificateNameOf(socket: Socket): string {
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>;
  if (authorized !== true || getPeerCertificate === undefined) return "";
  const name: string | string[] | undefined = getPeerCertificate.call(socket).subject?.CN;
  return (Array.isArray(name) ? name[0] : name) ?? "";
}
