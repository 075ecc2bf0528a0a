// One stream from a peer. Streams are dialled by who receives:
//
//   dial ─► GET /raft/stream/<kind>/<own id> ─► 200 ─► frames ─► deliver
//     ▲                                          └ else, or an end: log, next URL
//     └──────────── at most 10 times a second ◄──┘
//
// A sender that has nothing to say sends link heartbeats, so silence means a dead link.

import type { Socket } from "node:net";
import type { Counter } from "../../base/metrics.ts";
import type { Timer } from "../../io/io.ts";
import { ProtoError } from "../../wire/protobuf/proto-error.ts";
import { CLUSTER_ID_MISMATCH, hasStreams, hexId, INCOMPATIBLE_VERSION } from "./compatibility.ts";
import { dial, peerAddress } from "./dial.ts";
import { FrameError } from "./frame-input.ts";
import { networkErrorText } from "./go-error.ts";
import type { PeerContext } from "./peer-context.ts";
import type { PeerStatus } from "./peer-status.ts";
import { isLinkHeartbeat } from "./raft-message.ts";
import { ResponseError, type ResponseHead, ResponseReader } from "./response-reader.ts";
import type { StreamDecoder } from "./stream-codec.ts";
import { newDecoder, type StreamKind, streamNames } from "./stream-kind.ts";
import type { UrlPicker } from "./url-picker.ts";

/** Of an answer other than 200: it is one line. */
const REFUSAL_BYTES_MAX = 4096;

export interface StreamReaderParts {
  readonly context: PeerContext;
  readonly kind: StreamKind;
  readonly peerId: bigint;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
}

export class StreamReader {
  readonly #parts: StreamReaderParts;
  readonly #fields: Readonly<Record<string, string>>;
  readonly #receivedBytes: Counter;
  #attempt: Attempt | null = null;
  #timer: Timer | null = null;
  /** When the next attempt was allowed at the earliest, had there been one. */
  #nextDialMs = 0;
  #isStopped = false;

  constructor(parts: StreamReaderParts) {
    const { context, kind, peerId } = parts;
    const id = hexId(peerId);
    this.#parts = parts;
    this.#receivedBytes = context.metrics.receivedBytes.with(id);
    this.#fields = {
      "stream-reader-type": streamNames[kind],
      "local-member-id": context.localId,
      "remote-peer-id": id,
    };
  }

  start(): void {
    this.#parts.context.log.info("started stream reader with remote peer", this.#fields);
    this.#dial();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#attempt?.cut();
    this.#parts.context.log.info("stopped stream reader with remote peer", this.#fields);
  }

  #dial(): void {
    this.#attempt = new Attempt(this.#parts, {
      receivedBytes: this.#receivedBytes,
      onUp: () => this.#onUp(),
      onOver: (failure) => this.#onOver(failure),
    });
    this.#attempt.start();
  }

  #onUp(): void {
    const { context, status } = this.#parts;
    status.activate();
    const message = "established TCP streaming connection with remote peer";
    context.log.info(message, this.#fields);
  }

  #onOver(failure: Failure): void {
    if (this.#isStopped) return;
    const { context, kind, peerId, picker, status } = this.#parts;
    const { wasUp, error } = failure;
    if (wasUp) {
      const fields = { ...this.#fields, error };
      context.log.warn("lost TCP streaming connection with remote peer", fields);
    }
    // An orderly end says nothing of the peer: it gave the stream up for another one.
    if (!failure.isOrderly) status.deactivate(streamNames[kind], wasUp ? "read" : "dial", error);
    picker.ended(failure.url, failure.isRefused);
    if (failure.isRefused && picker.isRefusedEverywhere) context.self.refused(peerId);
    this.#redialLater();
  }

  /** One attempt at once, then one per interval, as etcd's limiter has it. */
  #redialLater(): void {
    const { clock, timeouts } = this.#parts.context;
    const nowMs = clock.monotonicMs();
    const dialMs = Math.max(nowMs, this.#nextDialMs);
    this.#nextDialMs = dialMs + timeouts.redialMs;
    this.#timer = clock.after(dialMs - nowMs, () => this.#dial());
  }
}

interface Failure {
  readonly url: string;
  readonly wasUp: boolean;
  readonly error: string;
  readonly isOrderly: boolean;
  /** Nobody listens there. */
  readonly isRefused: boolean;
}

interface AttemptHooks {
  readonly receivedBytes: Counter;
  onUp(): void;
  onOver(failure: Failure): void;
}

/** One dialled connection, from the first packet to its end. */
class Attempt {
  readonly #parts: StreamReaderParts;
  readonly #hooks: AttemptHooks;
  readonly #decoder: StreamDecoder;
  readonly #url: string;
  #socket: Socket | null = null;
  #refusal: ResponseHead | null = null;
  #refusalText = "";
  #isUp = false;
  #isRefused = false;
  #isOver = false;

