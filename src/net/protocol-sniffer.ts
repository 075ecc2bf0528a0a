// What a new connection speaks, by its first bytes: TLS begins with 0x16, HTTP/2 with a fixed
// preface, HTTP/1.1 with a method. Who begins otherwise gets no answer.

import type { Socket } from "node:net";
import { PREFACE } from "./frames.ts";

export type Protocol = "tls" | "http2" | "http1" | "unknown";

const TLS_HANDSHAKE_RECORD = 0x16;
const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "CONNECT",
  "TRACE",
]);
const METHOD_CHARS_MAX = 7;

/**
 * Calls `found` once with all bytes read so far (for "http2" those after the preface). Nothing
 * listens to the socket then; it is flowing.
 */
export function sniffProtocol(
  socket: Socket,
  found: (protocol: Protocol, bytes: Buffer) => void,
): void {
  let pending: Buffer | null = null;
  const onData = (chunk: Buffer): void => {
    const bytes = pending === null ? chunk : Buffer.concat([pending, chunk]);
    const protocol = protocolOf(bytes);
    pending = bytes;
    if (protocol === null) return;
    socket.removeListener("data", onData);
    found(protocol, protocol === "http2" ? bytes.subarray(PREFACE.length) : bytes);
  };
  socket.on("data", onData);
}

/** Null while it cannot be told. */
export function protocolOf(bytes: Uint8Array): Protocol | null {
  if (bytes[0] === TLS_HANDSHAKE_RECORD) return "tls";
  if (isPrefix(bytes, PREFACE)) return bytes.length < PREFACE.length ? null : "http2";
  const start = Buffer.from(bytes.subarray(0, METHOD_CHARS_MAX + 1)).toString("latin1");
  const space = start.indexOf(" ");
  if (space >= 0) return METHODS.has(start.slice(0, space)) ? "http1" : "unknown";
  return start.length > METHOD_CHARS_MAX ? "unknown" : null;
}

function isPrefix(bytes: Uint8Array, whole: Uint8Array): boolean {
  const length = Math.min(bytes.length, whole.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== whole[at]) return false;
  return true;
}
