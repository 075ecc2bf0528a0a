// Answers of the plain HTTP endpoints in the form Go's net/http gives them.

import type { HttpResponse } from "../wire/rpc.ts";

/** As http.Error: text, never sniffed. */
export function plainText(status: number, body: string): HttpResponse {
  return {
    status,
    headers: [
      ["Content-Type", "text/plain; charset=utf-8"],
      ["X-Content-Type-Options", "nosniff"],
    ],
    body,
  };
}

export function notFound(): HttpResponse {
  return plainText(404, "404 page not found\n");
}

export function json(body: string): HttpResponse {
  return { status: 200, headers: [["Content-Type", "application/json"]], body };
}

export function methodNotAllowed(allow: string): HttpResponse {
  const answer = plainText(405, "Method Not Allowed\n");
  return { ...answer, headers: [["Allow", allow], ...answer.headers] };
}
