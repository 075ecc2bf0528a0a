// The copy without free pages that `defragmentation.ts` makes beside requests, made at once: at a
// start nobody is served yet, and nothing is written meanwhile.

import { durationText } from "../base/duration-text.ts";
import type { Logger } from "../base/log.ts";
import type { Clock, Disk } from "../io/io.ts";
import type { BackendMetrics } from "./backend-metrics.ts";
import { Copy } from "./bolt/copy.ts";
import type { FreelistType } from "./bolt/free-spans.ts";
import { encodeMetaPage } from "./bolt/meta.ts";
import type { Run } from "./bolt/output.ts";
import { sizeChangeFields, sizeFields } from "./size-fields.ts";
import { createStore, directoryOf, type Store } from "./store.ts";

/** Of one transaction of a copy: it holds the branch nodes above so many leaves in memory. */
export const COPY_TX_BYTES: number = 3 << 20;

export interface DefragmentNowOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly path: string;
  readonly freelistType: FreelistType;
  readonly metrics: BackendMetrics;
  readonly store: Store;
}

/**
 * The store that has replaced the given one, which is closed.
 * @throws what the disk throws, or BoltError; then everything is as it was
 */
export function defragmentNow(options: DefragmentNowOptions): Store {
  const { disk, clock, log, path, freelistType, metrics, store } = options;
  const beganMs = clock.monotonicMs();
  const before = { sizeBytes: store.db.sizeBytes, freeBytes: store.db.freeBytes };
  const sizes = sizeFields(before.sizeBytes, before.sizeBytes - before.freeBytes);
  log.info("defragmenting", { path, ...sizes });
  const copyPath = `${path}.tmp.${store.db.view.meta.txid}`;
  disk.remove(copyPath);
  let copy: Store | undefined;
  try {
    copy = createStore({ disk, path: copyPath, freelistType });
    copyAll(store, copy);
    disk.rename(copyPath, path);
  } catch (error) {
    copy?.retire();
    disk.remove(copyPath);
    throw error;
  }
  disk.syncDirectory(directoryOf(path));
  store.retire();
  const tookMs = clock.monotonicMs() - beganMs;
  metrics.defragSeconds.observe(tookMs / 1000);
  const took = durationText(tookMs);
  const change = sizeChangeFields(before, copy.db);
  log.info("finished defragmenting directory", { path, ...change, took });
  return copy;
}

function copyAll(store: Store, copy: Store): void {
  const copying = new Copy(store.db.view);
  while (!copying.isComplete) {
    const tx = copy.db.begin();
    const write = (runs: readonly Run[]): void => {
      copy.growTo(tx.output.pageCount);
      for (const { page, bytes } of runs) copy.file.writeNow(bytes, page * copy.db.pageSize);
    };
    for (const _ of copying.fill(tx, COPY_TX_BYTES)) write(tx.takeRuns());
    tx.settleLeaves(Infinity);
    tx.rebalance();
    write(tx.spill().runs);
    copy.db.committed(tx);
  }
  copy.file.syncNow();
  writeMetas(copy);
}

/** Both shall name this state: one of them still names the empty database. */
function writeMetas({ file, db }: Store): void {
  const { meta } = db.view;
  for (const txid of [meta.txid, meta.txid - 1]) {
    const page = txid % 2;
    file.writeNow(encodeMetaPage({ ...meta, txid }, page), page * meta.pageSize);
    file.syncNow();
  }
}
