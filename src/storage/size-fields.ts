// The sizes of a database as etcd's log lines have them.

import { humanSize } from "../base/human-size.ts";
import type { Fields } from "../base/log.ts";

export function sizeFields(sizeBytes: number, sizeInUseBytes: number): Fields {
  return {
    "current-db-size-bytes": sizeBytes,
    "current-db-size": humanSize(sizeBytes),
    "current-db-size-in-use-bytes": sizeInUseBytes,
    "current-db-size-in-use": humanSize(sizeInUseBytes),
  };
}

/** What a defragmentation has changed. */
export function sizeChangeFields(
  before: { readonly sizeBytes: number; readonly freeBytes: number },
  after: { readonly sizeBytes: number; readonly freeBytes: number },
): Fields {
  const inUseBefore = before.sizeBytes - before.freeBytes;
  const inUseAfter = after.sizeBytes - after.freeBytes;
  return {
    "current-db-size-bytes-diff": after.sizeBytes - before.sizeBytes,
    "current-db-size-bytes": after.sizeBytes,
    "current-db-size": humanSize(after.sizeBytes),
    "current-db-size-in-use-bytes-diff": inUseAfter - inUseBefore,
    "current-db-size-in-use-bytes": inUseAfter,
    "current-db-size-in-use": humanSize(inUseAfter),
  };
}
