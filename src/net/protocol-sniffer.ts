// What a new connection speaks, by its first bytes: TLS begins with 0x16, HTTP/2 with a fixed
// preface, and everything else is left to HTTP/1.1, which answers nonsense with 400.

import type { Socket } from "node:net";
import { PREFACE } from "./frames.ts";

export type Protocol = "tls" | "http2" | "http1";

const TLS_HANDSHAKE_RECORD = 0x16;

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
  const length = Math.min(bytes.length, PREFACE.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== PREFACE[at]) return "http1";
  return length === PREFACE.length ? "http2" : null;
}
