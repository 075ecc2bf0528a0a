// Whether a peer is reached: any link that comes up makes it active, any that fails inactive.

import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../io/io.ts";
import type { PeerMetrics } from "./peer-metrics.ts";

export interface StatusParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: PeerMetrics;
  /** Of this member, in hex. */
  readonly localId: string;
}

export class PeerStatus {
  readonly #parts: StatusParts;
  readonly #id: string;
  #sinceMs: number | undefined;

  constructor(parts: StatusParts, id: string) {
    this.#parts = parts;
    this.#id = id;
  }

  get isActive(): boolean {
    return this.#sinceMs !== undefined;
  }

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  activate(): void {
    if (this.#sinceMs !== undefined) return;
    const { clock, log, metrics, localId } = this.#parts;
    this.#sinceMs = clock.monotonicMs();
    log.info("peer became active", { "peer-id": this.#id });
    metrics.activePeers.with(localId, this.#id).add(1);
  }

  /** `source` and `action` as etcd words them: "stream Message", "dial". */
  deactivate(source: string, action: string, reason: string): void {
    const { log, metrics, localId } = this.#parts;
    const error = `failed to ${action} ${this.#id} on ${source} (${reason})`;
    if (this.#sinceMs === undefined) {
      log.debug("peer deactivated again", { "peer-id": this.#id, error });
      return;
    }
    this.#sinceMs = undefined;
    const fields = { "peer-id": this.#id, error };
    log.warn("peer became inactive (message send to peer failed)", fields);
    metrics.activePeers.with(localId, this.#id).add(-1);
    metrics.disconnectedPeers.with(localId, this.#id).add();
  }

  /** The peer is no more: without a word. */
  forget(): void {
    const { metrics, localId } = this.#parts;
    if (this.#sinceMs !== undefined) metrics.activePeers.with(localId, this.#id).add(-1);
    this.#sinceMs = undefined;
  }
}
