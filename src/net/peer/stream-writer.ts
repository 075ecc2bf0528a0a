// The sending end of a stream: the connection that the peer dialled, once its request was
// accepted. A new one takes the place of the old. Messages are encoded as they come, into the
// memory that the next `flush` writes; what the kernel does not take waits in the socket, and that
// is the queue which has limits.

import type { Socket } from "node:net";
import type { Counter } from "../../base/metrics.ts";
import type { Message } from "../../wire/messages/raft.ts";
import { ChunkedOutput, LAST_CHUNK } from "./chunked-output.ts";
import { hexId } from "./compatibility.ts";
import { networkErrorText } from "./go-error.ts";
import type { PeerContext } from "./peer-context.ts";
import type { PeerStatus } from "./peer-status.ts";
import { linkHeartbeat } from "./raft-message.ts";
import type { StreamEncoder } from "./stream-codec.ts";
import { newEncoder, type StreamKind, streamNames } from "./stream-kind.ts";

/** As etcd's streamBufSize. */
const QUEUED_MESSAGES_MAX = 4096;
/** A follower that does not read must not fill the leader's memory; raft sends again. */
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;
/** Link heartbeats per read timeout: two may be late. */
export const HEARTBEATS_PER_TIMEOUT = 3;

export interface StreamWriterParts {
  readonly context: PeerContext;
  readonly kind: StreamKind;
  readonly peerId: bigint;
  readonly status: PeerStatus;
}

export class StreamWriter {
  readonly #parts: StreamWriterParts;
  readonly #id: string;
  readonly #fields: Readonly<Record<string, string>>;
  readonly #sentBytes: Counter;
  #link: Link | null = null;

  constructor(parts: StreamWriterParts) {
    const { context, kind, peerId } = parts;
    this.#parts = parts;
    this.#id = hexId(peerId);
    this.#sentBytes = context.metrics.sentBytes.with(this.#id);
    const ids = { "local-member-id": context.localId, "remote-peer-id": this.#id };
    this.#fields = { "stream-writer-type": streamNames[kind], ...ids };
    context.log.info("started stream writer with remote peer", ids);
  }

  get isAttached(): boolean {
    return this.#link !== null;
  }

  /** `socket`: the head of the answer is written. */
  attach(socket: Socket): void {
    const { context, kind, status } = this.#parts;
    const { log } = context;
    const old = this.#detach();
    this.#link = new Link(socket, context, newEncoder(kind), (error) => this.#onBroken(error));
    log.info("set message encoder", {
      from: context.localId,
      to: this.#id,
      "stream-type": streamNames[kind],
    });
    status.activate();
    if (old) log.warn("closed TCP streaming connection with remote peer", this.#fields);
    log.info("established TCP streaming connection with remote peer", this.#fields);
  }

  /** False: the queue is full. Only while attached. */
  send(message: Message): boolean {
    const link = this.#link!;
    if (link.isFull) return false;
    this.#sentBytes.add(link.encode(message));
    return true;
  }

  flush(): void {
    this.#link?.flush();
  }

  /** Three times per read timeout. */
  tick(): void {
    const link = this.#link;
    if (link === null) return;
    const { timeouts } = this.#parts.context;
    const tickMs = timeouts.readMs / HEARTBEATS_PER_TIMEOUT;
    if (link.countStuckTicks() * tickMs >= timeouts.writeMs) {
      this.#onBroken("i/o timeout");
      return;
    }
    if (!link.isFull) this.#sentBytes.add(link.encode(linkHeartbeat));
    link.flush();
  }

  stop(): void {
    const { log } = this.#parts.context;
    if (this.#detach()) {
      log.warn("closed TCP streaming connection with remote peer", this.#fields);
    }
    log.info("stopped TCP streaming connection with remote peer", this.#fields);
  }

  #onBroken(error: string): void {
    const { context, kind, peerId, status } = this.#parts;
    if (this.#link === null) return;
    this.#detach();
    status.deactivate(streamNames[kind], "write", error);
    context.log.warn("lost TCP streaming connection with remote peer", this.#fields);
    context.metrics.sentFailures.with(this.#id).add();
    context.self.unreachable(peerId);
  }

  #detach(): boolean {
    const link = this.#link;
    if (link === null) return false;
    this.#link = null;
    if (link.close()) this.#parts.context.self.unreachable(this.#parts.peerId);
    return true;
  }
}

/** One attached connection. */
class Link {
  readonly #socket: Socket;
  readonly #encoder: StreamEncoder;
  readonly #output: ChunkedOutput;
  readonly #closeMs: number;
  #stuckTicks = 0;
  #isClosed = false;

  constructor(
    socket: Socket,
    context: PeerContext,
    encoder: StreamEncoder,
    onBroken: (error: string) => void,
  ) {
    this.#socket = socket;
    this.#encoder = encoder;
    this.#output = new ChunkedOutput(socket, context.pool);
    this.#closeMs = context.timeouts.writeMs;
    // Timeouts of the HTTP server are for requests; whether the peer reads is seen by `tick`.
    socket.setTimeout(0);
    socket.on("error", (error) => {
      if (!this.#isClosed) onBroken(networkErrorText(error, ""));
    });
    socket.on("close", () => {
      if (!this.#isClosed) onBroken("EOF");
    });
  }

  get isFull(): boolean {
    const { frames, unwrittenBytes } = this.#output;
    return frames >= QUEUED_MESSAGES_MAX || unwrittenBytes > QUEUED_BYTES_MAX;
  }

  encode(message: Message): number {
    const size = this.#encoder.encode(message, this.#output);
    this.#output.endFrame();
    return size;
  }

  flush(): void {
    this.#output.flush();
  }

  /** For how many ticks the kernel has taken nothing, though there was something. */
  countStuckTicks(): number {
    const output = this.#output;
    this.#stuckTicks = output.frames > 0 && !output.hasProgressed ? this.#stuckTicks + 1 : 0;
    output.hasProgressed = false;
    return this.#stuckTicks;
  }

  /** Returns whether messages were lost with it. */
  close(): boolean {
    const socket = this.#socket;
    this.#isClosed = true;
    const isLossy = this.#output.frames > 0;
    // What is on its way may still arrive: a leader that stops has just named its successor.
    this.#output.flush();
    socket.end(LAST_CHUNK);
    socket.setTimeout(this.#closeMs, () => socket.destroy());
    return isLossy;
  }
}
