// What the parts of a member are made of: the doors, and the parts that most others need. Each is
// given the whole kit and takes what it names.

import type { Logger } from "../base/log.ts";
import type { Clock, Disk, Random } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import type { State } from "../state/state.ts";
import { WatchableStore } from "../state/watch/watchable-store.ts";
import type { Backend } from "../storage/backend.ts";
import type { DataDir } from "../storage/data-dir.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { HeaderTemplate } from "../wire/kv-responses.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import { ClusterDuties } from "./cluster-duties.ts";
import { LeaseClock } from "./lease-clock.ts";
import { GRPC_OVERHEAD_BYTES, type MemberOptions, requestTimeoutMs } from "./options.ts";
import type { Proposals, Waiter } from "./proposals.ts";
import { Publisher } from "./publisher.ts";
import type { Reads, ReadWaiter } from "./reads.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import { WatchFeed } from "./watch-feed.ts";

export interface Kit {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly network: Network;
  readonly log: Logger;
  readonly options: MemberOptions;
  readonly metrics: ServerMetrics;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: State;
  readonly backend: Backend;
  readonly raft: Raft;
  readonly wal: Wal;
  readonly dataDir: DataDir;
  /** Of the newest snapshot record. */
  readonly snapshotIndex: number;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly propose: (
    field: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: Waiter,
  ) => void;
  readonly confirmRead: (waiter: ReadWaiter) => boolean;
  readonly isLeader: () => boolean;
  readonly appliedIndex: () => number;
  /** Raft has something to do. */
  readonly wake: () => void;
  readonly fatal: (error: Error) => void;
}

export function newAutoCompactor(kit: Kit): AutoCompactor {
  const { options, state } = kit;
  const setting = options.autoCompaction;
  return new AutoCompactor({ ...kit, setting, revision: () => state.mvcc.currentRevision });
}

export function newDuties(kit: Kit, leaseClock: LeaseClock, publisher: Publisher): ClusterDuties {
  const storageVersion = (): string | undefined => publisher.storageVersion;
  return new ClusterDuties({ ...kit, leaseClock, storageVersion });
}

export function newPublisher(kit: Kit, onPublished: () => void): Publisher {
  return new Publisher({ ...kit, onPublished });
}

export function newWatchableStore(
  { state, raft, options }: Kit,
  header: HeaderTemplate,
  onLagging: () => void,
): WatchableStore {
  const fragmentBytes = options.maxRequestBytes + GRPC_OVERHEAD_BYTES;
  const term = (): number => raft.term;
  return new WatchableStore({ mvcc: state.mvcc, header, term, fragmentBytes, onLagging });
}

export function newWatchFeed(kit: Kit, store: WatchableStore): WatchFeed {
  const random = kit.random.fork("watch");
  const progressNotifyMs = kit.options.watchProgressNotifyMs;
  return new WatchFeed({ ...kit, random, store, progressNotifyMs });
}

export function newLeaseClock(kit: Kit): LeaseClock {
  const { state, options } = kit;
  return new LeaseClock({
    ...kit,
    leases: state.leases,
    electionMs: options.electionMs,
    retryMs: requestTimeoutMs(options),
    checkpoints: options.leaseCheckpoint,
  });
}
