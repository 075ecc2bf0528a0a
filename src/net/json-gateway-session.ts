// One request of the gateway from its first byte to the end of the call: text becomes messages, and
// messages go to the method. Only the first value counts for a method with one request; a stream
// takes value after value, and what cannot be read ends the client's side of it, as in etcd.
//
//   push(bytes) ─► text ─nextJsonValue─► fromJson ─► handle() or onMessage()
//   end()       ─► the rest                          onEnd()

import { fromJson } from "../wire/from-json.ts";
import { JsonError, nextJsonValue } from "../wire/json-scan.ts";
import type { Method, StreamHandler } from "../wire/rpc.ts";
import type { ServiceMethod } from "../wire/services.ts";
import { Code, RpcError } from "../wire/status.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { messageTooLarge } from "./grpc-text.ts";
import type { GatewayCall } from "./json-gateway-call.ts";

/** JSON is longer than its message: base64 by a third, escaped characters up to six times. */
const JSON_EXPANSION_MAX = 4;

const tooManyBodies: RpcError = new RpcError(
  Code.ResourceExhausted,
  "grpc: too many bytes of incomplete requests",
);

const nothing: Uint8Array = new Uint8Array(0);

export interface SessionLimits {
  readonly messageBytesMax: number;
  /** For the bodies of all requests together. */
  readonly bodies: ByteBudget;
}

export class GatewaySession {
  readonly #call: GatewayCall;
  readonly #method: Method;
  readonly #route: ServiceMethod;
  readonly #limits: SessionLimits;
  /** Looks for the end of a value while bytes come; null: the body is one value. */
  readonly #ends: ValueEnds | null;
  #handler: { onCancel(): void } | null = null;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #isDeaf = false;

  /** `isEager`: the first value counts as soon as it is complete, although more may come. */
  constructor(parts: {
    call: GatewayCall;
    method: Method;
    route: ServiceMethod;
    limits: SessionLimits;
    isEager: boolean;
  }) {
    this.#call = parts.call;
    this.#method = parts.method;
    this.#route = parts.route;
    this.#limits = parts.limits;
    const isBidi = parts.method.kind === "bidi-stream";
    this.#ends = parts.isEager || isBidi ? new ValueEnds() : null;
    if (parts.method.kind === "bidi-stream") this.#keep(parts.method.open(parts.call));
  }

