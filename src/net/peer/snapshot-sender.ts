// A MsgSnap with the whole database to a peer: POST /raft/snapshot.
//
//   | 8 bytes length | raftpb.Message | the database file, to the end |
//
// The database is read in pieces, the next when the connection has taken the last: it is never in
// memory as a whole, and a slow peer costs nothing but time.

import type { ClientRequest } from "node:http";
import { humanSize } from "../../base/human-size.ts";
import type { SnapshotSource } from "../../io/network.ts";
import type { Message } from "../../wire/messages/raft.ts";
import { hexId } from "./compatibility.ts";
import { peerAddress } from "./dial.ts";
import { writeLength } from "./frame-input.ts";
import { networkErrorText } from "./go-error.ts";
import { collect } from "./http-client.ts";
import type { PeerContext } from "./peer-context.ts";
import type { PeerStatus } from "./peer-status.ts";
import { postError } from "./post-answer.ts";
import { sizeRaftMessage, writeRaftMessage } from "./raft-message.ts";
import type { UrlPicker } from "./url-picker.ts";

/** Read and written in one turn: a fraction of a millisecond. */
const PIECE_BYTES = 128 * 1024;
/** Between two lines of the log about a transfer. */
export const PROGRESS_LOG_MS = 5000;
/** The peer takes nothing for this long, or has all and does not answer (it syncs its disk). */
const STUCK_MS = 60_000;

const PATH = "/raft/snapshot";

export interface SnapshotSenderParts {
  readonly context: PeerContext;
  readonly peerId: bigint;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
  readonly onOver: (sender: SnapshotSender) => void;
}

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts;
  readonly #id: string;
  readonly #url: string;
  readonly #message: Message;
  readonly #database: SnapshotSource;
  readonly #totalBytes: number;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #beganMs: number;
  #request: ClientRequest | null = null;
  #positionBytes = 0;
  /** Of one piece after the other: the next is read when the connection has taken the last. */
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #loggedMs: number;
  #isOver = false;

  constructor(parts: SnapshotSenderParts, message: Message, database: SnapshotSource) {
    const { context, peerId, picker } = parts;
    this.#parts = parts;
    this.#id = hexId(peerId);
    this.#url = picker.pick();
    this.#message = message;
    this.#database = database;
    this.#totalBytes = sizeRaftMessage(message) + database.sizeBytes;
    this.#beganMs = context.clock.monotonicMs();
    this.#loggedMs = this.#beganMs;
    this.#fields = {
      "snapshot-index": message.snapshot?.metadata?.index ?? 0,
      "remote-peer-id": this.#id,
      bytes: this.#totalBytes,
      size: humanSize(this.#totalBytes),
    };
  }

  start(): void {
    const { context } = this.#parts;
    context.log.info("sending database snapshot", this.#fields);
    context.metrics.snapshotsSending.with(this.#id).add(1);
    try {
      this.#send();
    } catch (error) {
      this.#finish((error as Error).message);
    }
  }

  cut(): void {
    this.#finish("stopped");
  }

  #send(): void {
    const { context } = this.#parts;
    const envelope = this.#envelope();
    const headers = {
      ...context.ownHeaders(),
      "Content-Type": "application/octet-stream",
      "Content-Length": String(envelope.length + this.#database.sizeBytes),
    };
    const call = { method: "POST", url: this.#url, path: PATH, headers, timeoutMs: 0 } as const;
    const request = context.client.open({ ...call, isAlone: true }, headers);
    this.#request = request;
    const address = peerAddress(this.#url).text;
    request.setTimeout(STUCK_MS, () => this.#finish("i/o timeout"));
    request.on("error", (error) => this.#finish(networkErrorText(error, address)));
    request.on("response", (response) =>
      collect(response, (body) => {
        if (body instanceof Error) this.#finish(body.message);
        else this.#onAnswer(body);
      }),
    );
    request.write(envelope, () => this.#writePiece());
  }

  #envelope(): Uint8Array {
    const size = sizeRaftMessage(this.#message);
    const bytes = Buffer.allocUnsafeSlow(8 + size);
    writeRaftMessage(this.#message, bytes, writeLength(bytes, 0, size));
    return bytes;
  }

  #writePiece(): void {
    if (this.#isOver) return;
    const leftBytes = this.#database.sizeBytes - this.#positionBytes;
    if (leftBytes === 0) {
      this.#request!.end();
      return;
    }
    const piece = this.#piece.subarray(0, leftBytes);
    let count: number;
    try {
      count = this.#database.read(this.#positionBytes, piece);
    } catch (error) {
      this.#finish((error as Error).message);
      return;
    }
    if (count === 0) {
      this.#finish("unexpected EOF");
      return;
    }
    this.#positionBytes += count;
    this.#logProgress();
    // The next piece in a later turn, so that others have theirs.
    const { clock } = this.#parts.context;
    const next = (): void => clock.endOfTurn(() => this.#writePiece());
    this.#request!.write(piece.subarray(0, count), next);
  }

  #logProgress(): void {
    const { clock, log } = this.#parts.context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#loggedMs < PROGRESS_LOG_MS) return;
    this.#loggedMs = nowMs;
    log.info("sending database snapshot: progress", {
      ...this.#fields,
      "sent-bytes": this.#positionBytes,
      sent: humanSize(this.#positionBytes),
    });
  }

  #onAnswer(answer: Parameters<typeof postError>[3]): void {
    const { context, peerId } = this.#parts;
    this.#finish(postError(context, peerId, `${this.#url}${PATH}`, answer));
  }

  #finish(error: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { context, peerId, onOver } = this.#parts;
    const { clock, log, metrics, self } = context;
    this.#database.close();
    if (error !== null) this.#request?.destroy();
    metrics.snapshotsSending.with(this.#id).add(-1);
    if (error === null) {
      this.#parts.status.activate();
      log.info("sent database snapshot", this.#fields);
      metrics.sentBytes.with(this.#id).add(this.#totalBytes);
      metrics.snapshotsSent.with(this.#id).add();
      const seconds = (clock.monotonicMs() - this.#beganMs) / 1000;
      metrics.snapshotSendSeconds.with(this.#id).observe(seconds);
    } else {
      log.warn("failed to send database snapshot", { ...this.#fields, error });
      this.#parts.picker.unreachable(this.#url);
      this.#parts.status.deactivate("sendMsgSnap", "post", error);
      metrics.sentFailures.with(this.#id).add();
      metrics.snapshotSendFailures.with(this.#id).add();
      self.unreachable(peerId);
    }
    self.snapshotSent(peerId, error === null);
    onOver(this);
  }
}
