// Who may talk HTTP to us from a browser: --cors and --host-whitelist, with etcd's texts.

import type { IncomingMessage, ServerResponse } from "node:http";

export interface AccessRules {
  /** --cors: allowed origins; empty, or with "*", all. null: no word about origins (peers). */
  readonly cors: readonly string[] | null;
  /** --host-whitelist: allowed Host names of plain HTTP; empty, or with "*", all. */
  readonly hostWhitelist: readonly string[];
}

export const openToAll: AccessRules = { cors: [], hostWhitelist: [] };

/** Checks Host and writes the CORS headers. Returns false when the request is answered. */
export function admit(
  rules: AccessRules,
  request: IncomingMessage,
  response: ServerResponse,
  isSecure: boolean,
): boolean {
  const host = hostName(request.headers.host ?? "");
  if (!isSecure && !allows(rules.hostWhitelist, host)) {
    sendPlainError(response, 421, unknownHost(host));
    return false;
  }
  const origin = request.headers.origin ?? "";
  if (rules.cors === null) return true;
  if (allows(rules.cors, "*")) allowOrigin(response, "*");
  else if (rules.cors.includes(origin)) allowOrigin(response, origin);
  if (request.method === "OPTIONS") {
    response.end();
    return false;
  }
  return true;
}

/** As Go's http.Error: plain text and a line break. */
export function sendPlainError(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Date", new Date().toUTCString());
  response.setHeader("Content-Length", text.length + 1);
  response.end(`${text}\n`);
}

function allows(list: readonly string[], value: string): boolean {
  return list.length === 0 || list.includes("*") || list.includes(value);
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader("Access-Control-Allow-Headers", "accept, content-type, authorization");
  response.setHeader("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE");
  response.setHeader("Access-Control-Allow-Origin", origin);
}

/** A Host header without its port. */
function hostName(host: string): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  const colon = host.lastIndexOf(":");
  return colon < 0 ? host : host.slice(0, colon);
}

function unknownHost(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${JSON.stringify(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`;
}
