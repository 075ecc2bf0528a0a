// A look at the data directory before anything in it is opened: is it empty, a member's, or
// something else's?

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileErrorText } from "../../base/file-error.ts";
import type { EtcdConfig } from "./config.ts";
import type { ProcessLogger } from "./logger.ts";

/** Tells what is there; a directory that cannot be read, or of the old proxy, ends the start. */
export function identifyDirectory(config: EtcdConfig, log: ProcessLogger): void {
  const names = listDirectory(config.dataDir, log);
  for (const name of names) {
    if (name === "member" || name === "proxy") continue;
    log.warn("found invalid file under data directory", {
      filename: name,
      "data-dir": config.dataDir,
    });
  }
  if (names.includes("proxy")) {
    log.fatal("v2 http proxy has already been deprecated in 3.6", { "dir-type": "proxy" });
  }
  const empty = !names.includes("member");
  log.info(empty ? "Initialize and start etcd server" : "server has already been initialized", {
    "data-dir": config.dataDir,
    "dir-type": empty ? "empty" : "member",
  });
}

function listDirectory(directory: string, log: ProcessLogger): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === "ENOENT") return [];
    const why = fileErrorText("open", directory, error);
    return log.fatal("failed to list data directory", { dir: directory, error: why });
  }
}

/** A member with a write-ahead log has been started before. */
export function isMemberInitialized(config: EtcdConfig): boolean {
  const wal = config.walDir === "" ? join(config.dataDir, "member", "wal") : config.walDir;
  try {
    return readdirSync(wal).some((name) => name.endsWith(".wal"));
  } catch {
    return false;
  }
}
