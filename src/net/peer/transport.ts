// The transport between members, as etcd's rafthttp: `Network` over HTTP/1.1.
//
//   PeerServer ◄── other members dial us: streams that we write, POSTs, questions
//   Peer …     ──► we dial them: streams that we read, POSTs, snapshots, probes
//
// `send` is one write per stream: what raft has to say in a turn comes in one call.

import type { Socket } from "node:net";
import { assert } from "../../base/assert.ts";
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../io/io.ts";
import type {
  Network,
  PeerAnswer,
  PeerHandlers,
  PeerRequest,
  SnapshotSource,
} from "../../io/network.ts";
import type { Message } from "../../wire/messages/raft.ts";
import { BufferPool } from "../buffer-pool.ts";
import type { Listener } from "../listener.ts";
import { hexId, ownHeaders } from "./compatibility.ts";
import { peerAddress } from "./dial.ts";
import { HttpClient } from "./http-client.ts";
import { Peer, Remote } from "./peer.ts";
import { DEFAULT_TIMEOUTS, type PeerContext, type PeerTimeouts } from "./peer-context.ts";
import { PeerMetrics } from "./peer-metrics.ts";
import { type PeerDirectory, PeerServer } from "./peer-server.ts";
import type { PeerTls } from "./peer-tls.ts";
import type { StreamKind } from "./stream-kind.ts";
import { HEARTBEATS_PER_TIMEOUT } from "./stream-writer.ts";

/** Questions to other members. */
const ASK_TIMEOUT_MS = 5000;

export interface PeerTransportOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Bound addresses of the peer port; who connects before `listen` waits. */
  readonly listeners: readonly Listener[];
  readonly timeouts?: Partial<PeerTimeouts>;
  /** Needed for https:// and unixs:// URLs. */
  readonly tls?: PeerTls | undefined;
  /** Connections to others come from this address. */
  readonly localAddress?: string | undefined;
}

export class PeerTransport implements Network, PeerDirectory {
  readonly metrics: PeerMetrics = new PeerMetrics();
  readonly #options: PeerTransportOptions;
  readonly #timeouts: PeerTimeouts;
  readonly #client: HttpClient;
  readonly #tls: PeerTls | undefined;
  readonly #peers = new Map<bigint, Peer>();
  readonly #remotes = new Map<bigint, Remote>();
  readonly #sockets = new Set<Socket>();
  #context: PeerContext | null = null;
  #server: PeerServer | null = null;
  #timer: Timer | null = null;
  #isClosed = false;
  #wasRemoved = false;

  constructor(options: PeerTransportOptions) {
    this.#options = options;
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.#tls = options.tls;
    this.#client = new HttpClient({ tls: this.#tls, localAddress: options.localAddress });
  }

  // ── Network ──

