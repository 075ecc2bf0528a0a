// Restores a backup as an operator would, with `etcdutl snapshot restore` and `etcdutl doctor`, in
// a process of its own at low priority: the member's thread has nothing to do with it.

import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";

/** The same file that runs here, built or not, has the other program beside it. */
const SUFFIX = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const ETCDUTL = fileURLToPath(new URL(`../etcdutl/main${SUFFIX}`, import.meta.url));
/** Of what it prints, for the log. */
const OUTPUT_MAX = 500;

export function tryRestore(path: string, done: (failure: string | null) => void): void {
  const trial = `${path}.trial`;
  const end = (failure: string | null): void => {
    rmSync(trial, { recursive: true, force: true });
    done(failure);
  };
  rmSync(trial, { recursive: true, force: true });
  run(["snapshot", "restore", path, "--data-dir", trial], (failure) => {
    if (failure !== null) end(failure);
    else run(["doctor", trial], end);
  });
}

function run(words: readonly string[], done: (failure: string | null) => void): void {
  const child = execFile(process.execPath, [ETCDUTL, ...words], (error, out, err) => {
    const text = `${err}\n${out}`.trim().slice(-OUTPUT_MAX);
    done(error === null ? null : `etcdutl ${words[0]}: ${text || error.message}`);
  });
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // Not allowed, or over already: then it runs as it is.
  }
}
