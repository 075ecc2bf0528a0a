// The client port: gRPC over our own HTTP/2, and HTTP/1.1, with and without TLS, all on one
// address if the URLs say so.
//
//   const server = new ClientServer({ clock, log, methods, http, gateway?, limits, tls?, … });
//   await server.listen(["http://127.0.0.1:2379"]);    server.addresses
//   server.flush();              // after each batch of answers given in a later turn
//   await server.close(graceMs); // GOAWAY, calls under way, then the end
//
// Answers to requests that are handled at once are flushed with the input that caused them; for
// all others `flush` writes once per connection, and the end of the turn is the safety net.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../base/log.ts";
import { Counter } from "../base/metrics.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { HttpHandler, MethodTable } from "../wire/rpc.ts";
import { type AccessRules, openToAll } from "./access-control.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { GrpcMetrics } from "./grpc-metrics.ts";
import { GrpcService } from "./grpc-service.ts";
import { HttpBridges } from "./http-bridge.ts";
import { type Gateway, Http1Server } from "./http1.ts";
import { Http2Connection, type Http2Context } from "./http2-connection.ts";
import type { Http2Stream, StreamSink } from "./http2-stream.ts";
import { LargeAnswers } from "./large-answers.ts";
import {
  defaultLimits,
  type Limits,
  PREFACE_TIMEOUT_MS,
  QUEUED_BYTES_TOTAL_MAX,
  REQUEST_BYTES_TOTAL_MAX,
  TICK_MS,
  TICKS_PER_SWEEP,
} from "./limits.ts";
import { type Endpoint, endpointsOf } from "./listen-url.ts";
import { bindAll, type Listener } from "./listener.ts";
import { Outbox } from "./outbox.ts";
import { type Protocol, sniffProtocol } from "./protocol-sniffer.ts";
import { remoteAddressOf } from "./remote-address.ts";
import type { RequestHead } from "./request-head.ts";
import { TlsAcceptor, type TlsOptions } from "./tls.ts";

export interface ClientServerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly methods: MethodTable;
  readonly http: HttpHandler;
  readonly gateway?: Gateway | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Needed for https:// and unixs:// URLs. */
  readonly tls?: TlsOptions | undefined;
  readonly access?: AccessRules | undefined;
  /** How long calls take is measured: `grpcMetrics.handlingFamily`. */
  readonly hasTimes?: boolean | undefined;
  /** "grpc" when HTTP has listeners of its own (--listen-client-http-urls), which are "http". */
  readonly traffic?: "grpc+http" | "grpc" | "http" | undefined;
}

const HTTP2_ERROR_CODES = 14;
/** How often `close` looks whether everybody has gone. */
const CLOSE_POLL_MS = 20;

export class ClientServer {
  readonly grpcMetrics: GrpcMetrics;
  readonly acceptedConnections: Counter = new Counter();
  readonly refusedConnections: Counter = new Counter();
  readonly failedHandshakes: Counter = new Counter();
  /** GOAWAYs with an error that we sent, by HTTP/2 error code. */
  readonly goAwayCounts: Float64Array = new Float64Array(HTTP2_ERROR_CODES);
  readonly #options: ClientServerOptions;
  readonly #limits: Limits;
  readonly #context: Http2Context;
  readonly #grpc: GrpcService;
  readonly #http1: Http1Server;
  readonly #bridges: HttpBridges;
  readonly #tls: TlsAcceptor | null;
  readonly #outbox: Outbox;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Http2Connection>();
  /** Every accepted connection, also while it is none of ours (TLS handshake, HTTP/1.1). */
  readonly #sockets = new Set<Socket>();
  /** Sockets that have not said yet what they speak, and until when they have to. */
  readonly #undecided = new Map<Socket, number>();
  #isClosing = false;
  #timer: Timer | null = null;
  #ticks = 0;

