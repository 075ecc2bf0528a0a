// What a command of etcdutl works with: the console, the global flags, files and time.

import type { Logger } from "../../base/log.ts";
import type { Clock, Disk } from "../../io/io.ts";
import { Backend } from "../../storage/backend.ts";
import { openDatabase } from "../../storage/snapshot/backup.ts";
import { DatabaseDamagedError, DatabaseLockedError, type Store } from "../../storage/store.ts";
import type { Console } from "../etcdctl/console.ts";
import { Exit } from "../etcdctl/exit.ts";
import { parseFormat, render, type View } from "../etcdctl/printers/view.ts";
import type { Flag, FlagSet } from "../flags/flag-set.ts";
import { consoleLogger } from "./console-log.ts";

export interface World {
  readonly console: Console;
  readonly disk: Disk;
  readonly clock: Clock;
}

export interface Globals {
  readonly flags: FlagSet;
  readonly timeoutNs: Flag<number>;
  readonly writeOut: Flag<string>;
}

/** How often a locked file is tried again: each try starts a program. */
const RETRY_MS = 100;
/** What a database that cannot be opened ends the program with, as a panic does in Go. */
export const PANIC_EXIT = 2;
/** Of a backend that is opened to change a few things: they go into one commit. */
const BATCH = { batchIntervalMs: 60_000, batchLimit: 1_000_000 };

export class Session {
  readonly world: World;
  readonly log: Logger;
  readonly #globals: Globals;

  constructor(world: World, globals: Globals) {
    this.world = world;
    this.log = consoleLogger((text) => world.console.err(text));
    this.#globals = globals;
  }

  print(text: string): void {
    this.world.console.out(text);
  }

  /** @throws Exit when there is no such format */
  checkFormat(): void {
    parseFormat(this.#globals.writeOut.value);
  }

  /** Prints a result. @throws Exit when it cannot be shown in the format asked for */
  show(view: View): void {
    const format = parseFormat(this.#globals.writeOut.value);
    this.world.console.out(...render(view, { format, hex: false }));
  }

  /** @throws Exit with etcd's text when there is no such file */
  checkExists(path: string, describe: (reason: string) => string = (reason) => reason): void {
    if (this.world.disk.exists(path)) return;
    throw new Exit(1, describe(`stat ${path}: ${this.#isBelowFile(path)}`));
  }

  /** Opens a database for reading, beside other readers. */
  async openToRead(path: string): Promise<Store> {
    const file = this.world.disk.open(path, { mode: "read" });
    try {
      await this.#untilUnlocked(path, () => file.tryLock("shared"));
      return openDatabase(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Opens a database for changes. @throws Exit when that is not possible */
  async openToWrite(path: string): Promise<Backend> {
    const { disk, clock } = this.world;
    const common = { disk, clock, path, log: this.log, freelistType: "map" as const };
    let backend: Backend | undefined;
    try {
      await this.#untilUnlocked(path, () => {
        try {
          backend = Backend.open({ ...common, ...BATCH, onFatal: fail });
          return true;
        } catch (error) {
          if (error instanceof DatabaseLockedError) return false;
          throw error;
        }
      });
      return backend!;
    } catch (error) {
      if (!(error instanceof DatabaseDamagedError)) throw error;
      throw new Exit(PANIC_EXIT, `failed to open database: ${error.message}`);
    }
  }

  async #untilUnlocked(path: string, attempt: () => boolean): Promise<void> {
    const { clock } = this.world;
    const limitMs = this.#globals.timeoutNs.value / 1e6;
    const beganMs = clock.monotonicMs();
    while (!attempt()) {
      if (limitMs > 0 && clock.monotonicMs() - beganMs >= limitMs) {
        const what = `cannot lock ${path}: another process has it open`;
        throw new Exit(PANIC_EXIT, `failed to open database: timeout: ${what}`);
      }
      await new Promise<void>((resolve) => void clock.after(RETRY_MS, resolve));
    }
  }

  #isBelowFile(path: string): string {
    const { disk } = this.world;
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      if (!disk.exists(parent)) continue;
      return disk.isDirectory(parent) ? "no such file or directory" : "not a directory";
    }
    return "no such file or directory";
  }
}

/** A failed write to the file: nothing can be saved any more. */
function fail(error: Error): never {
  throw error;
}
