// A snapshot on its way: its message, then the database in pieces, the next one sent when the
// receiver has taken the one before. It may break at any piece: the link is cut, one of the two
// dies, the receiver refuses, or chance has it so. Both sides are told, as far as they live.

import type { SnapshotSink, SnapshotSource } from "../../src/io/network.ts";
import { decodeMessage } from "../../src/wire/messages/raft.ts";
import type { SimLink } from "./sim-link.ts";
import type { SimNetwork } from "./sim-network.ts";

/** After so long without a sign of the other side the transfer is given up. */
const SILENCE_MS = 5000;
/** TCP sends again what did not get through. */
const RESEND_MS = 200;

export class SnapshotTransfer {
  readonly #link: SimLink;
  readonly #message: Uint8Array;
  readonly #database: SnapshotSource;
  readonly #onEnd: () => void;
  /** Breaks when so many bytes have passed. */
  readonly #breaksAt: number;
  #receiver: SimNetwork | undefined;
  #sink: SnapshotSink | undefined;
  #position = 0;
  #isOver = false;
  #progress = 0;

  constructor(link: SimLink, message: Uint8Array, database: SnapshotSource, onEnd: () => void) {
    this.#link = link;
    this.#message = message;
    this.#database = database;
    this.#onEnd = onEnd;
    const { random, faults } = link.port.fabric;
    const { snapshotCutOneIn } = faults;
    const breaks = snapshotCutOneIn !== Infinity && random.oneIn(snapshotCutOneIn);
    this.#breaksAt = breaks ? random.below(database.sizeBytes + 1) : Infinity;
  }

  start(): void {
    this.#watch();
    this.#cross(() => {
      const receiver = this.#receiver!;
      if (receiver.handlers?.memberId !== this.#link.memberId || !receiver.admits(this.#sender)) {
        this.abort("refused");
        return;
      }
      this.#sink = receiver.handlers.snapshot(decodeMessage(this.#message));
      this.#sendPiece();
    });
  }

  /** The process that sent is gone; its file, too. */
  senderDied(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#tellReceiver("unexpected EOF");
  }

  abort(reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#database.close();
    this.#tellReceiver(reason);
    const { port, memberId } = this.#link;
    port.later(() => {
      port.handlers?.unreachable(memberId);
      port.handlers?.snapshotSent(memberId, false);
    });
  }

  get #sender(): SimNetwork {
    return this.#link.port;
  }

  #tellReceiver(reason: string): void {
    const sink = this.#sink;
    this.#sink = undefined;
    // A receiver that has died has forgotten the sink.
    if (sink === undefined || !this.#isReceiverThere) return;
    this.#receiver?.clock.whenAwake(() => sink.abort(new Error(reason)));
  }

  get #isReceiverThere(): boolean {
    const receiver = this.#receiver;
    return receiver !== undefined && receiver === receiver.fabric.port(receiver.machine);
  }

  #finish(): void {
    this.#isOver = true;
    this.#onEnd();
  }

  /** One trip to the receiver, unless something is in the way. */
  #cross(task: () => void): void {
    const { fabric, machine } = this.#sender;
    const { target } = this.#link;
    if (target === undefined) {
      this.abort("no such host");
      return;
    }
    fabric.schedule.after(fabric.delayMs(machine, target), () => {
      if (this.#isOver) return;
      if (!fabric.passes(machine, target)) {
        this.#sender.clock.after(RESEND_MS, () => this.#isOver || this.#cross(task));
        return;
      }
      const receiver = fabric.port(target);
      this.#receiver ??= receiver;
      if (receiver === undefined || receiver !== this.#receiver) this.abort("connection reset");
      else receiver.clock.whenAwake(() => this.#isOver || task());
    });
  }

  #sendPiece(): void {
    const { fabric } = this.#sender;
    if (this.#position >= this.#breaksAt) {
      this.abort("the connection broke");
      return;
    }
    if (this.#position >= this.#database.sizeBytes) {
      this.#cross(() => this.#sink?.end((error) => this.#ended(error)));
      return;
    }
    const piece = new Uint8Array(fabric.faults.snapshotPieceBytes);
    const length = this.#database.read(this.#position, piece);
    if (length === 0) {
      this.abort("the database ends early");
      return;
    }
    this.#position += length;
    this.#cross(() => {
      this.#sink?.write(piece.subarray(0, length), (error) => {
        if (this.#isOver) return;
        this.#progress++;
        if (error === null) this.#sender.clock.whenAwake(() => this.#sendPiece());
        else this.#refused();
      });
    });
  }

  /** The receiver has given up by itself. */
  #refused(): void {
    this.#sink = undefined;
    this.abort("refused");
  }

  #ended(error: Error | null): void {
    if (this.#isOver) return;
    this.#sink = undefined;
    if (error !== null) {
      this.abort(error.message);
      return;
    }
    this.#finish();
    this.#database.close();
    const { fabric, machine } = this.#sender;
    const { target, memberId } = this.#link;
    fabric.schedule.after(fabric.delayMs(target!, machine), () => {
      const isHeard = fabric.passes(target!, machine);
      this.#sender.clock.whenAwake(() => this.#sender.handlers?.snapshotSent(memberId, isHeard));
    });
  }

  /** Gives up when nothing has moved for a while. */
  #watch(): void {
    const before = this.#progress;
    this.#sender.clock.after(SILENCE_MS, () => {
      if (this.#isOver) return;
      const isCut = !this.#isReceiverThere || !this.#passes;
      if (this.#progress === before && isCut) this.abort("timed out");
      else this.#watch();
    });
  }

  get #passes(): boolean {
    const { fabric, machine } = this.#sender;
    const { target } = this.#link;
    return target !== undefined && fabric.passes(machine, target);
  }
}
