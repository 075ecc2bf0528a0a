// One watcher that outlives its stream: when a member goes away, it goes on at another one with
// the revision after the last that it has seen, so that nothing is lost and nothing comes twice.
// Fragments of a revision are put together first: half a revision is nothing to go on from.
//
//   open ─► create(nextRevision) ─► created ─► events … ─┐
//     ▲                                                  │ stream lost
//     └──────────────── after a pause ◄──────────────────┘        canceled: the end

import { Errors } from "../wire/errors.ts";
import type { Event } from "../wire/messages/kv.ts";
import {
  newWatchResponse,
  type WatchRequestInit,
  type WatchResponse,
} from "../wire/messages/rpc-watch.ts";
import { Code, RpcError } from "../wire/status.ts";
import type { Caller, CallOptions, MessageStream } from "./caller.ts";
import { errorText, isError } from "./errors.ts";
import { Watch } from "./watch.ts";

export type WatchCreate = NonNullable<Exclude<WatchRequestInit["createRequest"], Uint8Array>>;

/** Between a lost stream and the next. */
const REOPEN_MS = 100;

type Stream = MessageStream<WatchRequestInit, WatchResponse>;

/** Whether another stream could do better: not if the server has said what is wrong. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof RpcError) || isError(error, Errors.NoLeader)) return false;
  return error.code === Code.Unavailable || error.code === Code.Internal;
}

/**
 * Changes of a key or a range, in order and each once, across lost connections:
 * `for await (const { events } of client.watcher({ key })) …`. `startRevision` begins in the past.
 */
export class Watcher {
  readonly #caller: Caller;
  readonly #create: WatchCreate;
  readonly #options: CallOptions;
  #nextRevision: number;
  #stream: Stream | undefined;
  #isCreated = false;
  #wantsProgress = false;
  #ended = false;
  #fragments: Event[] = [];

  constructor(caller: Caller, create: WatchCreate, options: CallOptions = {}) {
    this.#caller = caller;
    this.#create = create;
    this.#options = options;
    this.#nextRevision = create.startRevision ?? 0;
  }

  /**
   * The next answer: events, progress, or `canceled` and then undefined. A stream that fails for
   * good is told as `canceled`, too.
   */
  async next(): Promise<WatchResponse | undefined> {
    while (!this.#ended) {
      try {
        this.#stream ??= await this.#open();
        const response = await this.#stream.next();
        if (response === undefined) this.#stream = undefined;
        else if (this.#isWhole(response) && this.#note(response)) return response;
      } catch (error) {
        this.#stream?.cancel();
        this.#stream = undefined;
        if (this.#ended) break;
        if (!isPassing(error)) return this.#fail(error);
        await new Promise<void>((resolve) => void this.#caller.clock.after(REOPEN_MS, resolve));
      }
    }
    return undefined;
  }

  /** All answers, as `next` gives them; leaving the loop closes the watcher. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WatchResponse, void, undefined> {
    try {
      for (let one = await this.next(); one !== undefined; one = await this.next()) yield one;
    } finally {
      this.close();
    }
  }

  /** Asks for an answer without events as soon as all is sent that there is. */
  requestProgress(): void {
    this.#wantsProgress = true;
    this.#sendProgressRequest();
  }

  close(): void {
    this.#ended = true;
    this.#stream?.cancel();
  }

  /** A watcher that is not there yet would not be told. */
  #sendProgressRequest(): void {
    if (!this.#wantsProgress || !this.#isCreated) return;
    this.#wantsProgress = false;
    this.#stream?.send({ progressRequest: {} });
  }

  async #open(): Promise<Stream> {
    this.#isCreated = false;
    this.#fragments = [];
    const stream = await new Watch(this.#caller).watch(this.#options);
    stream.send({ createRequest: { ...this.#create, startRevision: this.#nextRevision } });
    return stream;
  }

  #isWhole(response: WatchResponse): boolean {
    this.#fragments.push(...response.events);
    if (response.fragment) return false;
    response.events = this.#fragments;
    this.#fragments = [];
    return true;
  }

  /** Whether the answer is for the user. */
  #note(response: WatchResponse): boolean {
    if (response.canceled) {
      this.close();
      return true;
    }
    const last = response.events.at(-1)?.kv?.modRevision;
    const revision = response.header?.revision ?? 0;
    if (last !== undefined) this.#nextRevision = last + 1;
    // From now on means from the revision that the server had when it began to watch.
    else if (response.created ? this.#nextRevision === 0 : revision >= this.#nextRevision) {
      this.#nextRevision = revision + 1;
    }
    if (!response.created) return true;
    this.#isCreated = true;
    this.#sendProgressRequest();
    return false;
  }

  #fail(error: unknown): WatchResponse {
    this.#ended = true;
    const response = newWatchResponse();
    response.canceled = true;
    response.cancelReason = errorText(error);
    return response;
  }
}
