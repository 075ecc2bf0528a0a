// Answers to peers in the form Go's net/http gives them.

import type { PeerAnswer } from "../io/network.ts";

/** As http.Error: a line of text, never sniffed. */
export function plainText(status: number, text: string): PeerAnswer {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
  };
  return { status, headers, body: Buffer.from(`${text}\n`) };
}

export function jsonAnswer(status: number, body: string | Uint8Array): PeerAnswer {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return { status, headers: { "content-type": "application/json" }, body: bytes };
}

export function methodNotAllowed(allow: string): PeerAnswer {
  const answer = plainText(405, "Method Not Allowed");
  return { ...answer, headers: { allow, ...answer.headers } };
}
