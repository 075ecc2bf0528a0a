// The Watch service: changes of keys as they happen.

import {
  decodeWatchResponse,
  encodeWatchRequest,
  type WatchRequestInit,
  type WatchResponse,
} from "../wire/messages/rpc-watch.ts";
import type { Caller, CallOptions, MessageStream, StreamMethod } from "./caller.ts";

const watch: StreamMethod<WatchRequestInit, WatchResponse> = {
  path: "/etcdserverpb.Watch/Watch",
  encode: encodeWatchRequest,
  decode: decodeWatchResponse,
};

export class Watch {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** One stream carries any number of watchers, each created by a message. */
  watch(options?: CallOptions): Promise<MessageStream<WatchRequestInit, WatchResponse>> {
    return this.#caller.stream(watch, options);
  }
}
