// etcdserverpb.Watch: one stream carries many watchers. This file is about requests and the
// answers to them; events are put together and sent by state/watch, into the same call.
//
//   create   → created, or created and canceled at once, with the reason and id -1
//   cancel   → canceled; ids that are not there are ignored
//   progress → the revision for all watchers (id -1), if all have been given everything

import { latin1 } from "../base/latin1.ts";
import type { Timer } from "../io/io.ts";
import type { Member } from "../server/member.ts";
import type { WatchStream } from "../state/watch/watch-stream.ts";
import { WatchFlag } from "../state/watch/watcher.ts";
import {
  decodeWatchRequest,
  FilterType,
  sizeWatchResponse,
  type WatchCreateRequest,
  type WatchResponseInit,
  writeWatchResponse,
} from "../wire/messages/rpc-watch.ts";
import type { Method, StreamCall, StreamHandler } from "../wire/rpc.ts";
import { type Encoder, sendOne } from "./send.ts";

/** In answers that are about no watcher, or about all. */
const NO_WATCHER = -1;

const EMPTY_RANGE = "mvcc: watcher range is empty";
const DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream";
const COMPACTED = "etcdserver: mvcc: required revision has been compacted";

const encoder: Encoder<WatchResponseInit> = { size: sizeWatchResponse, write: writeWatchResponse };

export function watchMethods(member: Member): [string, Method][] {
  const open = (call: StreamCall): StreamHandler => new WatchCall(member, call);
  return [["/etcdserverpb.Watch/Watch", { kind: "bidi-stream", open }]];
}

class WatchCall implements StreamHandler {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #stream: WatchStream;
  #timer: Timer | undefined;

  constructor(member: Member, call: StreamCall) {
    this.#member = member;
    this.#call = call;
    this.#stream = member.watch.openStream(call, (id, compactRevision) => {
      // Without a revision, as etcd answers.
      this.#send({ header: member.headerAt(0), watchId: id, canceled: true, compactRevision });
    });
  }

  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const beganMs = this.#member.clock.monotonicMs();
    const request = decodeWatchRequest(bytes, start, end);
    if (request.createRequest !== undefined) this.#create(request.createRequest);
    else if (request.cancelRequest !== undefined) this.#cancel(request.cancelRequest.watchId);
    else if (request.progressRequest !== undefined) this.#progress();
    const tookMs = this.#member.clock.monotonicMs() - beganMs;
    this.#member.watchFeed.metrics.controlSeconds.observe(tookMs / 1000);
  }

  /** The client has nothing more to ask and goes on listening. */
  onEnd(): void {}

  onCancel(): void {
    this.#timer?.cancel();
    this.#member.watch.closeStream(this.#stream);
  }

  #create(request: WatchCreateRequest): void {
    const range = rangeOf(request.key, request.rangeEnd);
    const refusal = this.#refusal(request, range);
    if (refusal !== undefined) {
      this.#answer(NO_WATCHER, { created: true, canceled: true, cancelReason: refusal });
      return;
    }
    const watcher = this.#member.watch.create(this.#stream, {
      from: range!.from,
      to: range!.to,
      flags: flagsOf(request),
      startRevision: request.startRevision,
      id: request.watchId,
    });
    this.#send({ header: this.#member.headerAt(), watchId: watcher.id, created: true });
    if (request.progressNotify && this.#timer === undefined) this.#scheduleProgress();
  }

  #refusal(request: WatchCreateRequest, range: KeyRange | undefined): string | undefined {
    if (request.startRevision < 0) return COMPACTED;
    if (range === undefined) return EMPTY_RANGE;
    const isTaken = request.watchId !== 0 && this.#stream.watchers.has(request.watchId);
    return isTaken ? DUPLICATE_ID : undefined;
  }

  #cancel(id: number): void {
    if (this.#member.watch.cancel(this.#stream, id)) this.#answer(id, { canceled: true });
  }

  #progress(): void {
    const { watch } = this.#member;
    watch.flush();
    if (watch.isStreamInStep(this.#stream)) this.#answer(NO_WATCHER, {});
  }

  #scheduleProgress(): void {
    const { clock, watchFeed } = this.#member;
    this.#timer = clock.after(watchFeed.nextProgressMs(), () => this.#notifyProgress());
  }

  /** Those who want to be told, and were told nothing since the last time. */
  #notifyProgress(): void {
    const { watch, watchFeed, clock } = this.#member;
    const beganMs = clock.monotonicMs();
    watch.flush();
    let isWanted = false;
    for (const watcher of this.#stream.watchers.values()) {
      if (!watcher.wantsProgress) continue;
      isWanted = true;
      if (!watcher.hasNews && watch.isInStep(watcher)) this.#answer(watcher.id, {});
      watcher.hasNews = false;
    }
    this.#timer = undefined;
    if (isWanted && !this.#stream.isClosed) this.#scheduleProgress();
    watchFeed.metrics.progressSeconds.observe((clock.monotonicMs() - beganMs) / 1000);
  }

  #answer(watchId: number, rest: WatchResponseInit): void {
    this.#send({ header: this.#member.headerAt(), watchId, ...rest });
  }

  #send(response: WatchResponseInit): void {
    sendOne(this.#call, encoder, response);
  }
}

interface KeyRange {
  readonly from: string;
  readonly to: string | undefined;
}

/** Undefined: there is nothing between the two. Without a key, all from the first one on. */
function rangeOf(key: Uint8Array, rangeEnd: Uint8Array): KeyRange | undefined {
  const from = key.length === 0 ? "\0" : latin1(key, 0, key.length);
  if (rangeEnd.length === 0) return { from, to: from };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from, to: undefined };
  const to = latin1(rangeEnd, 0, rangeEnd.length);
  return from < to ? { from, to } : undefined;
}

function flagsOf(request: WatchCreateRequest): number {
  let flags = request.prevKv ? WatchFlag.PrevKv : 0;
  if (request.fragment) flags |= WatchFlag.Fragments;
  if (request.progressNotify) flags |= WatchFlag.Progress;
  for (const filter of request.filters) {
    if (filter === FilterType.NOPUT) flags |= WatchFlag.NoPut;
    if (filter === FilterType.NODELETE) flags |= WatchFlag.NoDelete;
  }
  return flags;
}
