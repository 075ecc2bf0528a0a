// Calls of a client: over which connection, with which metadata, and when again.
//
//   unary ─► pick a ready connection ─► call ─► answer
//              ▲   (until the time is over)  │ error
//              │ read: Unavailable           │
//              │ any:  surely not processed  │
//              │ any:  token too old, once per new token
//              └─────────────────────────────┘        otherwise: thrown
//
// Reads may be sent again as often as needed. A write is sent again only if no server has acted
// on the first: an unanswered write may have happened, and who sent it must decide.

import { type Logger, silentLogger } from "../base/log.ts";
import type { Clock, Random } from "../io/io.ts";
import type { Connection } from "../net/grpc-client.ts";
import {
  type ClientStream,
  CONTEXT_DEADLINE_EXCEEDED,
  Unprocessed,
} from "../net/grpc-client-call.ts";
import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import { Balancer } from "./balancer.ts";
import { isError, NO_AVAILABLE_ENDPOINTS, statusText } from "./errors.ts";

export interface UnaryMethod<Request, Response> {
  readonly path: string;
  /** "read": may be repeated. */
  readonly effect: "read" | "write";
  encode(request: Request): Uint8Array;
  decode(bytes: Uint8Array): Response;
}

export interface StreamMethod<Request, Response> {
  readonly path: string;
  encode(request: Request): Uint8Array;
  decode(bytes: Uint8Array): Response;
}

/** For each single call. */
export interface CallOptions {
  /** How long the call may take in all, waiting and repetitions included. Default: for ever. */
  readonly timeoutMs?: number | undefined;
  /** How long to wait for a member that can be reached, if that is shorter. Default: for ever. */
  readonly connectTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Fail rather than wait when the member has no leader. */
  readonly requireLeader?: boolean | undefined;
}

/** A stream of messages in both directions. */
export interface MessageStream<Request, Response> {
  send(request: Request): void;
  end(): void;
  cancel(): void;
  /** The next message, or undefined after the last. @throws RpcError */
  next(): Promise<Response | undefined>;
}

export interface CallerOptions {
  readonly endpoints: readonly string[];
  readonly connections: readonly Connection[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger | undefined;
  /** A fixed token, or how to get one. */
  readonly token?: string | undefined;
  readonly authenticate?: ((caller: Caller) => Promise<string>) | undefined;
}

/** A read that fails this often in a row is given up even if there is time left. */
const ATTEMPTS_MAX = 100;

/** New tokens for one call: users and roles may change while it is under way, but not for ever. */
const RENEWALS_MAX = 5;

/** Getting a token needs none. */
const AUTHENTICATE_PATH = "/etcdserverpb.Auth/Authenticate";

const tokenErrors = [Errors.InvalidAuthToken, Errors.AuthOldRevision, Errors.UserEmpty];

/** After each round through all endpoints; with up to a tenth more or less. */
const BACKOFF_MS = 25;

/** The API that this client was written for; servers count it. */
const CLIENT_API_VERSION = "3.7";

export class Caller {
  readonly #endpoints: readonly string[];
  readonly #balancer: Balancer;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #authenticate: CallerOptions["authenticate"];
  #token: string | undefined;
  #renewal: Promise<void> | undefined;

  constructor(options: CallerOptions) {
    if (options.endpoints.length === 0) throw NO_AVAILABLE_ENDPOINTS;
    this.#endpoints = options.endpoints;
    this.#balancer = new Balancer(options.connections, options.clock);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log ?? silentLogger;
    this.#token = options.token;
    this.#authenticate = options.authenticate;
  }

  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  get clock(): Clock {
    return this.#clock;
  }

  close(): void {
    this.#balancer.close();
  }