  listen(handlers: PeerHandlers): void {
    assert(this.#context === null, "the transport listens already");
    const { clock, log, listeners } = this.#options;
    const localId = hexId(handlers.memberId);
    const context: PeerContext = {
      clock,
      log,
      localId,
      metrics: this.metrics,
      timeouts: this.#timeouts,
      pool: new BufferPool(),
      client: this.#client,
      self: handlers,
      ownHeaders: () => ownHeaders(handlers),
      removed: () => this.#onRemoved(),
    };
    this.#context = context;
    // As etcd counts, each knows itself.
    this.metrics.knownPeers.with(context.localId, context.localId).set(1);
    const server = new PeerServer(context, this);
    this.#server = server;
    this.#tls?.serve((socket) => server.accept(socket));
    for (const listener of listeners) {
      const { acceptsTls } = listener.endpoint;
      listener.serve({
        onSocket: (socket) => this.#onSocket(socket, acceptsTls),
        onAcceptError: (error) => log.warn("failed to accept a connection", { error }),
      });
    }
    this.#tick();
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    const context = this.#context!;
    if (this.#isClosed || this.#peers.has(id)) return;
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    this.#peers.set(id, new Peer(context, id, urls));
    this.metrics.knownPeers.with(context.localId, hexId(id)).set(1);
    context.log.info("added remote peer", {
      "local-member-id": context.localId,
      "remote-peer-id": hexId(id),
      "remote-peer-urls": urls,
    });
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    const context = this.#context!;
    if (this.#isClosed || id === context.self.memberId) return;
    if (this.#peers.has(id) || this.#remotes.has(id) || !urls.every(isPeerUrl)) return;
    this.#remotes.set(id, new Remote(context, id, urls));
    context.log.info("added new remote peer", {
      "local-member-id": context.localId,
      "remote-peer-id": hexId(id),
      "remote-peer-urls": urls,
    });
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.update(urls);
    this.#context!.log.info("updated remote peer", {
      "local-member-id": this.#context!.localId,
      "updated-remote-peer-id": hexId(id),
      "updated-remote-peer-urls": urls,
    });
  }

  removePeer(id: bigint): void {
    const { localId, log } = this.#context!;
    const fields = { "local-member-id": localId, "removed-remote-peer-id": hexId(id) };
    const peer = this.#peers.get(id);
    if (peer === undefined) {
      log.warn("skipped removing already removed peer", fields);
      return;
    }
    this.#peers.delete(id);
    peer.stop();
    this.metrics.knownPeers.with(localId, hexId(id)).set(0);
    log.info("removed remote peer", fields);
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === 0n) continue;
      const peer = this.#peers.get(message.to);
      if (peer !== undefined) peer.send(message);
      else this.#remotes.get(message.to)?.send(message);
    }
    for (const peer of this.#peers.values()) peer.flush();
  }

  sendSnapshot(message: Message, database: SnapshotSource): void {
    const peer = this.#peers.get(message.to);
    if (peer === undefined) {
      database.close();
      this.#context?.self.snapshotSent(message.to, false);
    } else {
      peer.sendSnapshot(message, database);
    }
  }

  ask(url: string, request: PeerRequest, done: (answer: PeerAnswer | Error) => void): void {
    const { method, path, headers = {}, body, timeoutMs = ASK_TIMEOUT_MS } = request;
    this.#client.call({ method, url, path, headers, body, timeoutMs }, done);
  }

  activeSinceMs(id: bigint): number | undefined {
    return this.#peers.get(id)?.status.sinceMs;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const listener of this.#options.listeners) listener.close();
    for (const remote of this.#remotes.values()) remote.stop();
    for (const peer of this.#peers.values()) peer.stop();
    this.#remotes.clear();
    this.#peers.clear();
    this.#server?.close();
    this.#client.close();
    // When what is on its way has left.
    for (const socket of this.#sockets) socket.destroySoon();
  }

  // ── for the peer port ──

  hasPeer(id: bigint): boolean {
    return this.#peers.has(id);
  }

  attach(id: bigint, kind: StreamKind, socket: Socket): void {
    this.#peers.get(id)!.attach(kind, socket);
  }

  #onSocket(socket: Socket, isSecure: boolean): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    socket.on("error", () => socket.destroy());
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    if (!isSecure) this.#server!.accept(socket);
    else if (this.#tls === undefined) socket.destroy();
    else this.#tls.accept(socket);
  }

  #tick(): void {
    const periodMs = this.#timeouts.readMs / HEARTBEATS_PER_TIMEOUT;
    this.#timer = this.#options.clock.after(periodMs, () => {
      for (const peer of this.#peers.values()) peer.tick();
      this.#tick();
    });
  }

  #onRemoved(): void {
    if (this.#wasRemoved || this.#isClosed) return;
    this.#wasRemoved = true;
    this.#context!.self.removed();
  }
}

function isPeerUrl(url: string): boolean {
  try {
    peerAddress(url);
    return true;
  } catch {
    return false;
  }
}
