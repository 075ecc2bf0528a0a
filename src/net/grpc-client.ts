// A connection of a gRPC client to one address, over node:http2: a client is not the hot path.
//
//            connect()                 first SETTINGS
//   idle ─────────────► connecting ───────────────────► ready
//    ▲                    │    ▲                          │
//    │ close()      fails │    │ after a growing pause    │ lost, or GOAWAY
//    └── closed           └────┴──────────────────────────┘
//
// Ready means that the server has spoken HTTP/2, so that a plain connection to a TLS port (or the
// other way round) never counts. Who waits for readiness listens with `onChange`.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTlsSocket } from "node:tls";
import { Code, RpcError } from "../wire/status.ts";
import {
  type CallOptions,
  type ClientStream,
  CONTEXT_DEADLINE_EXCEEDED,
  Http2Call,
  timeoutHeader,
  tooLarge,
  Unprocessed,
} from "./grpc-client-call.ts";
import { type Address, dialErrorText, type ReachableAddress } from "./grpc-client-errors.ts";

/** PEM texts. Undefined authorities mean those of the system. */
export interface ChannelTls {
  readonly authorities?: string | Uint8Array | undefined;
  readonly certificate?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Accept any certificate. */
  readonly skipVerify?: boolean | undefined;
  /** The name that the certificate must have, instead of the host's. */
  readonly serverName?: string | undefined;
}

export interface ChannelOptions {
  readonly address: Address;
  /** The `:authority` of the calls. */
  readonly authority: string;
  readonly tls?: ChannelTls | undefined;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly sendBytesMax: number;
  readonly receiveBytesMax: number;
  readonly userAgent: string;
  /** What happens to the connection, one sentence each. */
  readonly trace?: ((event: string) => void) | undefined;
}

export type ChannelState = "idle" | "connecting" | "ready" | "failed" | "closed";

/** What a client needs of a connection; `Channel` is the real one, tests have their own. */
export interface Connection {
  readonly state: ChannelState;
  /** Why the last attempt failed, or "". */
  readonly lastError: string;
  /** "127.0.0.1:2379" of both ends while ready. */
  readonly peer: { readonly remote: string; readonly local: string } | undefined;
  connect(): void;
  onChange(listener: () => void): void;
  unary(path: string, message: Uint8Array, options: CallOptions): Promise<Uint8Array>;
  stream(path: string, options: CallOptions): ClientStream;
  close(): void;
}

/** Servers close connections that ping more often; grpc-go does not go below it either. */
const KEEPALIVE_TIME_MIN_MS = 10_000;

/** How long a new connection may take, so that a silent host does not block for minutes. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Between attempts: short at first, since members restart within seconds. */
const RECONNECT_FIRST_MS = 100;
const RECONNECT_FACTOR = 1.6;
const RECONNECT_MAX_MS = 3_000;

/** Windows for a stream and a connection: large answers and snapshots arrive without pauses. */
const STREAM_WINDOW_BYTES = 4 << 20;
const CONNECTION_WINDOW_BYTES = 16 << 20;

/** Megabytes that node:http2 may hold for one session, pending data included. */
const SESSION_MEMORY_MAX_MB = 128;

