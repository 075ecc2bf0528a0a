// A snapshot from the leader takes the place of log and state. Its database lies beside the present
// one already. The order makes every crash harmless:
//
//   .snap file ─► WAL starts over behind it ─► database renamed, directory synced ─► state restored
//        │               │                                    │
//        └ ignored       └ from here on the next start        └ and finds it here
//          without it      needs <index>.snap.db, takes it
//
// Who reads in several turns ends first; watchers in step read on from history.

import type { Logger } from "../base/log.ts";
import type { Done } from "../io/io.ts";
import type { HardState } from "../raft/ready.ts";
import type { State } from "../state/state.ts";
import type { WatchableStore } from "../state/watch/watchable-store.ts";
import type { Backend } from "../storage/backend.ts";
import type { DataDir } from "../storage/data-dir.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { Snapshot } from "../wire/messages/raft.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface SnapshotInstallParts {
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly dataDir: DataDir;
  readonly wal: Wal;
  readonly backend: Backend;
  readonly state: State;
  readonly watch: WatchableStore;
  /** Before the rest goes on: who keeps something of the state looks at it anew. */
  readonly replaced: (index: number) => void;
}

export class SnapshotInstall {
  readonly #parts: SnapshotInstallParts;

  constructor(parts: SnapshotInstallParts) {
    this.#parts = parts;
  }

  /** `done` when log and state are those of the snapshot. An error is fatal. */
  install(snapshot: Snapshot, hardState: HardState, done: Done): void {
    const { dataDir, wal, log, backend, metrics } = this.#parts;
    const { index, term, confState } = snapshot.metadata!;
    const fields = {
      "current-snapshot-index": backend.appliedIndex,
      "incoming-leader-snapshot-index": index,
      "incoming-leader-snapshot-term": term,
    };
    metrics.snapshotApplyInProgress.set(1);
    log.info("applying snapshot", fields);
    const base = { index, term, confState: confState! };
    dataDir.saveSnapshot(base, snapshot.data, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      wal.startOver(base, hardState, (walError) => {
        if (walError !== null) {
          done(walError);
          return;
        }
        this.#replace(index, () => {
          metrics.snapshotApplyInProgress.set(0);
          log.info("applied snapshot", fields);
          done(null);
        });
      });
    });
  }

  #replace(index: number, done: () => void): void {
    const { dataDir, backend, state, watch } = this.#parts;
    const isFree = (): boolean => state.mvcc.pins.count === 0;
    watch.flush();
    state.mvcc.pins.revoke();
    backend.replaceBy(dataDir.receivedDatabasePath(index), isFree, () => {
      this.#reopen(index);
      done();
    });
  }

  #reopen(index: number): void {
    const { log, state, watch, replaced } = this.#parts;
    const before = watch.revision;
    log.info("restoring mvcc store");
    state.reopen();
    log.info("restored mvcc store", { "current-rev": state.mvcc.currentRevision });
    watch.replaced(before);
    replaced(index);
  }
}
