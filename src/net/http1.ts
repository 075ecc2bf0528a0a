// HTTP/1.1 on the client port: sockets come from the sniffer, requests go to the JSON gateway and
// then to the plain endpoints (health, metrics, version). Parsing is Node's; it never listens.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "../base/log.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../wire/rpc.ts";
import { type AccessRules, admit, sendPlainError } from "./access-control.ts";
import { nodeHttp } from "./lazy-node.ts";
import { remoteAddressOf } from "./remote-address.ts";

/** JSON over HTTP/1.1 (json-gateway.ts). */
export interface Gateway {
  /** Returns false for a path that is not its own. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** WebSocket on the same paths. Returns false for a path that is not its own. */
  handleUpgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** The connections are about to be cut. */
  cut?(): void;
}

export interface Http1Options {
  readonly log: Logger;
  readonly handler: HttpHandler;
  readonly gateway: Gateway | undefined;
  readonly access: AccessRules;
}

/** Tokens and cookies fit many times over. */
const HEADER_BYTES_MAX = 64 * 1024;
const HEADERS_TIMEOUT_MS = 20_000;
/** A whole request, as etcd has it for headers; the answer may take for ever (a watch). */
const REQUEST_TIMEOUT_MS = 300_000;
/** Longer than load balancers keep idle connections, so that they close first. */
const IDLE_TIMEOUT_MS = 120_000;
/** The plain endpoints hardly take bodies. */
const PLAIN_BODY_BYTES_MAX = 64 * 1024;

export class Http1Server {
  readonly #options: Http1Options;
  /** Made for the first connection: many servers never see one. */
  #server: Server | null = null;

  constructor(options: Http1Options) {
    this.#options = options;
  }

  /** `socket`: anything with bytes of HTTP/1.1; what was read of it is unshifted. */
  accept(socket: Duplex): void {
    this.#server ??= this.#makeServer();
    this.#server.emit("connection", socket);
  }

  /** Ends connections without a request; the others with their request. */
  drain(): void {
    this.#server?.close(() => {});
    this.#server?.closeIdleConnections();
  }

  destroy(): void {
    this.#server?.closeAllConnections();
  }

  #makeServer(): Server {
    const server = nodeHttp().createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: IDLE_TIMEOUT_MS,
      },
      (request, response) => this.#onRequest(request, response),
    );
    server.on("upgrade", (request, socket, head) => {
      const { gateway } = this.#options;
      if (gateway?.handleUpgrade?.(request, socket, head) === true) return;
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    });
    // Starts the check of the timeouts above, which otherwise begins with listen().
    server.emit("listening");
    return server;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { access, gateway } = this.#options;
    // Go does not say what is the default anyway.
    if (response.shouldKeepAlive) response.removeHeader("Connection");
    if (!admit(access, request, response, isSecure(request))) return;
    if (gateway?.handle(request, response) === true) return;
    if (request.url?.startsWith("/") !== true) {
      sendPlainError(response, 400, "400 Bad Request");
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= PLAIN_BODY_BYTES_MAX) chunks.push(chunk);
      else if (!response.headersSent) {
        response.setHeader("Connection", "close");
        sendPlainError(response, 413, "request body too large");
      }
    });
    request.on("end", () => {
      if (!response.headersSent)
        this.#answer(plainRequest(request, Buffer.concat(chunks)), response);
    });
  }

  #answer(request: HttpRequest, response: ServerResponse): void {
    const answer = this.#options.handler(request);
    if (answer === undefined) {
      sendPlainError(response, 404, "404 page not found");
      return;
    }
    if (!(answer instanceof Promise)) {
      send(answer, response);
      return;
    }
    answer.then(
      (later) => send(later, response),
      (error: unknown) => {
        this.#options.log.warn("failed to answer HTTP request", { path: request.path, error });
        sendPlainError(response, 500, "internal server error");
      },
    );
  }
}

function send(answer: HttpResponse, response: ServerResponse): void {
  if (response.destroyed) return;
  response.statusCode = answer.status;
  const headers = [...answer.headers].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of headers) response.setHeader(name, value);
  response.setHeader("Date", new Date().toUTCString());
  const sizeBytes = Buffer.byteLength(answer.body);
  if (sizeBytes > GO_BUFFER_BYTES) {
    response.write(answer.body);
    response.end();
    return;
  }
  response.setHeader("Content-Length", sizeBytes);
  if (!response.hasHeader("Content-Type") && sizeBytes > 0) {
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
  }
  response.end(answer.body);
}

/** Go's server knows the length of what fits here when the handler returns; the rest is chunked. */
const GO_BUFFER_BYTES = 2048;

function plainRequest(request: IncomingMessage, body: Uint8Array): HttpRequest {
  const target = request.url ?? "/";
  const question = target.indexOf("?");
  return {
    method: request.method ?? "GET",
    path: question < 0 ? target : target.slice(0, question),
    query: new URLSearchParams(question < 0 ? "" : target.slice(question + 1)),
    header: (name) => {
      const value = request.headers[name.toLowerCase()];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    body,
    remoteAddress: remoteAddressOf(request.socket),
  };
}

function isSecure(request: IncomingMessage): boolean {
  return "encrypted" in request.socket && request.socket.encrypted === true;
}
