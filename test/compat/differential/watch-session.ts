// One stream of watchers on one server, and what each of them was told.

import type { MessageStream } from "../../../src/client/caller.ts";
import type { Client } from "../../../src/client/client.ts";
import { encodeEvent } from "../../../src/wire/messages/kv.ts";
import type { WatchRequestInit, WatchResponse } from "../../../src/wire/messages/rpc-watch.ts";
import { RpcError } from "../../../src/wire/status.ts";
import { hex } from "./answers.ts";
import type { WatchStep } from "./watch-steps.ts";

/** etcd looks after watchers that are behind ten times a second. */
const SETTLE_MS = 250;

export class WatchSession {
  /** By watch id. What is told between the watchers of a stream has no order. */
  readonly told: Map<number, string[]> = new Map();
  readonly #client: Client;
  readonly #stream: MessageStream<WatchRequestInit, WatchResponse>;
  readonly #ended: Promise<void>;
  #revision = 1;

  static async open(client: Client): Promise<WatchSession> {
    return new WatchSession(client, await client.watch.watch());
  }

  private constructor(client: Client, stream: MessageStream<WatchRequestInit, WatchResponse>) {
    this.#client = client;
    this.#stream = stream;
    this.#ended = this.#listen();
  }

  async perform(step: WatchStep): Promise<void> {
    switch (step.kind) {
      case "create": {
        const { back, request } = step;
        const startRevision = back === undefined ? 0 : Math.max(0, this.#revision - back);
        this.#stream.send({ createRequest: { ...request, startRevision } });
        // Or the next write would sometimes be before it.
        return settle();
      }
      case "control":
        await settle();
        this.#stream.send(step.request);
        return settle();
      case "compact":
        await settle();
        return this.#write(() => this.#client.kv.compact({ revision: this.#revision - step.back }));
      case "put":
        return this.#write(() => this.#client.kv.put(step.request));
      case "delete":
        return this.#write(() => this.#client.kv.deleteRange(step.request));
      case "txn":
        return this.#write(() => this.#client.kv.txn(step.request));
    }
  }

  async close(): Promise<void> {
    await settle();
    this.#stream.cancel();
    await this.#ended;
  }

  async #write(call: () => Promise<{ header: { revision: number } | undefined }>): Promise<void> {
    try {
      this.#revision = (await call()).header!.revision;
    } catch (error) {
      // What is refused, both refuse: other tests look at that.
      if (!(error instanceof RpcError)) throw error;
    }
  }

  async #listen(): Promise<void> {
    try {
      for (
        let one = await this.#stream.next();
        one !== undefined;
        one = await this.#stream.next()
      ) {
        this.#note(one);
      }
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
  }

  #note(answer: WatchResponse): void {
    const { watchId, created, canceled, cancelReason, compactRevision, events, header } = answer;
    let lines = this.told.get(watchId);
    if (lines === undefined) this.told.set(watchId, (lines = []));
    if (created) lines.push(`created at ${header?.revision}`);
    for (const event of events) lines.push(hex(encodeEvent(event)));
    if (canceled && !lines.at(-1)?.startsWith("cancelled")) {
      lines.push(`cancelled: ${cancelReason} ${compactRevision}`);
      // As clients do: etcd would keep the id, and answer no more requests for progress.
      if (compactRevision > 0) this.#stream.send({ cancelRequest: { watchId } });
    }
    if (!created && !canceled && events.length === 0) lines.push(`progress ${header?.revision}`);
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
