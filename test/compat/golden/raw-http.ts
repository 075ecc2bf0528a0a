// One HTTP/1.1 request over a socket of its own, with exactly the headers that are asked for, and
// the answer with its headers in the order in which they came.

import { connect } from "node:net";

export interface HttpRequest {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | undefined;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** Rejects when there is no answer in time, or none that is HTTP. */
export function request(options: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(options.port, "127.0.0.1");
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(new Error("timeout")), options.timeoutMs);
    const settle = (closed: boolean): void => {
      const answer = parse(received, options.method === "HEAD", closed);
      if (answer === undefined) {
        if (closed) reject(new Error("connection closed"));
        return;
      }
      resolve(answer);
      socket.destroy();
    };
    socket.on("connect", () => socket.write(head(options)));
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      settle(false);
    });
    socket.on("end", () => settle(true));
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      reject(new Error("connection closed"));
    });
  });
}

function head({ method, path, headers, body, port }: HttpRequest): string {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = [`${method} ${path} HTTP/1.1`];
  if (!given.has("host")) lines.push(`Host: 127.0.0.1:${port}`);
  if (!given.has("accept-encoding")) lines.push("Accept-Encoding: identity");
  const sends = body !== undefined || ["POST", "PUT", "PATCH"].includes(method);
  if (sends) lines.push(`Content-Length: ${Buffer.byteLength(body ?? "")}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Undefined: not all of it is there yet. */
function parse(bytes: Buffer, withoutBody: boolean, closed: boolean): HttpAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...rest] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first);
  if (status === null) return undefined;
  const headers = rest.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const value = (name: string) => headers.find(([key]) => key.toLowerCase() === name)?.[1];
  const after = bytes.subarray(end + 4);
  const code = Number(status[1]);
  let body: Buffer | undefined;
  if (withoutBody || code === 204 || code === 304) body = Buffer.alloc(0);
  else if (value("transfer-encoding") === "chunked") body = joinChunks(after);
  else if (value("content-length") !== undefined) {
    const length = Number(value("content-length"));
    if (after.length >= length) body = after.subarray(0, length);
  } else if (closed) body = after;
  return body && { status: code, reason: status[2]!, headers, body };
}

function joinChunks(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    const from = line + 2;
    if (bytes.length < from + size + 2) return undefined;
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}
