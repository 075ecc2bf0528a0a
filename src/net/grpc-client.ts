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
  type SecureClientSessionOptions,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
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

export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  /** Cannot be connected to; `reason` is what each attempt fails with. */
  | { readonly kind: "bad"; readonly reason: string };

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
    const session = this.#open(address);
    this.#session = session;
    const timer = setTimeout(() => {
      this.#failed(session, "i/o timeout");
    }, CONNECT_TIMEOUT_MS);
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      if (this.#session !== session) return;
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      this.#pauseMs = RECONNECT_FIRST_MS;
      this.#lastError = "";
      this.#change("ready");
    });
    session.on("error", (error) => {
      clearTimeout(timer);
      this.#failed(session, dialError(error, address));
    });
    session.on("goaway", () => {
      // Calls that the server has taken may finish; new ones go to a new connection.
      clearTimeout(timer);
      this.#failed(session, "the server is going away", { graceful: true });
    });
    session.on("close", () => {
      clearTimeout(timer);
      this.#failed(session, "EOF");
    });
  }

  #open(address: Exclude<Address, { kind: "bad" }>): ClientHttp2Session {
    const { tls } = this.#options;
    const common: SecureClientSessionOptions = {
      maxSessionMemory: SESSION_MEMORY_MAX_MB,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    };
    if (tls === undefined) {
      const createConnection = (): Socket => connectAddress(address);
      return connect("http://localhost", { ...common, createConnection });
    }
    const host = address.kind === "tcp" ? address.host : "localhost";
    const port = address.kind === "tcp" ? address.port : 443;
    return connect(`https://${host.includes(":") ? `[${host}]` : host}:${port}`, {
      ...common,
      ...(address.kind === "unix" ? { socket: connectAddress(address) } : {}),
      ALPNProtocols: ["h2"],
      rejectUnauthorized: tls.skipVerify !== true,
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      ...(tls.authorities === undefined ? {} : { ca: toBuffer(tls.authorities) }),
      ...(tls.certificate === undefined ? {} : { cert: toBuffer(tls.certificate) }),
      ...(tls.key === undefined ? {} : { key: toBuffer(tls.key) }),
    });
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

function connectAddress(address: Exclude<Address, { kind: "bad" }>): Socket {
  const socket =
    address.kind === "unix"
      ? connectSocket({ path: address.path })
      : connectSocket({ host: address.host, port: address.port });
  socket.setNoDelay(true);
  return socket;
}

function toBuffer(pem: string | Uint8Array): Buffer {
  return typeof pem === "string" ? Buffer.from(pem) : Buffer.from(pem);
}

const systemErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  ETIMEDOUT: "i/o timeout",
  EPIPE: "broken pipe",
};

/** In the words of Go's dialer, which operators search their logs for. */
function dialError(error: Error, address: Exclude<Address, { kind: "bad" }>): string {
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const { code, syscall } = first as NodeJS.ErrnoException;
  if (code === "ENOTFOUND" && address.kind === "tcp") {
    return `dial tcp: lookup ${address.host}: no such host`;
  }
  const target =
    address.kind === "tcp" ? `tcp ${address.host}:${address.port}` : `unix ${address.path}`;
  const text = code === undefined ? undefined : systemErrors[code];
  if (text === undefined) return first.message;
  return syscall === "read" || syscall === "write"
    ? `${syscall} ${target}: ${text}`
    : `dial ${target}: ${syscall ?? "connect"}: ${text}`;
}