  push(bytes: Uint8Array): void {
    if (this.#isDeaf) return;
    const { bodies, messageBytesMax } = this.#limits;
    const max = messageBytesMax * JSON_EXPANSION_MAX;
    const total = this.#heldBytes + bytes.length;
    if (total > max) this.#call.abort(messageTooLarge(total, max));
    else if (!bodies.hasRoom(bytes.length)) this.#call.abort(tooManyBodies);
    else {
      this.#hold(bytes);
      if (this.#ends?.push(bytes) === true) this.#takeValues(false);
    }
  }

  /** The client will send no more. */
  end(): void {
    if (this.#isDeaf) return;
    this.#takeValues(true);
    if (this.#isDeaf) return;
    this.#stopListening();
    if (this.#method.kind === "bidi-stream") (this.#handler as StreamHandler).onEnd();
    else this.#deliver(nothing);
  }

  /** The call has ended; whoever did not end it must be told. */
  onDone(byMethod: boolean): void {
    this.#stopListening();
    const handler = this.#handler;
    this.#handler = null;
    if (!byMethod) handler?.onCancel();
  }

  #takeValues(isEnd: boolean): void {
    let at = 0;
    let text = "";
    try {
      text = decodeText(Buffer.concat(this.#chunks), isEnd);
      while (!this.#isDeaf) {
        const span = nextJsonValue(text, at);
        if (span === undefined) break;
        const message = fromJson(this.#route.request, text, span);
        at = span.end;
        this.#take(message);
      }
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      if (isEnd || error.message !== UNFINISHED) this.#onUnreadable(error);
    }
    if (!this.#isDeaf) this.#keepFrom(Buffer.byteLength(text.slice(0, at)));
  }

  #take(message: Uint8Array): void {
    const { messageBytesMax } = this.#limits;
    if (message.length > messageBytesMax) {
      this.#call.abort(messageTooLarge(message.length, messageBytesMax));
      return;
    }
    if (this.#method.kind !== "bidi-stream") this.#stopListening();
    this.#deliver(message);
  }

  #deliver(message: Uint8Array): void {
    const method = this.#method;
    switch (method.kind) {
      case "unary":
        method.handle(this.#call, message, 0, message.length);
        return;
      case "server-stream":
        this.#keep(method.handle(this.#call, message, 0, message.length));
        return;
      case "bidi-stream":
        (this.#handler as StreamHandler).onMessage(message, 0, message.length);
    }
  }

  /** A method may end the call before it returns. */
  #keep(handler: { onCancel(): void }): void {
    if (this.#call.isCancelled) this.#isDeaf = true;
    else this.#handler = handler;
  }

  #onUnreadable(error: JsonError): void {
    this.#stopListening();
    if (this.#method.kind === "bidi-stream") (this.#handler as StreamHandler).onEnd();
    else this.#call.fail(new RpcError(Code.InvalidArgument, error.message));
  }

  #hold(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#heldBytes += bytes.length;
    this.#limits.bodies.take(bytes.length);
  }

  #keepFrom(offset: number): void {
    const rest = Buffer.concat(this.#chunks).subarray(offset);
    this.#release();
    if (rest.length > 0) this.#hold(rest);
  }

  #stopListening(): void {
    this.#isDeaf = true;
    this.#release();
  }

  #release(): void {
    this.#limits.bodies.release(this.#heldBytes);
    this.#heldBytes = 0;
    this.#chunks = [];
  }
}

const Byte = { LineFeed: 10, Quote: 34, Backslash: 92 } as const;

/**
 * Counts brackets, so that text is parsed when a value is complete and not each time that a byte
 * comes. What is no object cannot be a message: it is parsed, and refused, at the end of its line.
 */
class ValueEnds {
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  #isOther = false;

  /** True if a value may have ended within `bytes`. */
  push(bytes: Uint8Array): boolean {
    let hasEnd = false;
    for (const byte of bytes) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isString) {
        if (byte === Byte.Quote) this.#isString = false;
        else if (byte === Byte.Backslash) this.#isEscaped = true;
      } else if (byte === Byte.Quote && this.#depth > 0) this.#isString = true;
      else hasEnd = this.#onBare(byte) || hasEnd;
    }
    return hasEnd;
  }

  #onBare(byte: number): boolean {
    switch (byte) {
      case 0x7b: // {
      case 0x5b: // [
        this.#depth++;
        return false;
      case 0x7d: // }
      case 0x5d: // ]
        this.#depth = Math.max(0, this.#depth - 1);
        return this.#depth === 0;
      default:
        if (this.#depth > 0) return false;
        if (byte > 0x20) this.#isOther = true;
        return this.#isOther && byte === Byte.LineFeed;
    }
  }
}

/** Of a value that has begun and not ended. */
const UNFINISHED = "unexpected EOF";

/** A character at the end that has not come as a whole is left out, unless this is the end. */
function decodeText(bytes: Uint8Array, isEnd: boolean): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes, { stream: !isEnd });
  } catch {
    throw invalidUtf8(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  }
}

/** Errors of syntax come first, then the string in which the bad bytes are. */
function invalidUtf8(text: string): JsonError {
  try {
    nextJsonValue(text, 0);
  } catch (error) {
    if (error instanceof JsonError) return error;
  }
  const before = text.slice(0, text.lastIndexOf('"', text.indexOf("\ufffd")));
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  const line = before.split("\n").length;
  return new JsonError(
    `proto:\u00a0syntax error (line ${line}:${column}): invalid UTF-8 in string`,
  );
}
