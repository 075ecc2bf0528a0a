// Maintenance.Snapshot: the database as it is now, in blobs of 32 KiB, and at the end a message
// with the SHA-256 of all of them. The image is pinned: writes go on meanwhile. No more is read
// than the connection takes.

import { createHash } from "node:crypto";
import type { Member } from "../server/member.ts";
import type { BackendSnapshot } from "../storage/backend-snapshot.ts";
import {
  type SnapshotResponseInit,
  sizeSnapshotResponse,
  writeSnapshotResponse,
} from "../wire/messages/rpc-maintenance.ts";
import type { Method, StreamCall } from "../wire/rpc.ts";
import { type Encoder, sendOne } from "./send.ts";

const BLOB_BYTES = 32 * 1024;
/** Handed to the transport ahead of what the client has taken. */
const QUEUED_BYTES_MAX = 512 * 1024;
/** Blobs per turn: other requests are served in between. */
const BLOBS_PER_TURN = 16;

const encoder: Encoder<SnapshotResponseInit> = {
  size: sizeSnapshotResponse,
  write: writeSnapshotResponse,
};

export function snapshotMethod(member: Member): Method {
  return {
    kind: "server-stream",
    handle: (call) => {
      const stream = new SnapshotStream(member, call);
      member.snapshot((image) => stream.start(image));
      return { onCancel: () => stream.cancel() };
    },
  };
}

class SnapshotStream {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #hash = createHash("sha256");
  readonly #startedAtMs: number;
  #image: BackendSnapshot | undefined;
  #sentBytes = 0;
  #isCancelled = false;

  constructor(member: Member, call: StreamCall) {
    this.#member = member;
    this.#call = call;
    this.#startedAtMs = member.clock.monotonicMs();
  }

  start(image: BackendSnapshot): void {
    if (this.#isCancelled) {
      image.close();
      return;
    }
    this.#image = image;
    const fields = { "total-bytes": image.sizeBytes };
    this.#member.log.info("sending database snapshot to client", fields);
    this.#pump();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#image?.close();
    this.#image = undefined;
  }

  readonly #pump = (): void => {
    const image = this.#image;
    if (image === undefined) return;
    for (let blobs = 0; blobs < BLOBS_PER_TURN; blobs++) {
      if (this.#call.queuedBytes > QUEUED_BYTES_MAX) {
        this.#call.whenDrained(QUEUED_BYTES_MAX / 2, this.#pump);
        return;
      }
      if (this.#sentBytes === image.sizeBytes) {
        this.#finish(image);
        return;
      }
      this.#sendBlob(image);
    }
    this.#member.clock.endOfTurn(this.#pump);
  };

  #sendBlob(image: BackendSnapshot): void {
    const blob = new Uint8Array(Math.min(BLOB_BYTES, image.sizeBytes - this.#sentBytes));
    image.read(this.#sentBytes, blob);
    this.#hash.update(blob);
    this.#sentBytes += blob.length;
    const remainingBytes = image.sizeBytes - this.#sentBytes;
    sendOne(this.#call, encoder, { remainingBytes, blob, version: this.#version });
  }

  #finish(image: BackendSnapshot): void {
    const blob = this.#hash.digest();
    sendOne(this.#call, encoder, { remainingBytes: 0, blob, version: this.#version });
    this.#call.end();
    this.#image = undefined;
    image.close();
    const took = `${((this.#member.clock.monotonicMs() - this.#startedAtMs) / 1000).toFixed(3)}s`;
    const fields = { "total-bytes": this.#sentBytes, took };
    this.#member.log.info("successfully sent database snapshot to client", fields);
  }

  get #version(): string {
    return this.#member.storageVersion ?? "";
  }
}
