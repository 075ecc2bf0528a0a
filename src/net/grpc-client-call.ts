// One gRPC call of a client over a node:http2 stream: frames the messages, reads the status.
//
//   send ─► [0|length|message]…  ─► END_STREAM        (a unary call ends at once)
//   :status, content-type ─► [0|length|message]… ─► grpc-status, grpc-message   (trailers)
//
// A call settles once: with its last message and status OK, or with an error. Clients decide by
// the error whether they may call again, so it matters whether the server can have seen the call:
// `Unprocessed` says that it certainly has not.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { Code, RpcError } from "../wire/status.ts";

/** Thrown in place of an RpcError when the server has not acted on the call. */
export class Unprocessed {
  readonly error: RpcError;
  constructor(error: RpcError) {
    this.error = error;
  }
}

/** The client's own time was over; what the server did is unknown. */
export const CONTEXT_DEADLINE_EXCEEDED: RpcError = new RpcError(
  Code.DeadlineExceeded,
  "context deadline exceeded",
);
export const CONTEXT_CANCELED: RpcError = new RpcError(Code.Canceled, "context canceled");

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A call with any number of messages in both directions. */
export interface ClientStream {
  send(message: Uint8Array): void;
  /** No more messages will be sent. */
  end(): void;
  cancel(): void;
  /** The next message, or undefined after the last. @throws RpcError | Unprocessed */
  next(): Promise<Uint8Array | undefined>;
}

/** Messages that wait to be taken; above it the stream is paused and the server has to wait. */
const QUEUED_MESSAGES_MAX = 64;

const FRAME_HEADER_BYTES = 5;

/** Servers count the time, too: when theirs is over first, they reset the stream. */
const DEADLINE_MARGIN_MS = 20;

const codeOfHttpStatus: Readonly<Record<number, Code>> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  429: Code.Unavailable,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

const codeOfReset: Readonly<Record<number, Code>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_CANCEL]: Code.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_FLOW_CONTROL_ERROR]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
};

const resetNames = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The status in `headers`, or undefined when it has none. */
function statusOf(headers: IncomingHttpHeaders): RpcError | undefined {
  const status = headers["grpc-status"];
  if (typeof status !== "string") return undefined;
  const code = Number(status);
  const known = Number.isInteger(code) && code >= 0 && code <= Code.Unauthenticated;
  const message = headers["grpc-message"];
  return new RpcError(
    (known ? code : Code.Unknown) as Code,
    typeof message === "string" ? decodeMessage(message) : "",
  );
}

export function frame(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, FRAME_HEADER_BYTES);
  return bytes;
}

/** The longest that gRPC's eight digits of milliseconds can say; more means no limit. */
const TIMEOUT_MS_MAX = 99_999_999;

export function timeoutHeader(timeoutMs: number): string | undefined {
  if (timeoutMs > TIMEOUT_MS_MAX) return undefined;
  if (timeoutMs < 1000) return `${Math.max(1, Math.ceil(timeoutMs * 1000))}u`;
  return `${Math.ceil(timeoutMs)}m`;
}

export interface CallLimits {
  readonly sendBytesMax: number;
  readonly receiveBytesMax: number;
}

/** Splits what arrives into messages. */
class Deframer {
  readonly #receiveBytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #wanted = FRAME_HEADER_BYTES;
  #inHeader = true;

  constructor(receiveBytesMax: number) {
    this.#receiveBytesMax = receiveBytesMax;
  }

  /** @throws RpcError */
  push(chunk: Uint8Array, emit: (message: Uint8Array) => void): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      const piece = all.subarray(0, this.#wanted);
      this.#parts = all.length > this.#wanted ? [all.subarray(this.#wanted)] : [];
      this.#bytes = all.length - this.#wanted;
      if (this.#inHeader) this.#header(piece);
      else {
        this.#inHeader = true;
        this.#wanted = FRAME_HEADER_BYTES;
        emit(piece);
      }
    }
  }

  #header(piece: Uint8Array): void {
    if (piece[0] !== 0) {
      throw new RpcError(
        Code.Internal,
        "grpc: compressed flag set with identity or empty encoding",
      );
    }
    const length = new DataView(piece.buffer, piece.byteOffset).getUint32(1);
    if (length > this.#receiveBytesMax) {
      throw new RpcError(
        Code.ResourceExhausted,
        `grpc: received message larger than max (${length} vs. ${this.#receiveBytesMax})`,
      );
    }
    this.#inHeader = false;
    this.#wanted = length;
  }
}

/** Why the connection under a call is going down; asked when a stream ends without a status. */
export type LostReason = () => string;

