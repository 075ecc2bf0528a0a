// Where the answers of a gateway call go: an HTTP response, or (json-gateway-websocket.ts) the
// frames of a WebSocket. A unary call has one answer; a stream has chunks, one JSON object each,
// and an error is the last of them.
//
// Headers are sent with the first answer, so that an error before it still has its HTTP status, and
// in Go's order: ours, Date, then length or encoding (which Node adds if left to it).

import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, type RpcError } from "../wire/status.ts";
import { errorJson, httpStatusOf } from "./json-gateway-text.ts";

export interface GatewayOutput {
  /** Handed over and not yet taken by the kernel. */
  readonly queuedBytes: number;
  whenDrained(belowBytes: number, task: () => void): void;
  /** The one answer of a unary call. */
  answer(json: string): void;
  /** Instead of it. */
  fail(error: RpcError): void;
  /** One message of a stream. */
  chunk(json: string): void;
  /** Ends the stream. */
  failStream(error: RpcError): void;
  end(): void;
}

/** What both kinds of output write to. */
interface Sink {
  readonly writableLength: number;
  cork(): void;
  write(text: string | Uint8Array, done: () => void): boolean;
  uncork(): void;
}

/** Tells when what was written has left. */
export class DrainWatch {
  readonly #sink: Sink;
  #waiting: { belowBytes: number; task: () => void }[] = [];

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  get queuedBytes(): number {
    return this.#sink.writableLength;
  }

  write(data: string | Uint8Array): void {
    // Some versions of Node merge the writes of a turn into one HTTP chunk, others do not. Clients
    // take a chunk for a message, so each write becomes one.
    this.#sink.cork();
    this.#sink.write(data, this.#check);
    this.#sink.uncork();
  }

  whenDrained(belowBytes: number, task: () => void): void {
    if (this.queuedBytes <= belowBytes) {
      // Never from inside the caller: a producer would recurse.
      process.nextTick(task);
    } else {
      this.#waiting.push({ belowBytes, task });
    }
  }

  readonly #check = (): void => {
    if (this.#waiting.length === 0) return;
    const queued = this.queuedBytes;
    const ready = this.#waiting.filter(({ belowBytes }) => queued <= belowBytes);
    this.#waiting = this.#waiting.filter(({ belowBytes }) => queued > belowBytes);
    for (const { task } of ready) task();
  };
}

export class HttpOutput implements GatewayOutput {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #drain: DrainWatch;
  #bodyBytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.#drain = new DrainWatch(response);
  }

  get queuedBytes(): number {
    return this.#drain.queuedBytes;
  }

  whenDrained(belowBytes: number, task: () => void): void {
    this.#drain.whenDrained(belowBytes, task);
  }

  /** So much of the request's body has come. */
  onBody(bytes: number): void {
    this.#bodyBytes += bytes;
  }

  answer(json: string): void {
    this.#head(200, true);
    this.#finish(json);
  }

  fail(error: RpcError): void {
    this.#head(httpStatusOf(error.code), false);
    if (error.code === Code.Unauthenticated) {
      this.#response.setHeader("WWW-Authenticate", error.message);
    }
    this.#finish(errorJson(error, "spaced"));
  }

  chunk(json: string): void {
    if (!this.#response.headersSent) this.#head(200, true);
    this.#drain.write(`{"result":${json}}\n`);
  }

  failStream(error: RpcError): void {
    if (!this.#response.headersSent) this.#head(httpStatusOf(error.code), false);
    this.#drain.write(`{"error":${errorJson(error, "compact")}}\n`);
    this.#response.end();
  }

  end(): void {
    this.#response.end();
  }

  /** That a body of known length is complete Node only says after its last bytes were given out. */
  #isWhole(): boolean {
    const length = this.#request.headers["content-length"];
    return this.#request.complete || (length !== undefined && this.#bodyBytes >= Number(length));
  }

  #head(status: number, isOk: boolean): void {
    const response = this.#response;
    response.statusCode = status;
    response.setHeader("Content-Type", "application/json");
    if (isOk) response.setHeader("Grpc-Metadata-Content-Type", "application/grpc");
    // An answer before the request has come as a whole: the rest is not worth waiting for. Who
    // keeps the connection for another request has to be told.
    if (this.#request.readableDidRead && !this.#isWhole()) {
      response.shouldKeepAlive = false;
      response.setHeader("Connection", "close");
    }
    // HTTP/1.1 connections stay open without a word about it, and Go sends none.
    const isImplied = this.#request.httpVersion === "1.1" && response.shouldKeepAlive;
    if (isImplied) response.removeHeader("Connection");
  }

  #finish(json: string): void {
    const response = this.#response;
    // Without a body Node leaves the length out, which here is that of the GET; and it names the
    // end of the connection before the length, where Go does it the other way.
    if (this.#request.method === "HEAD" || !response.shouldKeepAlive) {
      response.setHeader("Date", new Date().toUTCString());
      response.setHeader("Content-Length", Buffer.byteLength(json));
      const connection = response.getHeader("Connection");
      response.removeHeader("Connection");
      if (!response.shouldKeepAlive) response.setHeader("Connection", connection ?? "close");
    }
    response.end(json);
  }
}
