// An ordinary HTTP request that came over HTTP/2 (curl on a TLS port, a browser): it is played to
// the HTTP/1.1 server through a pipe inside the process, and the answer is sent as it comes. So
// health, metrics and the JSON gateway exist once, and this path may be slow.
//
//   Http2Stream ── onData ──► ClientRequest ══ pipe ══ Http1Server ── gateway, endpoints
//        ◄── DATA ────────── IncomingMessage ══

import type { ClientRequest, IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { ErrorCode } from "./frames.ts";
import type { Http1Server } from "./http1.ts";
import {
  emptyData,
  type Fields,
  type Http2Stream,
  nothingMore,
  type StreamSink,
} from "./http2-stream.ts";
import { nodeHttp } from "./lazy-node.ts";
import type { RequestHead } from "./request-head.ts";

/** An answer is read from the pipe only while less than this waits for the client. */
const QUEUED_BYTES_MAX: number = 256 * 1024;
/** Fields of HTTP/1.1 that HTTP/2 forbids. */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** The requests under way from HTTP/2 to one HTTP/1.1 server. */
export class HttpBridges {
  readonly #server: Http1Server;
  readonly #countMax: number;
  #count = 0;

  constructor(server: Http1Server, countMax: number) {
    this.#server = server;
    this.#countMax = countMax;
  }

  /** Plays the request of `stream` to the server. */
  open(stream: Http2Stream, head: RequestHead): StreamSink {
    if (this.#count >= this.#countMax) {
      stream.reset(ErrorCode.RefusedStream);
      return nothingMore;
    }
    try {
      const bridge = new HttpBridge(stream, head, this.#server, () => this.#count--);
      this.#count++;
      return bridge;
    } catch {
      stream.reset(ErrorCode.ProtocolError);
      return nothingMore;
    }
  }
}

class HttpBridge implements StreamSink {
  readonly #stream: Http2Stream;
  readonly #request: ClientRequest;
  readonly #pipe: PipeEnd;
  readonly #onOver: () => void;
  #isOver = false;

  /** @throws TypeError for a path or a field that HTTP/1.1 cannot express */
  constructor(stream: Http2Stream, head: RequestHead, server: Http1Server, onOver: () => void) {
    const [clientEnd, serverEnd] = makePipe(stream.owner.remoteAddress, stream.owner.isSecure);
    this.#stream = stream;
    this.#pipe = clientEnd;
    this.#onOver = onOver;
    this.#request = nodeHttp().request({
      method: head.method?.value ?? "GET",
      path: head.path?.value ?? "/",
      headers: headersOf(head),
      setHost: false,
      createConnection: () => clientEnd,
    });
    this.#request.on("response", (response) => this.#onResponse(response));
    this.#request.on("error", () => this.#fail());
    server.accept(serverEnd);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    this.#request.write(bytes.slice(start, end));
    this.#stream.topUpWindow();
  }

  onEnd(): void {
    if (!this.#isOver) this.#request.end();
  }

  onDeadline(): void {
    this.#fail();
  }

  onClosed(): void {
    this.#isOver = true;
    this.#onOver();
    this.#pipe.destroy();
  }

  #onResponse(response: IncomingMessage): void {
    const stream = this.#stream;
    if (this.#isOver) return;
    stream.sender.sendHead(stream, fieldsOf(response));
    response.on("data", (chunk: Buffer) => {
      if (this.#isOver) return;
      if (!stream.sender.sendData(stream, chunk)) return this.#fail();
      if (stream.queuedBytes <= QUEUED_BYTES_MAX) return;
      response.pause();
      stream.whenDrained(QUEUED_BYTES_MAX / 2, () => response.resume());
    });
    response.on("end", () => {
      if (!this.#isOver) stream.sender.end(stream, emptyData);
    });
    response.on("error", () => this.#fail());
  }

  #fail(): void {
    if (!this.#isOver) this.#stream.reset(ErrorCode.InternalError);
  }
}

function headersOf(head: RequestHead): Record<string, string | string[]> {
  // HTTP/1.1 insists on a Host, HTTP/2 does not.
  const headers: Record<string, string[]> = { host: [head.authority?.value ?? ""] };
  for (let at = 0; at < head.fieldCount; at++) {
    const { name, value } = head.fields[at]!;
    if (name !== "host") (headers[name] ??= []).push(value);
    else if (head.authority === null) headers[name] = [value];
  }
  return headers;
}

function fieldsOf(response: IncomingMessage): Fields {
  const fields: [string, string][] = [[":status", String(response.statusCode ?? 500)]];
  for (const [name, value] of Object.entries(response.headers)) {
    if (value === undefined || connectionFields.has(name)) continue;
    for (const one of Array.isArray(value) ? value : [value]) fields.push([name, one]);
  }
  return fields;
}

/** One end of a pipe that looks like a socket to node:http. */
class PipeEnd extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly encrypted: boolean;
  #other: PipeEnd | null = null;
  #written: (() => void) | null = null;

  constructor(remoteAddress: string, isSecure: boolean) {
    super();
    const colon = remoteAddress.lastIndexOf(":");
    // The brackets around an IPv6 address come back with the port.
    this.remoteAddress = remoteAddress.slice(0, Math.max(colon, 0)).replace(/^\[|\]$/g, "");
    this.remotePort = Number(remoteAddress.slice(colon + 1));
    this.encrypted = isSecure;
  }

  join(other: PipeEnd): void {
    this.#other = other;
  }

  override _read(): void {
    const written = this.#other?.takeWritten();
    written?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const other = this.#other;
    if (other === null || other.destroyed) {
      done();
      return;
    }
    if (other.push(chunk)) done();
    else this.#written = done;
  }

  override _final(done: () => void): void {
    this.#other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other;
    this.#other = null;
    if (other !== null && !other.destroyed) other.destroy();
    done(error);
  }

  takeWritten(): (() => void) | null {
    const written = this.#written;
    this.#written = null;
    return written;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }
}

function makePipe(remoteAddress: string, isSecure: boolean): [PipeEnd, PipeEnd] {
  const client = new PipeEnd(remoteAddress, isSecure);
  const server = new PipeEnd(remoteAddress, isSecure);
  client.join(server);
  server.join(client);
  return [client, server];
}
