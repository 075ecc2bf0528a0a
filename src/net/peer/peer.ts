// Everything between this member and one other.
//
//   StreamReader msgapp, message ◄── what it says to us (we dial)
//   StreamWriter msgapp, message ──► what we say (it dials)
//   Pipeline                     ──► the same while its stream is away
//   SnapshotSender …             ──► databases
//   Prober ×2                    ──► how are you?

import type { Socket } from "node:net";
import type { SnapshotSource } from "../../io/network.ts";
import { type Message, MessageType } from "../../wire/messages/raft.ts";
import { hexId } from "./compatibility.ts";
import type { PeerContext } from "./peer-context.ts";
import { PeerStatus } from "./peer-status.ts";
import { Pipeline } from "./pipeline.ts";
import { Prober } from "./prober.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import type { StreamKind } from "./stream-kind.ts";
import { StreamReader } from "./stream-reader.ts";
import { StreamWriter } from "./stream-writer.ts";
import { UrlPicker } from "./url-picker.ts";

export class Peer {
  readonly status: PeerStatus;
  readonly #context: PeerContext;
  readonly #peerId: bigint;
  readonly #id: string;
  readonly #picker: UrlPicker;
  readonly #pipeline: Pipeline;
  readonly #writers: Readonly<Record<StreamKind, StreamWriter>>;
  readonly #readers: readonly StreamReader[];
  readonly #probers: readonly Prober[];
  readonly #snapshots = new Set<SnapshotSender>();

  constructor(context: PeerContext, peerId: bigint, urls: readonly string[]) {
    const id = hexId(peerId);
    context.log.info("starting remote peer", { "remote-peer-id": id });
    this.#context = context;
    this.#peerId = peerId;
    this.#id = id;
    this.status = new PeerStatus(context, id);
    this.#picker = new UrlPicker(urls);
    const common = { context, peerId, picker: this.#picker, status: this.status };
    this.#pipeline = new Pipeline(common);
    this.#writers = {
      msgapp: new StreamWriter({ ...common, kind: "msgapp" }),
      message: new StreamWriter({ ...common, kind: "message" }),
    };
    this.#readers = [
      new StreamReader({ ...common, kind: "msgapp" }),
      new StreamReader({ ...common, kind: "message" }),
    ];
    for (const reader of this.#readers) reader.start();
    this.#probers = [
      new Prober(context, "ROUND_TRIPPER_SNAPSHOT", peerId, urls),
      new Prober(context, "ROUND_TRIPPER_RAFT_MESSAGE", peerId, urls),
    ];
    context.log.info("started remote peer", { "remote-peer-id": id });
  }

  /** On the best way there is. What finds no room is dropped and reported. */
  send(message: Message): void {
    const { msgapp, message: other } = this.#writers;
    const { type } = message;
    if (type === MessageType.MsgApp && msgapp.isAttached) {
      if (!msgapp.send(message)) this.#drop(message, "streamMsgAppV2");
    } else if (type !== MessageType.MsgSnap && other.isAttached) {
      if (!other.send(message)) this.#drop(message, "streamMsg");
    } else if (!this.#pipeline.send(message)) {
      this.#drop(message, "pipeline");
    }
  }

  flush(): void {
    this.#writers.msgapp.flush();
    this.#writers.message.flush();
  }

  sendSnapshot(message: Message, database: SnapshotSource): void {
    const sender = new SnapshotSender(
      {
        context: this.#context,
        peerId: this.#peerId,
        picker: this.#picker,
        status: this.status,
        onOver: (over) => this.#snapshots.delete(over),
      },
      message,
      database,
    );
    this.#snapshots.add(sender);
    sender.start();
  }

  attach(kind: StreamKind, socket: Socket): void {
    this.#writers[kind].attach(socket);
  }

  update(urls: readonly string[]): void {
    this.#picker.update(urls);
    for (const prober of this.#probers) prober.update(urls);
  }

  tick(): void {
    this.#writers.msgapp.tick();
    this.#writers.message.tick();
  }

  stop(): void {
    const { log } = this.#context;
    log.info("stopping remote peer", { "remote-peer-id": this.#id });
    this.#writers.msgapp.stop();
    this.#writers.message.stop();
    this.#pipeline.stop();
    for (const sender of this.#snapshots) sender.cut();
    for (const reader of this.#readers) reader.stop();
    for (const prober of this.#probers) prober.stop();
    this.status.forget();
    log.info("stopped remote peer", { "remote-peer-id": this.#id });
  }

  #drop(message: Message, way: string): void {
    reportDropped(this.#context, this.status, message, way);
    if (message.type === MessageType.MsgSnap) {
      this.#context.self.snapshotSent(this.#peerId, false);
    }
  }
}

/** A member that is in no configuration we know: answered by POST, not dialled. */
export class Remote {
  readonly #context: PeerContext;
  readonly #status: PeerStatus;
  readonly #pipeline: Pipeline;

  constructor(context: PeerContext, peerId: bigint, urls: readonly string[]) {
    this.#context = context;
    this.#status = new PeerStatus(context, hexId(peerId));
    const picker = new UrlPicker(urls);
    this.#pipeline = new Pipeline({ context, peerId, picker, status: this.#status });
  }

  send(message: Message): void {
    if (this.#pipeline.send(message)) return;
    reportDropped(this.#context, this.#status, message, "pipeline");
  }

  stop(): void {
    this.#pipeline.stop();
    this.#status.forget();
  }
}

function reportDropped(
  context: PeerContext,
  status: PeerStatus,
  message: Message,
  way: string,
): void {
  const id = hexId(message.to);
  const name = Object.entries(MessageType).find(([, value]) => value === message.type)?.[0];
  context.log.warn("dropped internal Raft message since sending buffer is full", {
    "message-type": name ?? String(message.type),
    "local-member-id": context.localId,
    from: hexId(message.from),
    "remote-peer-id": id,
    "remote-peer-name": way,
    "remote-peer-active": status.isActive,
  });
  context.metrics.sentFailures.with(id).add();
  context.self.unreachable(message.to);
}