  /** Gets a token now instead of with the first call. @throws RpcError */
  async authenticate(): Promise<void> {
    if (this.#authenticate === undefined) return;
    this.#renewal ??= this.#renew(this.#authenticate);
    try {
      await this.#renewal;
    } finally {
      this.#renewal = undefined;
    }
  }

  /** @throws RpcError */
  async unary<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const message = method.encode(request);
    const endMs = this.#endMs(options);
    let renewals = 0;
    for (let attempt = 0; ; attempt++) {
      let connection: Connection | undefined;
      let token: string | undefined;
      try {
        connection = await this.#connected(endMs, options);
        token = this.#token;
        const answer = await connection.unary(method.path, message, {
          metadata: this.#metadata(options),
          timeoutMs: this.#leftMs(endMs),
          signal: options.signal,
        });
        return method.decode(answer);
      } catch (thrown) {
        if (thrown instanceof Unreachable) throw thrown;
        const error = ownDeadline(errorOf(thrown), endMs);
        this.#warn(method.path, attempt, error, connection);
        if (attempt + 1 >= ATTEMPTS_MAX) throw error;
        if (this.#needsToken(method.path, error) && renewals++ < RENEWALS_MAX) {
          // Another call may have got a new one meanwhile.
          if (this.#token === token) await this.authenticate();
        } else if (!mayRepeat(thrown, method.effect)) throw error;
        await this.#pause(attempt, endMs);
      }
    }
  }

  /** A call that is answered by any number of messages. @throws RpcError */
  async *serverStream<Request, Response>(
    method: StreamMethod<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): AsyncGenerator<Response, void, undefined> {
    const stream = await this.stream(method, options);
    stream.send(request);
    stream.end();
    try {
      for (let m = await stream.next(); m !== undefined; m = await stream.next()) yield m;
    } finally {
      stream.cancel();
    }
  }

  /** @throws RpcError when no connection is found in time */
  async stream<Request, Response>(
    method: StreamMethod<Request, Response>,
    options: CallOptions = {},
  ): Promise<MessageStream<Request, Response>> {
    const endMs = this.#endMs(options);
    for (let attempt = 0; ; attempt++) {
      const connection = await this.#connected(endMs, options);
      try {
        const stream = connection.stream(method.path, {
          metadata: this.#metadata(options),
          timeoutMs: this.#leftMs(endMs),
          signal: options.signal,
        });
        return typed(stream, method, endMs);
      } catch (error) {
        if (!(error instanceof Unprocessed)) throw error;
        await this.#pause(attempt, endMs);
      }
    }
  }

  async #connected(endMs: number | undefined, options: CallOptions): Promise<Connection> {
    const { connectTimeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    const leftMs = this.#leftMs(endMs);
    if (connectTimeoutMs >= (leftMs ?? Number.POSITIVE_INFINITY)) {
      return this.#balancer.pick(leftMs, signal);
    }
    try {
      return await this.#balancer.pick(connectTimeoutMs, signal);
    } catch (error) {
      if (error !== CONTEXT_DEADLINE_EXCEEDED) throw error;
      const why = this.#balancer.lastError;
      throw new Unreachable(
        Code.Unavailable,
        unreachableText(why === "" ? CONTEXT_DEADLINE_EXCEEDED.message : why),
      );
    }
  }

  #endMs(options: CallOptions): number | undefined {
    if (options.timeoutMs === undefined) return undefined;
    return this.#clock.monotonicMs() + options.timeoutMs;
  }

  #leftMs(endMs: number | undefined): number | undefined {
    return endMs === undefined ? undefined : Math.max(0, endMs - this.#clock.monotonicMs());
  }

  #metadata(options: CallOptions): Record<string, string> {
    return {
      "client-api-version": CLIENT_API_VERSION,
      ...(this.#token === undefined ? {} : { token: this.#token }),
      ...(options.requireLeader === true ? { hasleader: "true" } : {}),
    };
  }

  async #renew(authenticate: (caller: Caller) => Promise<string>): Promise<void> {
    this.#token = undefined;
    try {
      this.#token = await authenticate(this);
    } catch (error) {
      // Without authentication a name and password are merely not needed.
      if (!isError(error, Errors.AuthNotEnabled)) throw error;
    }
  }

  /** Whether a new token could help. A server refuses a bad one before it acts on the call. */
  #needsToken(path: string, error: RpcError): boolean {
    if (this.#authenticate === undefined || path === AUTHENTICATE_PATH) return false;
    return tokenErrors.some((one) => isError(error, one));
  }

  async #pause(attempt: number, endMs: number | undefined): Promise<void> {
    if ((attempt + 1) % this.#balancer.size !== 0) return;
    const jitter = 0.9 + this.#random.below(2001) / 10_000;
    const waitMs = Math.min(BACKOFF_MS * jitter, this.#leftMs(endMs) ?? BACKOFF_MS);
    await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
  }

  #warn(method: string, attempt: number, error: RpcError, used: Connection | undefined): void {
    const peer = used?.peer;
    const address =
      peer === undefined
        ? "Peer{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>}"
        : `Peer{Addr: '${peer.remote}', LocalAddr: '${peer.local}'}`;
    const why = used === undefined ? this.#balancer.lastError : "";
    this.#log.warn("retrying of unary invoker failed", {
      target: `etcd-endpoints:///${this.#endpoints[0]?.replace(/^\w+:\/\//, "") ?? ""}`,
      peer: address,
      method,
      attempt,
      error: statusText(why === "" ? error : new RpcError(error.code, unreachableText(why))),
    });
  }
}

/** It was waited for as long as wanted: not to be tried again. */
class Unreachable extends RpcError {}

/** As gRPC tells why it has no connection. */
function unreachableText(why: string): string {
  return `latest balancer error: connection error: desc = "transport: ${why}"`;
}

function errorOf(thrown: unknown): RpcError {
  if (thrown instanceof RpcError) return thrown;
  if (thrown instanceof Unprocessed) return thrown.error;
  throw thrown;
}

/** The server's word that time is over is the same news as our own clock's. */
function ownDeadline(error: RpcError, endMs: number | undefined): RpcError {
  return endMs !== undefined && error.code === Code.DeadlineExceeded
    ? CONTEXT_DEADLINE_EXCEEDED
    : error;
}

function mayRepeat(thrown: unknown, effect: "read" | "write"): boolean {
  if (thrown instanceof Unprocessed) return true;
  return effect === "read" && errorOf(thrown).code === Code.Unavailable;
}

function typed<Request, Response>(
  stream: ClientStream,
  method: StreamMethod<Request, Response>,
  endMs: number | undefined,
): MessageStream<Request, Response> {
  return {
    send: (request) => stream.send(method.encode(request)),
    end: () => stream.end(),
    cancel: () => stream.cancel(),
    async next() {
      try {
        const message = await stream.next();
        return message === undefined ? undefined : method.decode(message);
      } catch (thrown) {
        throw ownDeadline(errorOf(thrown), endMs);
      }
    },
  };
}
