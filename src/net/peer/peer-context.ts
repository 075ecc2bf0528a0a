// What all parts of the transport share.

import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../io/io.ts";
import type { PeerHandlers } from "../../io/network.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { HttpClient } from "./http-client.ts";
import type { PeerMetrics } from "./peer-metrics.ts";

export interface PeerTimeouts {
  /** Until a connection stands. */
  readonly dialMs: number;
  /** Between two reads of a stream, and two writes: --raft-read-timeout, --raft-write-timeout. */
  readonly readMs: number;
  readonly writeMs: number;
  /** Between two attempts to get a stream. */
  readonly redialMs: number;
  readonly probeMs: number;
}

export const DEFAULT_TIMEOUTS: PeerTimeouts = {
  dialMs: 2000,
  readMs: 5000,
  writeMs: 5000,
  redialMs: 100,
  probeMs: 4000,
};

export interface PeerContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: PeerMetrics;
  readonly timeouts: PeerTimeouts;
  readonly pool: BufferPool;
  readonly client: HttpClient;
  readonly self: PeerHandlers;
  /** Of this member, in hex. */
  readonly localId: string;
  /** Headers of every request to other members. */
  ownHeaders(): Record<string, string>;
  /** A peer says that this member is no more of the cluster. */
  removed(): void;
}
