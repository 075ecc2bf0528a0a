// Segments of the log are 64 MB in production: a simulated run would never fill one. The product
// has no option for it, so whoever opens a log on a simulated disk is told here.

import type { Disk } from "../../../src/io/io.ts";
import { Wal, type WalOptions } from "../../../src/storage/wal/wal.ts";

const sizes = new WeakMap<Disk, number>();

const { create, open } = Wal;
const withSize = (options: WalOptions): WalOptions => {
  const segmentBytes = sizes.get(options.disk);
  return segmentBytes === undefined ? options : { ...options, segmentBytes };
};
Wal.create = (options, metadata) => create(withSize(options), metadata);
Wal.open = (options, from) => open(withSize(options), from);

export function useSegments(disk: Disk, segmentBytes: number): void {
  sizes.set(disk, segmentBytes);
}
