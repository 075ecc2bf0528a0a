// Answers of the peer port, as Go's net/http writes them.

import type { ServerResponse } from "node:http";
import type { PeerAnswer, PeerHandlers } from "../../io/network.ts";
import type { Message } from "../../wire/messages/raft.ts";

export function sendAnswer(response: ServerResponse, answer: PeerAnswer): void {
  if (response.destroyed || response.headersSent) return;
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(canonical(name), value);
  }
  if (answer.status === 204) {
    response.end();
    return;
  }
  // Named here so that it comes before the length, as Go's does.
  response.setHeader("Date", new Date().toUTCString());
  response.setHeader("Content-Length", answer.body.length);
  response.end(answer.body);
}

/** As http.Error. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  sendAnswer(response, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    },
    body: Buffer.from(`${text}\n`),
  });
}

export function sendMethodNotAllowed(response: ServerResponse, allow: string): void {
  response.setHeader("Allow", allow);
  sendText(response, 405, "Method Not Allowed");
}

/**
 * 403 for a message that this member must not take. Go's members take that code for their own
 * removal and stop for good: so only when it is certain, as etcd does.
 */
export function forbiddenAnswer(self: PeerHandlers, message: Message): PeerAnswer | null {
  const isRemoved = self.isRemoved(message.from);
  if (!isRemoved && message.to === self.memberId) return null;
  const text = isRemoved
    ? "cannot process message from removed member"
    : "cannot process message to mismatch member";
  const body = Buffer.from(JSON.stringify({ message: text }));
  return { status: 403, headers: { "content-type": "application/json" }, body };
}

/** "x-etcd-cluster-id" as Go prints it: X-Etcd-Cluster-Id. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
