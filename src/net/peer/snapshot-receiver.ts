// A snapshot from the leader: the body of POST /raft/snapshot. First the MsgSnap, then the file of
// the database, which goes to the server's sink piece by piece; nothing is read while the sink is
// busy. Raft hears of it when all is safe.
//
// What the socket gives is gathered into larger pieces: most of what a write costs is handing it to
// a thread of the pool, which is as much for 16 KiB as for many times that. Each piece has memory
// of its own, since the next one begins while it is written.

import type { IncomingMessage, ServerResponse } from "node:http";
import { humanSize } from "../../base/human-size.ts";
import type { SnapshotSink } from "../../io/network.ts";
import { type Message, MessageType } from "../../wire/messages/raft.ts";
import { hexId } from "./compatibility.ts";
import { forbiddenAnswer, sendAnswer, sendText } from "./http-answer.ts";
import { MessageDecoder } from "./message-codec.ts";
import type { PeerContext } from "./peer-context.ts";
import { PROGRESS_LOG_MS } from "./snapshot-sender.ts";

/** As etcd's snapshotLimitByte: the message alone, with the names of the members. */
const ENVELOPE_BYTES_MAX = 64 * 1024 * 1024;
/** Of the file, for the sink. */
const PIECE_BYTES = 512 * 1024;
const UNKNOWN_SENDER = "UNKNOWN_SNAPSHOT_SENDER";

const NO_BYTES = Buffer.alloc(0);

export class SnapshotReceiver {
  readonly #context: PeerContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #decoder = new MessageDecoder(ENVELOPE_BYTES_MAX);
  readonly #beganMs: number;
  #loggedMs: number;
  /** In hex. */
  #from = "0";
  #fields: Readonly<Record<string, unknown>> = {};
  #sink: SnapshotSink | null = null;
  #databaseBytes = 0;
  #piece: Buffer = NO_BYTES;
  #pieceBytes = 0;
  /** The sink has not taken the last piece yet. */
  #isBusy = false;
  #hasEnded = false;
  #isOver = false;

  constructor(context: PeerContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#beganMs = context.clock.monotonicMs();
    this.#loggedMs = this.#beganMs;
  }

  static countRefused(context: PeerContext): void {
    context.metrics.snapshotReceiveFailures.with(UNKNOWN_SENDER).add();
  }

