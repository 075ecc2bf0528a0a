// The answer of a peer to the request for a stream: HTTP/1.1, read from a socket of our own, so
// that the bytes of the stream reach their decoder without a copy and without a stream of Node's
// in between.
//
//   status line, headers ─► onHead ─► body: chunked, of a known length, or to the end ─► onBody …
//                                                                                     ─► onEnd

/** Go's limit for headers is 1 MB; ours send a few hundred bytes. */
const HEAD_BYTES_MAX = 64 * 1024;
/** Of a chunk's size with its extensions, and of each trailer. */
const LINE_BYTES_MAX = 4096;

export class ResponseError extends Error {}

export interface ResponseHead {
  readonly status: number;
  header(name: string): string | undefined;
}

export interface ResponseHooks {
  onHead(head: ResponseHead): void;
  onBody(bytes: Uint8Array): void;
  onEnd(): void;
}

type Part = "head" | "size" | "data" | "data-end" | "trailers" | "to-end" | "over";

const CR = 13;
const LF = 10;

export class ResponseReader {
  readonly #hooks: ResponseHooks;
  #part: Part = "head";
  /** Of a head or a line that has not come whole. */
  #pending: Buffer = Buffer.alloc(0);
  /** Of the body or the chunk that is being read. */
  #missingBytes = 0;
  #isChunked = false;

  constructor(hooks: ResponseHooks) {
    this.#hooks = hooks;
  }

  /** @throws ResponseError for what is no HTTP/1.1 */
  receive(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#part !== "over") at = this.#step(bytes, at);
  }

  /** The connection has ended. @throws ResponseError when that was too early */
  receiveEnd(): void {
    if (this.#part === "over") return;
    if (this.#part !== "to-end") throw new ResponseError("unexpected EOF");
    this.#end();
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#part) {
      case "head":
        return this.#readHead(bytes, at);
      case "data":
        return this.#readData(bytes, at);
      case "to-end":
        this.#hooks.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      default:
        return this.#readLine(bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const before = this.#pending.length;
    const all = before === 0 ? bytes.subarray(at) : Buffer.concat([this.#pending, bytes]);
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) {
      if (all.length > HEAD_BYTES_MAX) throw new ResponseError("headers too large");
      this.#pending = all;
      return bytes.length;
    }
    this.#pending = Buffer.alloc(0);
    const head = parseHead(all.toString("latin1", 0, end));
    const next = at + end + 4 - before;
    // An answer before the answer.
    if (head.status >= 100 && head.status < 200) return next;
    this.#beginBody(head);
    return next;
  }

  #beginBody(head: ResponseHead): void {
    const length = head.header("content-length");
    this.#isChunked = head.header("transfer-encoding")?.toLowerCase() === "chunked";
    if (this.#isChunked) this.#part = "size";
    else if (head.status === 204 || head.status === 304) this.#part = "over";
    else if (length === undefined) this.#part = "to-end";
    else {
      this.#missingBytes = parseNumber(length, /^\d{1,15}$/, 10);
      this.#part = this.#missingBytes === 0 ? "over" : "data";
    }
    this.#hooks.onHead(head);
    if (this.#part === "over") this.#hooks.onEnd();
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#missingBytes);
    this.#missingBytes -= end - at;
    if (this.#missingBytes === 0) {
      if (this.#isChunked) this.#part = "data-end";
      this.#hooks.onBody(bytes.subarray(at, end));
      if (!this.#isChunked) this.#end();
    } else this.#hooks.onBody(bytes.subarray(at, end));
    return end;
  }

  #readLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    const piece = bytes.subarray(at, end < 0 ? bytes.length : end);
    const line = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    if (line.length > LINE_BYTES_MAX) throw new ResponseError("malformed chunked encoding");
    if (end < 0) {
      this.#pending = line;
      return bytes.length;
    }
    this.#pending = Buffer.alloc(0);
    const length = line.at(-1) === CR ? line.length - 1 : line.length;
    this.#onLine(line.toString("latin1", 0, length));
    return end + 1;
  }

  #onLine(line: string): void {
    if (this.#part === "data-end") {
      if (line !== "") throw new ResponseError("malformed chunked encoding");
      this.#part = "size";
    } else if (this.#part === "trailers") {
      if (line === "") this.#end();
    } else {
      this.#missingBytes = parseNumber(line.split(";")[0]!.trim(), /^[0-9a-fA-F]{1,12}$/, 16);
      this.#part = this.#missingBytes === 0 ? "trailers" : "data";
    }
  }

  #end(): void {
    this.#part = "over";
    this.#hooks.onEnd();
  }
}

function parseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
  if (match === null) throw new ResponseError("malformed HTTP response");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new ResponseError("malformed HTTP response");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match[1]), header: (name) => headers.get(name) };
}

function parseNumber(text: string, pattern: RegExp, base: 10 | 16): number {
  if (!pattern.test(text)) throw new ResponseError("malformed chunked encoding");
  return Number.parseInt(text, base);
}