  constructor(parts: StreamReaderParts, hooks: AttemptHooks) {
    const { context, kind, peerId, picker } = parts;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#decoder = newDecoder(kind, context.self.memberId, peerId);
    this.#url = picker.pick();
  }

  start(): void {
    const { context } = this.#parts;
    const address = peerAddress(this.#url);
    const socket = dial(address, context.client, () => {
      socket.setTimeout(context.timeouts.readMs);
      socket.write(this.#request(address.authority), "latin1");
    });
    this.#socket = socket;
    const reader = new ResponseReader({
      onHead: (head) => this.#onHead(head),
      onBody: (bytes) => this.#onBody(bytes),
      onEnd: () => this.#onEnd(),
    });
    socket.setTimeout(context.timeouts.dialMs);
    socket.on("timeout", () => this.#fail("i/o timeout"));
    socket.on("error", (error) => {
      this.#isRefused = isRefusal(error);
      this.#fail(networkErrorText(error, address.text));
    });
    socket.on("close", () => this.#fail("EOF"));
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        // The peer speaks something else: a broken link. All other errors are our own.
        if (!isProtocolError(error)) throw error;
        this.#fail(error.message);
      }
    };
    socket.on("data", (bytes) => guarded(() => this.#isOver || reader.receive(bytes as Buffer)));
    socket.on("end", () => guarded(() => reader.receiveEnd()));
  }

  /** Without a word to anybody. */
  cut(): void {
    this.#isOver = true;
    this.#socket?.destroy();
  }

  #request(authority: string): string {
    const { context, kind, peerId } = this.#parts;
    const headers = { ...context.ownHeaders(), "X-Raft-To": hexId(peerId) };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const path = `/raft/stream/${kind}/${context.localId}`;
    return `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\n${lines.join("")}\r\n`;
  }

  #onHead(head: ResponseHead): void {
    if (!hasStreams(head.header("x-server-version"))) {
      this.#finish("unsupported stream type", true);
    } else if (head.status === 200) {
      this.#isUp = true;
      this.#hooks.onUp();
    } else {
      this.#refusal = head;
    }
  }

  #onBody(bytes: Uint8Array): void {
    if (this.#refusal !== null) {
      if (this.#refusalText.length < REFUSAL_BYTES_MAX) {
        this.#refusalText += Buffer.from(bytes).toString("latin1");
      }
      return;
    }
    this.#hooks.receivedBytes.add(bytes.length);
    this.#decoder.append(bytes);
    for (;;) {
      const message = this.#decoder.next();
      if (message === undefined || this.#isOver) return;
      if (!isLinkHeartbeat(message)) this.#parts.context.self.message(message);
    }
  }

  #onEnd(): void {
    if (this.#refusal === null) this.#finish("EOF", true);
    else this.#onRefused(this.#refusal, this.#refusalText.replace(/\n$/, ""));
  }

  #onRefused(head: ResponseHead, text: string): void {
    const { context, peerId } = this.#parts;
    const ids = { "local-member-id": context.localId, "remote-peer-id": hexId(peerId) };
    switch (head.status) {
      case 410:
        this.#fail("the member has been permanently removed from the cluster");
        context.removed();
        return;
      case 404:
        this.#fail(`peer ${hexId(peerId)} failed to find local node ${context.localId}`);
        return;
      case 412:
        this.#onMismatch(head, text, ids);
        return;
      default:
        this.#fail(`unhandled http status ${head.status}`);
    }
  }

  #onMismatch(head: ResponseHead, text: string, ids: Record<string, string>): void {
    const { log, self } = this.#parts.context;
    if (text === INCOMPATIBLE_VERSION) {
      log.warn("request sent was ignored by remote peer due to server version incompatibility", {
        ...ids,
        error: text,
      });
      this.#fail(text);
    } else if (text === CLUSTER_ID_MISMATCH) {
      log.warn("request sent was ignored by remote peer due to cluster ID mismatch", {
        ...ids,
        "remote-peer-cluster-id": head.header("x-etcd-cluster-id") ?? "",
        "local-member-cluster-id": hexId(self.clusterId),
        error: text,
      });
      this.#fail(text);
    } else {
      this.#fail(`unhandled error ${JSON.stringify(`${text}\n`)} when precondition failed`);
    }
  }

  #fail(error: string): void {
    this.#finish(error, false);
  }

  #finish(error: string, isOrderly: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    if (!this.#isUp) this.#parts.picker.unreachable(this.#url);
    const isRefused = this.#isRefused;
    this.#hooks.onOver({ url: this.#url, wasUp: this.#isUp, error, isOrderly, isRefused });
  }
}

/** Of all addresses that a name has. */
function isRefusal(error: Error & { code?: string; errors?: readonly unknown[] }): boolean {
  return (error.errors ?? [error]).every(
    (one) => (one as { code?: string }).code === "ECONNREFUSED",
  );
}

function isProtocolError(error: unknown): error is Error {
  return (
    error instanceof ResponseError || error instanceof FrameError || error instanceof ProtoError
  );
}
