// Requests to other members that are no streams: raft messages by POST, snapshots, probes and
// questions. Connections are kept for the next request, but not longer than etcd's server does.

import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { PeerAnswer } from "../../io/network.ts";
import { nodeHttp, nodeHttps } from "../lazy-node.ts";
import { type DialOptions, peerAddress } from "./dial.ts";
import { networkErrorText } from "./go-error.ts";
import type { PeerTls } from "./peer-tls.ts";

/** etcd's server closes what was idle for 5 s: before that, so that no request meets the end. */
const IDLE_MS = 4000;
/** A list of members and the like. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface HttpCall {
  readonly method: "GET" | "POST";
  /** A peer URL. */
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** For all of it. */
  readonly timeoutMs: number;
  /** On a connection of its own. */
  readonly isAlone?: boolean;
}

export type Answered = (answer: PeerAnswer | Error) => void;

export class HttpClient implements DialOptions {
  readonly tls: PeerTls | undefined;
  readonly localAddress: string | undefined;
  #plainAgent: Agent | null = null;
  #secureAgent: Agent | null = null;

  constructor({ tls, localAddress }: DialOptions) {
    this.tls = tls;
    this.localAddress = localAddress;
  }

  /** `done` once. Returns what cancels the call, without a word to `done`. */
  call(call: HttpCall, done: Answered): () => void {
    const task = new CallTask(call, (one, headers) => this.open(one, headers), done);
    task.start();
    return () => task.cancel();
  }

  /** The request is begun; the caller sends the body and listens. @throws Error for a bad URL */
  open(call: HttpCall, headers: Readonly<Record<string, string>>): ClientRequest {
    const address = peerAddress(call.url);
    const where =
      address.path === null
        ? { host: address.host, port: address.port, ...this.#from() }
        : { socketPath: address.path, headers: { Host: address.authority } };
    const options: RequestOptions = {
      ...where,
      method: call.method,
      path: call.path,
      headers: { ...where.headers, ...headers },
      agent: call.isAlone === true ? false : this.#agent(address.isSecure),
    };
    if (!address.isSecure) return nodeHttp().request(options);
    const { tls } = this;
    const request = nodeHttps().request({ ...options, ...tls?.clientOptions(address.host) });
    if (tls !== undefined) {
      request.on("socket", (socket) => {
        // One that is used again was looked at when it was new.
        if (!request.reusedSocket) tls.guard(socket);
      });
    }
    return request;
  }

  #from(): { localAddress?: string } {
    return this.localAddress === undefined ? {} : { localAddress: this.localAddress };
  }

  close(): void {
    this.#plainAgent?.destroy();
    this.#secureAgent?.destroy();
  }

  #agent(isSecure: boolean): Agent {
    const options = { keepAlive: true, timeout: IDLE_MS };
    if (isSecure) this.#secureAgent ??= new (nodeHttps().Agent)(options);
    else this.#plainAgent ??= new (nodeHttp().Agent)(options);
    return (isSecure ? this.#secureAgent : this.#plainAgent) as Agent;
  }
}

type Open = (call: HttpCall, headers: Readonly<Record<string, string>>) => ClientRequest;

class CallTask {
  readonly #call: HttpCall;
  readonly #open: Open;
  readonly #done: Answered;
  #request: ClientRequest | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;
  #isRetry = false;

  constructor(call: HttpCall, open: Open, done: Answered) {
    this.#call = call;
    this.#open = open;
    this.#done = done;
  }

  start(): void {
    const { timeoutMs } = this.#call;
    this.#timer ??= setTimeout(() => this.#finish(new Error("i/o timeout")), timeoutMs);
    try {
      this.#send();
    } catch (error) {
      // Not before the caller has returned.
      process.nextTick(() => this.#finish(error as Error));
    }
  }

  cancel(): void {
    this.#end();
  }

  #send(): void {
    const { body, headers, url } = this.#call;
    // A GET has a body only when its length is told.
    const length = body === undefined ? {} : { "Content-Length": String(body.length) };
    const request = this.#open(this.#call, { ...headers, ...length });
    this.#request = request;
    request.on("response", (response) => this.#onResponse(response));
    request.on("error", (error: Error & { code?: string }) => {
      // The server closed an idle connection just when it was used again.
      if (request.reusedSocket && error.code === "ECONNRESET" && !this.#isRetry && !this.#isOver) {
        this.#isRetry = true;
        this.start();
      } else {
        this.#finish(new Error(networkErrorText(error, peerAddress(url).text)));
      }
    });
    if (body === undefined) request.end();
    else request.end(body);
  }

  #onResponse(response: IncomingMessage): void {
    collect(response, (answer) => this.#finish(answer));
  }

  #finish(answer: PeerAnswer | Error): void {
    if (this.#isOver) return;
    const isWhole = !(answer instanceof Error);
    this.#end(isWhole);
    this.#done(answer);
  }

  #end(isWhole = false): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!isWhole) this.#request?.destroy();
  }
}

/** A whole answer. */
export function collect(response: IncomingMessage, done: Answered): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error("answer too large"));
    else chunks.push(chunk);
  });
  response.on("end", () => {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value);
    done({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
  });
  response.on("error", (error) => done(error));
}
