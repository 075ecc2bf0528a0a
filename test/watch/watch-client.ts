// A client of the Watch service as client libraries are: several watchers on a stream, answers
// given to the watcher they name, and after a lost connection each goes on behind what it has seen.

import assert from "node:assert/strict";
import type { Member } from "../../src/server/member.ts";
import {
  decodeWatchResponse,
  encodeWatchRequest,
  newWatchCreateRequest,
  type WatchCreateRequest,
  type WatchRequestInit,
  type WatchResponse,
} from "../../src/wire/messages/rpc-watch.ts";
import type { MethodTable, StreamHandler } from "../../src/wire/rpc.ts";
import { FakeStream } from "./fake-call.ts";
import type { WatchRecord } from "./guarantees.ts";

export class ClientWatch implements WatchRecord {
  readonly request: WatchCreateRequest;
  readonly received: WatchRecord["received"] = [];
  readonly revisionAtCreate: number;
  readonly compactRevisionAtCreate: number;
  completeThrough = 0;
  id: number | undefined;
  /** Where a new watcher would go on. */
  nextRevision: number;

  constructor(request: WatchCreateRequest, member: Member) {
    this.request = request;
    this.revisionAtCreate = member.revision;
    this.compactRevisionAtCreate = member.mvcc.compactRevision;
    this.nextRevision = request.startRevision;
  }

  receive(response: WatchResponse, compactRevision: number): void {
    this.received.push({ response, compactRevision });
    // What is cut counts when the last piece is there.
    if (response.fragment) return;
    const { revision } = response.header!;
    const last = response.events.at(-1);
    if (last !== undefined) this.nextRevision = last.kv!.modRevision + 1;
    else if (!response.canceled && (!response.created || this.request.startRevision === 0)) {
      this.nextRevision = Math.max(this.nextRevision, revision + 1);
    }
  }

  get hasEnded(): boolean {
    return this.received.at(-1)?.response.canceled === true;
  }
}

export class WatchClient {
  readonly call: FakeStream;
  /** Asked for and not ended, by id. */
  readonly live: Map<number, ClientWatch> = new Map();
  readonly member: Member;
  readonly #handler: StreamHandler;
  readonly #asked: ClientWatch[] = [];

  constructor(member: Member, methods: MethodTable) {
    this.member = member;
    this.call = new FakeStream((bytes) => this.#receive(decodeWatchResponse(bytes)));
    const method = methods.get("/etcdserverpb.Watch/Watch");
    assert.ok(method?.kind === "bidi-stream");
    this.#handler = method.open(this.call);
  }

  watch(options: Partial<WatchCreateRequest>): ClientWatch {
    const request = { ...newWatchCreateRequest(), ...options };
    const watch = new ClientWatch(request, this.member);
    this.#asked.push(watch);
    this.send({ createRequest: request });
    return watch;
  }

  cancel(id: number): void {
    this.send({ cancelRequest: { watchId: id } });
  }

  progress(): void {
    this.send({ progressRequest: {} });
  }

  send(request: WatchRequestInit): void {
    const bytes = encodeWatchRequest(request);
    this.#handler.onMessage(bytes, 0, bytes.length);
  }

  /** The connection is lost. */
  close(): void {
    this.call.isCancelled = true;
    this.#handler.onCancel();
  }

  #receive(response: WatchResponse): void {
    const { compactRevision } = this.member.mvcc;
    if (response.created) {
      const watch = this.#asked.shift();
      assert.ok(watch !== undefined, "nobody asked for this watcher");
      watch.receive(response, compactRevision);
      if (response.canceled) return;
      watch.id = response.watchId;
      assert.ok(!this.live.has(watch.id), `the id ${watch.id} is taken`);
      this.live.set(watch.id, watch);
    } else if (response.watchId === -1) {
      for (const watch of this.live.values()) watch.receive(response, compactRevision);
    } else {
      const watch = this.live.get(response.watchId);
      assert.ok(watch !== undefined, `an answer for ${response.watchId}, which is not there`);
      watch.receive(response, compactRevision);
      if (response.canceled) this.live.delete(response.watchId);
    }
  }
}
