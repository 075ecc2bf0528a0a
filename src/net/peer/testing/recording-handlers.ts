// A server side for tests of the transport: writes down what it is told, and lets tests wait for
// it.

import type { Done } from "../../../io/io.ts";
import type { PeerAnswer, PeerHandlers, PeerRequest, SnapshotSink } from "../../../io/network.ts";
import type { Message } from "../../../wire/messages/raft.ts";

/** What has not come by then never will. */
export const WAIT_MS = 30_000;

export class RecordingHandlers implements PeerHandlers {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  version = "3.7.3";
  minClusterVersion = "3.0.0";
  urls: readonly string[] = ["http://127.0.0.1:1"];
  readonly removedIds: Set<bigint> = new Set();
  readonly messages: Message[] = [];
  readonly sent: [bigint, boolean][] = [];
  readonly unreachableIds: bigint[] = [];
  readonly refusedIds: bigint[] = [];
  readonly requests: PeerRequest[] = [];
  removedCount = 0;
  answer: PeerAnswer = { status: 404, headers: {}, body: new Uint8Array(0) };
  sink: RecordingSink = new RecordingSink();
  readonly #waiting: { isThere: () => boolean; go: () => void }[] = [];

  constructor(memberId: bigint, clusterId: bigint) {
    this.memberId = memberId;
    this.clusterId = clusterId;
  }

  peerUrls(): readonly string[] {
    return this.urls;
  }

  isRemoved(id: bigint): boolean {
    return this.removedIds.has(id);
  }

  message(message: Message): void {
    if (message.to === this.memberId && !this.isRemoved(message.from)) this.messages.push(message);
    this.#look();
  }

  snapshot(message: Message): SnapshotSink {
    this.sink.message = message;
    this.sink.look = () => this.#look();
    this.#look();
    return this.sink;
  }

  snapshotSent(to: bigint, isOk: boolean): void {
    this.sent.push([to, isOk]);
    this.#look();
  }

  unreachable(id: bigint): void {
    this.unreachableIds.push(id);
    this.#look();
  }

  refused(id: bigint): void {
    this.refusedIds.push(id);
    this.#look();
  }

  removed(): void {
    this.removedCount++;
    this.#look();
  }

  request(request: PeerRequest, answer: (answer: PeerAnswer) => void): void {
    this.requests.push(request);
    answer(this.answer);
  }

  /** Until what was told makes it true. */
  until(isThere: () => boolean): Promise<void> {
    if (isThere()) return Promise.resolve();
    return new Promise((go, give) => {
      const timer = setTimeout(() => give(new Error(`not told: ${isThere}`)), WAIT_MS);
      this.#waiting.push({
        isThere,
        go: () => {
          clearTimeout(timer);
          go();
        },
      });
    });
  }

  #look(): void {
    for (const one of [...this.#waiting]) {
      if (!one.isThere()) continue;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.go();
    }
  }
}

export class RecordingSink implements SnapshotSink {
  message: Message | undefined;
  bytes = 0;
  sum = 0;
  hasEnded = false;
  aborted: Error | undefined;
  /** Errors to give. */
  writeError: Error | null = null;
  endError: Error | null = null;
  look: () => void = () => {};

  write(bytes: Uint8Array, done: Done): void {
    this.bytes += bytes.length;
    for (const byte of bytes) this.sum = (this.sum * 31 + byte) >>> 0;
    // Later, as a disk does.
    setImmediate(() => done(this.writeError));
  }

  end(done: Done): void {
    this.hasEnded = true;
    this.look();
    setImmediate(() => done(this.endError));
  }

  abort(error: Error): void {
    this.aborted = error;
    this.look();
  }
}
