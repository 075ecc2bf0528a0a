// Restores a backup on this thread and checks all of its pages: for the simulator and for small
// databases. The program does the same in a process of its own (cmd/etcd/trial-restore.ts), because
// it holds up everything for as long as it takes.

import type { Disk } from "../../io/io.ts";
import { copyBackup, openDatabase } from "../../storage/snapshot/backup.ts";

/** Why it cannot be restored, or null. */
export function tryRestoreHere(disk: Disk, path: string): string | null {
  const trial = `${path}.trial`;
  try {
    const source = disk.open(path, { mode: "read" });
    try {
      copyBackup(disk, source, trial, { skipHashCheck: false });
    } finally {
      source.close();
    }
    const store = openDatabase(disk.open(trial, { mode: "read" }));
    const [problem] = store.problems();
    store.retire();
    return problem ?? null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    disk.remove(trial);
  }
}