export class Channel implements Connection {
  readonly #options: ChannelOptions;
  readonly #listeners: (() => void)[] = [];
  #state: ChannelState = "idle";
  #session: ClientHttp2Session | undefined;
  #lastError = "";
  #pauseMs = RECONNECT_FIRST_MS;
  #pause: NodeJS.Timeout | undefined;
  #keepalive: NodeJS.Timeout | undefined;
  #calls = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  get state(): ChannelState {
    return this.#state;
  }

  get lastError(): string {
    return this.#lastError;
  }

  get peer(): { remote: string; local: string } | undefined {
    const socket = this.#session?.socket;
    if (this.#state !== "ready" || socket === undefined) return undefined;
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (remoteAddress === undefined) return undefined;
    return { remote: `${remoteAddress}:${remotePort}`, local: `${localAddress}:${localPort}` };
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  connect(): void {
    if (this.#state !== "idle") return;
    this.#attempt();
  }

  /** @throws RpcError | Unprocessed */
  async unary(path: string, message: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    if (message.length > this.#options.sendBytesMax) {
      throw tooLarge(message.length, this.#options.sendBytesMax);
    }
    const call = this.stream(path, options);
    call.send(message);
    call.end();
    const answer = await call.next();
    if (answer === undefined) {
      throw new RpcError(Code.Internal, "cardinality violation: received no response message");
    }
    // The status comes after the message: an error may still follow.
    await call.next();
    return answer;
  }

  /** @throws Unprocessed when the channel is not ready */
  stream(path: string, options: CallOptions): ClientStream {
    const session = this.#session;
    if (this.#state !== "ready" || session === undefined) {
      throw new Unprocessed(new RpcError(Code.Unavailable, "there is no connection available"));
    }
    if (options.timeoutMs !== undefined && options.timeoutMs <= 0) throw CONTEXT_DEADLINE_EXCEEDED;
    const timeout = options.timeoutMs === undefined ? undefined : timeoutHeader(options.timeoutMs);
    const stream = this.#request(session, {
      ":method": "POST",
      ":path": path,
      ":authority": this.#options.authority,
      ":scheme": this.#options.tls === undefined ? "http" : "https",
      te: "trailers",
      "content-type": "application/grpc",
      "user-agent": this.#options.userAgent,
      ...(timeout === undefined ? {} : { "grpc-timeout": timeout }),
      ...options.metadata,
    });
    this.#calls++;
    this.#watchLife(session);
    stream.once("close", () => {
      this.#calls--;
    });
    const { sendBytesMax, receiveBytesMax } = this.#options;
    const lost = (): string =>
      this.#session === session && !session.destroyed ? "" : this.#lastError || "EOF";
    return new Http2Call(stream, { sendBytesMax, receiveBytesMax }, options, lost);
  }

  #request(session: ClientHttp2Session, headers: OutgoingHttpHeaders): ClientHttp2Stream {
    try {
      return session.request(headers);
    } catch (error) {
      // The session has closed in this very turn.
      throw new Unprocessed(new RpcError(Code.Unavailable, (error as Error).message));
    }
  }

  close(): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#pause);
    clearTimeout(this.#keepalive);
    this.#session?.destroy();
    this.#session = undefined;
    this.#change("closed");
  }

  #change(state: ChannelState): void {
    this.#state = state;
    this.#options.trace?.(`${this.#options.authority}: ${state}`);
    for (const listener of this.#listeners) listener();
  }

  #attempt(): void {
    this.#change("connecting");
    const { address } = this.#options;
    if (address.kind === "bad") {
      this.#failed(undefined, address.reason);
      return;
    }
    const socket = this.#openSocket(address);
    const session = connect("http://localhost", {
      maxSessionMemory: SESSION_MEMORY_MAX_MB,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
      createConnection: () => socket,
    });
    this.#session = session;
    const timer = setTimeout(() => {
      this.#failed(session, "i/o timeout");
    }, CONNECT_TIMEOUT_MS);
    const fail = (reason: string, options: { graceful?: boolean } = {}): void => {
      clearTimeout(timer);
      this.#failed(session, reason, options);
    };
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      if (this.#session !== session) return;
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      this.#pauseMs = RECONNECT_FIRST_MS;
      this.#lastError = "";
      this.#change("ready");
    });
    // The session does not tell all that happens to a TLS socket.
    socket.on("error", (error) => fail(dialErrorText(error, address)));
    socket.on("close", () => fail("EOF"));
    session.on("error", (error) => fail(dialErrorText(error, address)));
    session.on("close", () => fail("EOF"));
    // Calls that the server has taken may finish; new ones go to a new connection.
    session.on("goaway", () => fail("the server is going away", { graceful: true }));
  }

  #openSocket(address: ReachableAddress): Socket {
    const { tls } = this.#options;
    const target =
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    const socket = tls === undefined ? connectSocket(target) : connectTls(target, tls);
    socket.setNoDelay(true);
    return socket;
  }

  #failed(
    session: ClientHttp2Session | undefined,
    reason: string,
    options: { graceful?: boolean } = {},
  ): void {
    if (this.#session !== session || this.#state === "closed" || this.#state === "failed") return;
    this.#lastError = reason;
    this.#session = undefined;
    clearTimeout(this.#keepalive);
    this.#keepalive = undefined;
    if (options.graceful === true) session?.close();
    else session?.destroy();
    this.#options.trace?.(`${this.#options.authority}: ${reason}`);
    const wasReady = this.#state === "ready";
    this.#change("failed");
    // A connection that worked is renewed at once; the pause is for those that never did.
    this.#pause = setTimeout(() => this.#attempt(), wasReady ? 0 : this.#pauseMs);
    this.#pauseMs = Math.min(RECONNECT_MAX_MS, this.#pauseMs * RECONNECT_FACTOR);
  }

  /** Pings while calls are out, so that a dead peer is noticed. */
  #watchLife(session: ClientHttp2Session): void {
    if (this.#keepalive !== undefined || this.#options.keepaliveTimeMs <= 0) return;
    const everyMs = Math.max(KEEPALIVE_TIME_MIN_MS, this.#options.keepaliveTimeMs);
    this.#keepalive = setTimeout(() => {
      this.#keepalive = undefined;
      if (this.#session !== session || this.#calls === 0) return;
      this.#ping(session);
    }, everyMs);
  }

  #ping(session: ClientHttp2Session): void {
    const timer = setTimeout(() => {
      this.#failed(session, "keepalive ping failed to receive ACK within timeout");
    }, this.#options.keepaliveTimeoutMs);
    const answered = (error: Error | null): void => {
      clearTimeout(timer);
      if (error === null) this.#watchLife(session);
    };
    if (!session.ping(answered)) clearTimeout(timer);
  }
}

function connectTls(
  target: { host?: string; port?: number; path?: string },
  tls: ChannelTls,
): Socket {
  return connectTlsSocket({
    ...target,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: tls.skipVerify !== true,
    // An address is no server name, but the host to check the certificate for.
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.authorities === undefined ? {} : { ca: Buffer.from(tls.authorities) }),
    ...(tls.certificate === undefined ? {} : { cert: Buffer.from(tls.certificate) }),
    ...(tls.key === undefined ? {} : { key: Buffer.from(tls.key) }),
  });
}