  /** @throws Error when the certificate files cannot be used */
  constructor(options: ClientServerOptions) {
    const { clock, log, tls } = options;
    const limits = { ...defaultLimits, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    this.#grpc = new GrpcService(options.methods, limits.messageBytesMax, options.hasTimes);
    this.grpcMetrics = this.#grpc.metrics;
    this.#outbox = new Outbox(clock);
    this.#http1 = new Http1Server({
      log,
      handler: options.http,
      gateway: options.gateway,
      access: options.access ?? openToAll,
    });
    this.#bridges = new HttpBridges(this.#http1, limits.bridgedRequestsMax);
    this.#context = {
      clock,
      log,
      limits,
      outbox: this.#outbox,
      pool: new BufferPool(),
      queuedTotal: new ByteBudget(QUEUED_BYTES_TOTAL_MAX),
      requestTotal: new ByteBudget(REQUEST_BYTES_TOTAL_MAX),
      answers: new LargeAnswers(clock, limits.largeAnswerBytesMax),
      goAwayCounts: this.goAwayCounts,
      open: (stream, head) => this.#open(stream, head),
    };
    this.#tls =
      tls === undefined
        ? null
        : new TlsAcceptor({
            log,
            tls,
            onSecure: (socket) => this.#onSecure(socket),
            onRejected: () => this.failedHandshakes.add(),
          });
  }

  /** "127.0.0.1:2379" or the path of a socket file, for each address bound. */
  get addresses(): string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Bytes of answers that wait for their clients to take them. */
  get queuedBytes(): number {
    return this.#context.queuedTotal.usedBytes;
  }

  /** Large answers under way: how many, and their memory. */
  get largeAnswers(): LargeAnswers {
    return this.#context.answers;
  }

  /** Bytes of memory for requests that have not arrived whole. */
  get partialRequestBytes(): number {
    return this.#context.requestTotal.usedBytes;
  }

  /** @throws Error (rejects) for a bad URL or an address not to be had; nothing is bound then */
  async listen(urls: readonly string[]): Promise<void> {
    this.#checkTls(endpointsOf(urls));
    this.serve(await bindAll(urls));
  }

  /** The same on addresses that were bound before. */
  serve(listeners: readonly Listener[]): void {
    this.#checkTls(listeners.map((listener) => listener.endpoint));
    for (const listener of listeners) {
      this.#listeners.push(listener);
      listener.serve({
        onSocket: (socket) => this.#onSocket(socket, listener.endpoint),
        onAcceptError: (error) =>
          this.#options.log.warn("failed to accept a connection", { error }),
      });
    }
  }

  flush(): void {
    this.#outbox.flush();
  }

  /** Lets calls under way end, for at most `graceMs`; then everything is cut. */
  close(graceMs: number): Promise<void> {
    this.#closeListeners();
    this.#isClosing = true;
    for (const socket of this.#undecided.keys()) socket.destroy();
    for (const connection of this.#connections) connection.drain();
    this.#http1.drain();
    this.flush();
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + graceMs;
    let isTold = false;
    return new Promise((resolve) => {
      const poll = (): void => {
        const nowMs = clock.monotonicMs();
        if (!isTold && nowMs >= endMs - CLOSE_POLL_MS) {
          // Before the cut: their last words need a connection.
          this.#options.gateway?.cut?.();
          isTold = true;
        } else if (this.#sockets.size > 0 && nowMs >= endMs) this.#cut();
        if (this.#sockets.size > 0) {
          clock.after(CLOSE_POLL_MS, poll);
          return;
        }
        this.#timer?.cancel();
        resolve();
      };
      poll();
    });
  }

  // ── connections ──

  #onSocket(socket: Socket, endpoint: Endpoint): void {
    socket.on("error", () => socket.destroy());
    if (this.#sockets.size >= this.#limits.connectionsMax) {
      this.refusedConnections.add();
      socket.destroy();
      return;
    }
    this.acceptedConnections.add();
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    if (this.#timer === null) this.#startTimer();
    if (!endpoint.acceptsPlain && this.#tls !== null) {
      this.#tls.accept(socket);
      return;
    }
    this.#sniff(socket, (protocol, bytes) => {
      if (protocol === "tls") this.#acceptTls(socket, endpoint, bytes);
      else this.#serve(socket, protocol, bytes);
    });
  }

  #acceptTls(socket: Socket, endpoint: Endpoint, bytes: Buffer): void {
    if (!endpoint.acceptsTls || this.#tls === null) {
      socket.destroy();
      return;
    }
    // TLS reads the socket's buffer itself: nobody else may.
    socket.pause();
    socket.unshift(bytes);
    this.#tls.accept(socket);
  }

  /** After the handshake. ALPN has said what follows, but not every client has ALPN. */
  #onSecure(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    this.#sniff(socket, (protocol, bytes) => this.#serve(socket, protocol, bytes));
  }

  #sniff(socket: Socket, found: (protocol: Protocol, bytes: Buffer) => void): void {
    this.#undecided.set(socket, this.#options.clock.monotonicMs() + PREFACE_TIMEOUT_MS);
    socket.on("close", () => this.#undecided.delete(socket));
    sniffProtocol(socket, (protocol, bytes) => {
      this.#undecided.delete(socket);
      found(protocol, bytes);
    });
  }

  #serve(socket: Socket, protocol: Protocol, bytes: Buffer): void {
    const traffic = this.#options.traffic ?? "grpc+http";
    if (this.#isClosing) {
      socket.destroy();
    } else if (protocol === "http2") {
      const address = remoteAddressOf(socket);
      const connection = new Http2Connection(this.#context, socket, address, (closed) =>
        this.#connections.delete(closed),
      );
      this.#connections.add(connection);
      connection.receive(bytes);
    } else if (protocol === "http1" && traffic !== "grpc") {
      socket.unshift(bytes);
      this.#http1.accept(socket);
    } else {
      socket.destroy();
    }
  }

  #open(stream: Http2Stream, head: RequestHead): StreamSink {
    const traffic = this.#options.traffic ?? "grpc+http";
    if (traffic !== "http" && this.#grpc.isGrpc(head)) return this.#grpc.open(stream, head);
    if (traffic === "grpc" || this.#grpc.isMistaken(head)) return this.#grpc.refuse(stream, head);
    return this.#bridges.open(stream, head);
  }

  // ── time ──

  #startTimer(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(TICK_MS, () => {
      this.#timer = null;
      this.#tick(clock.monotonicMs());
      if (this.#sockets.size > 0) this.#startTimer();
    });
  }

  #tick(nowMs: number): void {
    const isSweep = ++this.#ticks % TICKS_PER_SWEEP === 0;
    for (const connection of this.#connections) connection.tick(nowMs, isSweep);
    if (isSweep) {
      this.#context.answers.sweep(nowMs);
      for (const [socket, untilMs] of this.#undecided) if (nowMs >= untilMs) socket.destroy();
    }
    this.flush();
  }

  #checkTls(endpoints: readonly Endpoint[]): void {
    if (this.#tls !== null || !endpoints.some((endpoint) => endpoint.acceptsTls)) return;
    throw new Error("TLS key/cert must be provided for https and unixs listen URLs");
  }

  #closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.length = 0;
  }

  #cut(): void {
    for (const connection of this.#connections) connection.destroy();
    this.#http1.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}