export class Http2Call implements ClientStream {
  readonly #stream: ClientHttp2Stream;
  readonly #limits: CallLimits;
  readonly #lost: LostReason;
  readonly #signal: AbortSignal | undefined;
  readonly #deframer: Deframer;
  readonly #queue: Uint8Array[] = [];
  #status: RpcError | undefined;
  #answered = false;
  #settled = false;
  #failure: RpcError | Unprocessed | undefined;
  #waiting: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  readonly #onAbort = (): void => this.#abandon(CONTEXT_CANCELED);

  constructor(
    stream: ClientHttp2Stream,
    limits: CallLimits,
    options: CallOptions,
    lost: LostReason,
  ) {
    this.#stream = stream;
    this.#limits = limits;
    this.#lost = lost;
    this.#deframer = new Deframer(limits.receiveBytesMax);
    stream.on("response", (headers) => this.#onHeaders(headers));
    stream.on("trailers", (headers) => {
      this.#status ??= statusOf(headers);
    });
    stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    // The reason is in `rstCode`; "close" always follows.
    stream.on("error", () => {});
    stream.on("close", () => this.#onClose());
    if (options.timeoutMs !== undefined && options.timeoutMs <= TIMEOUT_MS_MAX) {
      const late = (): void => this.#abandon(CONTEXT_DEADLINE_EXCEEDED);
      this.#timer = setTimeout(late, options.timeoutMs);
      this.#deadlineMs = performance.now() + options.timeoutMs;
    }
    this.#signal = options.signal;
    if (this.#signal?.aborted === true) this.#onAbort();
    else this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  send(message: Uint8Array): void {
    if (this.#settled) return;
    if (message.length > this.#limits.sendBytesMax) {
      this.#abandon(tooLarge(message.length, this.#limits.sendBytesMax));
    } else this.#stream.write(frame(message));
  }

  end(): void {
    if (!this.#settled) this.#stream.end();
  }

  cancel(): void {
    this.#abandon(CONTEXT_CANCELED);
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) {
        if (this.#queue.length < QUEUED_MESSAGES_MAX) this.#stream.resume();
        return message;
      }
      if (this.#settled) {
        if (this.#failure !== undefined) throw this.#failure;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  #onHeaders(headers: IncomingHttpHeaders): void {
    this.#answered = true;
    // An error may come without a body: its status is then in the only block of headers.
    this.#status = statusOf(headers);
    if (this.#status !== undefined) return;
    const http = Number(headers[":status"]);
    const type = headers["content-type"];
    if (http !== 200) {
      const code = codeOfHttpStatus[http] ?? Code.Unknown;
      this.#abandon(
        new RpcError(code, `unexpected HTTP status code received from server: ${http}`),
      );
    } else if (type === undefined || !type.startsWith("application/grpc")) {
      const text = `received unexpected content-type "${type ?? ""}"`;
      this.#abandon(new RpcError(Code.Unknown, text));
    }
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#deframer.push(chunk, (message) => this.#queue.push(message));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#abandon(error);
      return;
    }
    if (this.#queue.length >= QUEUED_MESSAGES_MAX) this.#stream.pause();
    this.#wake();
  }

  #onClose(): void {
    if (this.#status !== undefined) {
      this.#settle(this.#status.code === Code.OK ? undefined : this.#status);
      return;
    }
    const reset = this.#stream.rstCode ?? 0;
    // A connection that goes down closes its streams with the code of nothing in particular.
    const isLost = reset === constants.NGHTTP2_NO_ERROR || this.#stream.session === undefined;
    const isLate = performance.now() >= this.#deadlineMs - DEADLINE_MARGIN_MS;
    if (reset === constants.NGHTTP2_CANCEL && isLate) {
      this.#settle(CONTEXT_DEADLINE_EXCEEDED);
    } else if (reset === constants.NGHTTP2_REFUSED_STREAM && !this.#answered) {
      this.#settle(new Unprocessed(resetError(reset)));
    } else if (isLost || reset === constants.NGHTTP2_CANCEL || reset === 2) {
      const lost = this.#lost();
      const error = new RpcError(Code.Unavailable, `error reading from server: ${lost}`);
      this.#settle(lost === "" ? resetError(reset) : error);
    } else this.#settle(resetError(reset));
  }

  #abandon(error: RpcError): void {
    if (this.#settled) return;
    this.#settle(error);
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #settle(failure: RpcError | Unprocessed | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#failure = failure;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}

export function tooLarge(sizeBytes: number, maxBytes: number): RpcError {
  return new RpcError(
    Code.ResourceExhausted,
    `trying to send message larger than max (${sizeBytes} vs. ${maxBytes})`,
  );
}

function resetError(reset: number): RpcError {
  const name = resetNames[reset] ?? String(reset);
  return new RpcError(
    codeOfReset[reset] ?? Code.Internal,
    `stream terminated by RST_STREAM with error code: ${name}`,
  );
}
