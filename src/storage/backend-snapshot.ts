// The database as it was at one commit, byte by byte, for a backup or a member that lags. Both
// meta pages name the same state, the second with the txid before, as etcd sends them; so a
// reader that finds one of them damaged still has the other.

import type { Clock } from "../io/io.ts";
import type { BackendMetrics } from "./backend-metrics.ts";
import type { View } from "./bolt/db.ts";
import { encodeMetaPage } from "./bolt/meta.ts";
import type { Store } from "./store.ts";

export class BackendSnapshot {
  /** Everything up to the high-water mark; what the file has beyond is not part of it. */
  readonly sizeBytes: number;
  readonly #store: Store;
  readonly #view: View;
  readonly #metaPages: Uint8Array;
  readonly #clock: Clock;
  readonly #metrics: BackendMetrics;
  readonly #startedMs: number;
  #isOpen = true;

  constructor(store: Store, clock: Clock, metrics: BackendMetrics) {
    this.#store = store;
    this.#view = store.pin();
    this.#clock = clock;
    this.#metrics = metrics;
    this.#startedMs = clock.monotonicMs();
    const { meta } = this.#view;
    this.sizeBytes = meta.pageCount * meta.pageSize;
    this.#metaPages = new Uint8Array(2 * meta.pageSize);
    this.#metaPages.set(encodeMetaPage(meta, 0));
    this.#metaPages.set(encodeMetaPage({ ...meta, txid: meta.txid - 1 }, 1), meta.pageSize);
  }

  /** Fills `target` from `position`; returns how much there was. */
  read(position: number, target: Uint8Array): number {
    const length = Math.min(target.length, this.sizeBytes - position);
    const metaLength = Math.min(length, Math.max(0, this.#metaPages.length - position));
    target.set(this.#metaPages.subarray(position, position + metaLength));
    if (metaLength === length) return length;
    const rest = target.subarray(metaLength, length);
    return metaLength + this.#store.file.read(rest, position + metaLength);
  }

  /** Must be called, also when not all was read: until then no page of it is used again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#store.unpin(this.#view);
    this.#metrics.snapshotSeconds.observe((this.#clock.monotonicMs() - this.#startedMs) / 1000);
  }
}
