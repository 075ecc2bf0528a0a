// Messages by POST /raft, one request each: while there is no stream, and to members that are not
// dialled.

import { type Message, MessageType } from "../../wire/messages/raft.ts";
import { hexId } from "./compatibility.ts";
import type { PeerContext } from "./peer-context.ts";
import type { PeerStatus } from "./peer-status.ts";
import { postError } from "./post-answer.ts";
import { encodeRaftMessage } from "./raft-message.ts";
import type { UrlPicker } from "./url-picker.ts";

/** As etcd's: enough to pass over a second in which the network is away. */
const QUEUED_MESSAGES_MAX = 64;
const REQUESTS_MAX = 4;

interface Item {
  readonly type: MessageType;
  readonly body: Uint8Array;
}

export interface PipelineParts {
  readonly context: PeerContext;
  readonly peerId: bigint;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
}

export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #id: string;
  readonly #queue: Item[] = [];
  readonly #cancels = new Set<() => void>();
  #isStopped = false;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#id = hexId(parts.peerId);
    this.#log("started HTTP pipelining with remote peer");
  }

  /** False: the queue is full. */
  send(message: Message): boolean {
    if (this.#queue.length >= QUEUED_MESSAGES_MAX) return false;
    this.#queue.push({ type: message.type, body: encodeRaftMessage(message) });
    this.#pump();
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue.length = 0;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#log("stopped HTTP pipelining with remote peer");
  }

  #pump(): void {
    while (!this.#isStopped && this.#cancels.size < REQUESTS_MAX && this.#queue.length > 0) {
      this.#post(this.#queue.shift()!);
    }
  }

  #post(item: Item): void {
    const { context, peerId, picker } = this.#parts;
    const url = picker.pick();
    const headers = { ...context.ownHeaders(), "Content-Type": "application/protobuf" };
    const timeoutMs = context.timeouts.dialMs + context.timeouts.readMs;
    const call = { method: "POST", url, path: "/raft", headers, body: item.body } as const;
    const cancel = context.client.call({ ...call, timeoutMs }, (answer) => {
      this.#cancels.delete(cancel);
      const error =
        answer instanceof Error
          ? answer.message
          : postError(context, peerId, `${url}/raft`, answer);
      if (!this.#isStopped) this.#onPosted(item, url, error);
      this.#pump();
    });
    this.#cancels.add(cancel);
  }

  #onPosted(item: Item, url: string, error: string | null): void {
    const { context, peerId, picker, status } = this.#parts;
    const { metrics, self } = context;
    if (error === null) {
      status.activate();
      metrics.sentBytes.with(this.#id).add(item.body.length);
    } else {
      picker.unreachable(url);
      status.deactivate("pipeline", "write", error);
      metrics.sentFailures.with(this.#id).add();
      self.unreachable(peerId);
    }
    if (item.type === MessageType.MsgSnap) self.snapshotSent(peerId, error === null);
  }

  #log(message: string): void {
    const { context } = this.#parts;
    context.log.info(message, { "local-member-id": context.localId, "remote-peer-id": this.#id });
  }
}