  start(): void {
    const request = this.#request;
    request.on("data", (chunk: Buffer) => this.#onData(chunk));
    request.on("end", () => {
      this.#hasEnded = true;
      if (!this.#isBusy) this.#onEnd();
    });
    request.on("error", (error) => this.#abort(500, error));
    request.on("close", () => this.#abort(500, new Error("unexpected EOF")));
    // Who stops in the middle without a word. While the sink is busy nothing is awaited.
    request.setTimeout(this.#context.timeouts.readMs, () => {
      if (!this.#isBusy && !this.#hasEnded) this.#abort(500, new Error("i/o timeout"));
    });
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#sink !== null) {
      this.#gather(chunk);
      return;
    }
    this.#decoder.append(chunk);
    let message: Message | undefined;
    try {
      message = this.#decoder.next();
    } catch (error) {
      this.#refuseEnvelope(error as Error);
      return;
    }
    if (message !== undefined) this.#begin(message);
  }

  #begin(message: Message): void {
    const { context } = { context: this.#context };
    const { input } = this.#decoder;
    const messageBytes = input.at - 8;
    const index = message.snapshot?.metadata?.index ?? 0;
    this.#from = hexId(message.from);
    this.#fields = {
      "local-member-id": context.localId,
      "remote-snapshot-sender-id": this.#from,
      "incoming-snapshot-index": index,
    };
    context.metrics.receivedBytes.with(this.#from).add(messageBytes);
    if (message.type !== MessageType.MsgSnap) {
      this.#refuseType(message.type);
      return;
    }
    const forbidden = forbiddenAnswer(context.self, message);
    if (forbidden !== null) {
      // The sender is to read the answer: it has to be let finish.
      context.self.message(message);
      this.#isOver = true;
      this.#request.resume();
      this.#request.on("end", () => sendAnswer(this.#response, forbidden));
      return;
    }
    context.metrics.snapshotsReceiving.with(this.#from).add(1);
    context.log.info("receiving database snapshot", {
      ...this.#fields,
      "incoming-snapshot-message-size-bytes": messageBytes,
      "incoming-snapshot-message-size": humanSize(messageBytes),
    });
    this.#sink = context.self.snapshot(message);
    if (input.available > 0) this.#gather(input.bytes.subarray(input.at, input.end));
  }

  #gather(chunk: Uint8Array): void {
    if (this.#pieceBytes + chunk.length > this.#piece.length) {
      this.#write();
      this.#piece = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, chunk.length));
    }
    this.#piece.set(chunk, this.#pieceBytes);
    this.#pieceBytes += chunk.length;
    this.#databaseBytes += chunk.length;
    this.#logProgress();
  }

  /** What was gathered, if anything. */
  #write(): void {
    if (this.#pieceBytes === 0) return;
    const piece = this.#piece.subarray(0, this.#pieceBytes);
    this.#piece = NO_BYTES;
    this.#pieceBytes = 0;
    this.#isBusy = true;
    this.#request.pause();
    this.#sink!.write(piece, (error) => {
      this.#isBusy = false;
      if (this.#isOver) return;
      if (error !== null) this.#abort(500, error);
      else if (this.#hasEnded) this.#onEnd();
      else this.#request.resume();
    });
  }

  #logProgress(): void {
    const { clock, log } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#loggedMs < PROGRESS_LOG_MS) return;
    this.#loggedMs = nowMs;
    log.info("receiving database snapshot: progress", {
      ...this.#fields,
      "received-bytes": this.#databaseBytes,
      received: humanSize(this.#databaseBytes),
    });
  }

  #onEnd(): void {
    if (this.#isOver) return;
    if (this.#sink === null) {
      this.#refuseEnvelope(new Error("unexpected EOF"));
      return;
    }
    this.#write();
    if (this.#isBusy || this.#isOver) return;
    const sink = this.#sink;
    this.#isBusy = true;
    this.#context.metrics.receivedBytes.with(this.#from).add(this.#databaseBytes);
    sink.end((error) => {
      this.#isBusy = false;
      if (error === null) this.#onSaved();
      else {
        // The sink has ended itself.
        this.#sink = null;
        this.#fail(500, error);
      }
    });
  }

  #onSaved(): void {
    const { clock, log, metrics } = this.#context;
    const tookMs = clock.monotonicMs() - this.#beganMs;
    log.info("received and saved database snapshot", {
      ...this.#fields,
      "incoming-snapshot-size-bytes": this.#databaseBytes,
      "incoming-snapshot-size": humanSize(this.#databaseBytes),
      "download-took": `${tookMs}ms`,
    });
    this.#isOver = true;
    metrics.snapshotsReceiving.with(this.#from).add(-1);
    metrics.snapshotsReceived.with(this.#from).add();
    metrics.snapshotReceiveSeconds.with(this.#from).observe(tookMs / 1000);
    sendAnswer(this.#response, { status: 204, headers: {}, body: new Uint8Array(0) });
  }

  #abort(status: number, error: Error): void {
    if (this.#isOver || (this.#hasEnded && this.#isBusy)) return;
    if (this.#sink === null) this.#refuseEnvelope(error);
    else this.#fail(status, error);
  }

  #fail(status: number, error: Error): void {
    const { log, metrics } = this.#context;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink?.abort(error);
    metrics.snapshotsReceiving.with(this.#from).add(-1);
    metrics.snapshotReceiveFailures.with(this.#from).add();
    log.warn("failed to save incoming database snapshot", {
      ...this.#fields,
      error: error.message,
    });
    this.#answerText(status, `failed to save KV snapshot (${error.message})`);
  }

  #refuseEnvelope(error: Error): void {
    const { log, localId, metrics } = this.#context;
    this.#isOver = true;
    log.warn("failed to decode Raft message", {
      "local-member-id": localId,
      "remote-snapshot-sender-id": this.#from,
      error: error.message,
    });
    metrics.receivedFailures.with(remoteOf(this.#request)).add();
    metrics.snapshotReceiveFailures.with(this.#from).add();
    this.#answerText(400, `failed to decode raft message (${error.message})`);
  }

  #refuseType(type: number): void {
    const { log, metrics } = this.#context;
    this.#isOver = true;
    const name = Object.entries(MessageType).find(([, value]) => value === type)?.[0];
    const { "incoming-snapshot-index": _, ...fields } = this.#fields;
    log.warn("unexpected Raft message type", {
      ...fields,
      "message-type": name ?? String(type),
    });
    metrics.snapshotReceiveFailures.with(this.#from).add();
    this.#answerText(400, "wrong raft message type");
  }

  /** The rest of the body is of no use: the connection ends with the answer. */
  #answerText(status: number, text: string): void {
    if (!this.#hasEnded) this.#response.setHeader("Connection", "close");
    sendText(this.#response, status, text);
    if (!this.#hasEnded) this.#request.resume();
  }
}

function remoteOf(request: IncomingMessage): string {
  return `${request.socket.remoteAddress}:${request.socket.remotePort}`;
}
