// One bit of a file changes while its member is down. WAL and .snap files carry checksums, so a
// start must either say that the file is damaged or find all that was there before.

import { deepStrictEqual } from "node:assert";
import type { Disk } from "../../../src/io/io.ts";
import { readLog, validSnapshots } from "../../../src/storage/wal/read-log.ts";
import type { SimRandom } from "../sim-random.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimNode } from "./sim-node.ts";
import { Violation } from "./violation.ts";

const WAL = "/data/member/wal";
const SNAP = "/data/member/snap";

/** True when the member can go on as if nothing had happened. */
export function flipSomeBit(node: SimNode, random: SimRandom, cluster: SimCluster): boolean {
  const { disk } = node.machine;
  const before = logOf(disk);
  if (before instanceof Error) return true;
  const path = random.pick(filesOf(disk));
  const file = disk.open(path, { mode: "read" });
  // Segments are mostly room for what comes.
  const bytes = Math.min(file.sizeBytes(), 20_000);
  file.close();
  const bit = random.below(Math.max(1, bytes * 8));
  disk.flipBit(path, bit);
  cluster.trace.add(`bit ${bit} of ${path} of m${node.number} changes`);
  const after = logOf(disk);
  if (after instanceof Error) return false;
  try {
    deepStrictEqual(after, before);
  } catch (error) {
    const detail = `bit ${bit} of ${path} of m${node.number}: ${(error as Error).message}`;
    throw new Violation("damage of the log is detected", detail);
  }
  // A damaged .snap file is found by the start itself.
  return path.startsWith(WAL);
}

function filesOf(disk: Disk): string[] {
  const snaps = disk.exists(SNAP) ? disk.list(SNAP).filter((name) => name.endsWith(".snap")) : [];
  return [
    ...disk
      .list(WAL)
      .filter((name) => name.endsWith(".wal"))
      .map((name) => `${WAL}/${name}`),
    ...snaps.map((name) => `${SNAP}/${name}`),
  ];
}

function logOf(disk: Disk): object | Error {
  try {
    const snapshot = validSnapshots(disk, WAL).at(-1)!;
    const { metadata, hardState, entries } = readLog(disk, WAL, snapshot).contents;
    return { metadata, hardState, entries, snapshot };
  } catch (error) {
    return error as Error;
  }
}
