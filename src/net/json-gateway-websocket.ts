// The server's side of a WebSocket (RFC 6455), as far as the gateway needs it: text in, text out.
//
//   frame:  │FIN …  opcode│MASK  length│ 16 or 64 bits of length │ 4 bytes mask │ payload │
//           └── 1 byte ───┴── 1 byte ──┘
//
// Frames of clients are masked, ours are not. No extensions, no sub-protocol but "Bearer", which
// carries a token, because browsers can set no header here.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RpcError } from "../wire/status.ts";
import { DrainWatch, type GatewayOutput } from "./json-gateway-output.ts";
import { errorJson } from "./json-gateway-text.ts";

/** From RFC 6455; its only purpose is to prove that both sides mean WebSocket. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** One message is one JSON value: four times the largest request, as for bodies. */
const MESSAGE_BYTES_MAX: number = 8 * 1024 * 1024;
/** Of pings and the like, by the RFC. */
const CONTROL_BYTES_MAX = 125;

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

const CloseCode = { Normal: 1000, ProtocolError: 1002, TooBig: 1009 } as const;

const LINE_END: Uint8Array = Uint8Array.of(10);

export interface WebSocketSink {
  /** A whole message. */
  onText(bytes: Uint8Array): void;
  /** The client has gone, or broke the rules. */
  onClose(): void;
}

/** Answers the handshake; undefined if it was refused. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
): WebSocketOutput | undefined {
  const { headers } = request;
  const key = headers["sec-websocket-key"];
  const isValid =
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["sec-websocket-version"] === "13" &&
    key !== undefined &&
    request.method === "GET";
  if (!isValid) {
    socket.end(
      "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n\r\n",
    );
    return undefined;
  }
  const accept = createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
  const hasBearer = headers["sec-websocket-protocol"]?.startsWith("Bearer") === true;
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n` +
      `${hasBearer ? "Sec-WebSocket-Protocol: Bearer\r\n" : ""}\r\n`,
  );
  return new WebSocketOutput(socket);
}

/** The token in "Sec-WebSocket-Protocol: Bearer, <token>", as an Authorization header has it. */
export function bearerOf(protocol: string | undefined): string | undefined {
  const match = /^Bearer,(.*)$/.exec(protocol ?? "");
  return match === null ? undefined : `Bearer ${match[1]!.trim()}`;
}

export class WebSocketOutput implements GatewayOutput {
  readonly #socket: Duplex;
  readonly #drain: DrainWatch;
  #sink: WebSocketSink | null = null;
  #pending: Buffer = Buffer.alloc(0);
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #isClosing = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    this.#drain = new DrainWatch(socket);
    socket.on("error", () => {});
  }

  listen(head: Buffer, sink: WebSocketSink): void {
    this.#sink = sink;
    const socket = this.#socket;
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("close", () => this.#sink?.onClose());
    socket.on("end", () => socket.end());
    if (head.length > 0) this.#onData(head);
    socket.resume();
  }

  get queuedBytes(): number {
    return this.#drain.queuedBytes;
  }

  whenDrained(belowBytes: number, task: () => void): void {
    this.#drain.whenDrained(belowBytes, task);
  }

  answer(json: string): void {
    this.#sendText(json);
    this.end();
  }

  fail(error: RpcError): void {
    this.answer(errorJson(error, "spaced"));
  }

  chunk(json: string): void {
    this.#sendText(`{"result":${json}}`);
  }

  failStream(error: RpcError): void {
    this.answer(`{"error":${errorJson(error, "compact")}}`);
  }

  end(): void {
    this.#close(CloseCode.Normal);
  }

  #sendText(text: string): void {
    if (!this.#isClosing) this.#drain.write(frame(Opcode.Text, Buffer.from(text)));
  }

  #close(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#drain.write(frame(Opcode.Close, Uint8Array.of(code >> 8, code & 255)));
    this.#socket.end();
  }

  #onData(chunk: Buffer): void {
    if (this.#isClosing) return;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const found = readFrame(this.#pending);
      if (found === "incomplete") return;
      if (typeof found === "number") {
        this.#close(found);
        this.#sink?.onClose();
        return;
      }
      this.#pending = this.#pending.subarray(found.length);
      this.#onFrame(found);
      if (this.#isClosing) return;
    }
  }

  #onFrame({ opcode, isFinal, payload }: Frame): void {
    switch (opcode) {
      case Opcode.Ping:
        this.#drain.write(frame(Opcode.Pong, payload));
        return;
      case Opcode.Pong:
        return;
      case Opcode.Close:
        this.#close(CloseCode.Normal);
        this.#sink?.onClose();
        return;
      default:
        this.#onPart(opcode, isFinal, payload);
    }
  }

  #onPart(opcode: number, isFinal: boolean, payload: Uint8Array): void {
    const isContinuation = opcode === Opcode.Continuation;
    const isStarted = this.#parts.length > 0;
    if (isContinuation !== isStarted) {
      this.#close(CloseCode.ProtocolError);
      this.#sink?.onClose();
      return;
    }
    this.#parts.push(payload);
    this.#partsBytes += payload.length;
    if (this.#partsBytes > MESSAGE_BYTES_MAX) {
      this.#close(CloseCode.TooBig);
      this.#sink?.onClose();
      return;
    }
    if (!isFinal) return;
    const message = Buffer.concat([...this.#parts, LINE_END]);
    this.#parts = [];
    this.#partsBytes = 0;
    this.#sink?.onText(message);
  }
}

interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Uint8Array;
  /** Of the whole frame. */
  readonly length: number;
}

/** The first frame in `bytes`, or the code to close with when it breaks the rules. */
function readFrame(bytes: Buffer): Frame | "incomplete" | number {
  if (bytes.length < 2) return "incomplete";
  const first = bytes[0]!;
  const second = bytes[1]!;
  const opcode = first & 0x0f;
  const isControl = opcode >= Opcode.Close;
  const isKnown = opcode <= Opcode.Binary || (isControl && opcode <= Opcode.Pong);
  const hasReserved = (first & 0x70) !== 0;
  const isMasked = (second & 0x80) !== 0;
  if (!isKnown || hasReserved || !isMasked) return CloseCode.ProtocolError;
  const isFinal = (first & 0x80) !== 0;
  let size = second & 0x7f;
  if (isControl && (size > CONTROL_BYTES_MAX || !isFinal)) return CloseCode.ProtocolError;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return "incomplete";
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return "incomplete";
    size = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (size > MESSAGE_BYTES_MAX) return CloseCode.TooBig;
  const length = at + 4 + size;
  if (bytes.length < length) return "incomplete";
  const payload = new Uint8Array(size);
  for (let i = 0; i < size; i++) payload[i] = bytes[at + 4 + i]! ^ bytes[at + (i & 3)]!;
  return { opcode, isFinal, payload, length };
}

function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) {
    head[1] = length;
  } else if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
