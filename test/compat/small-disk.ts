// A file system of a chosen size, which can be made larger or read-only, in a mount namespace of
// its own: nothing is left behind, however the test ends, and root is not needed.
//
//   holder: unshare ─► mount ─► waits until its input closes; with it goes the file system
//   member: nsenter ─► exec etcd, with the same process id

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class SmallDisk {
  /** Where it is mounted, as the member sees it. */
  readonly path: string;
  /** The same for this process. */
  readonly outside: string;
  readonly #holder: ChildProcess;

  /** @throws Error where the system allows no namespaces */
  static async mount(path: string, sizeBytes: number): Promise<SmallDisk> {
    mkdirSync(path, { recursive: true });
    const isRoot = process.getuid?.() === 0;
    const script = 'mount -t tmpfs -o size="$1" none "$0" && echo mounted && exec cat';
    const holder = spawn(
      "unshare",
      [...(isRoot ? ["-m"] : ["-Urm"]), "sh", "-c", script, path, String(sizeBytes)],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    const said = await new Promise<string>((resolve, reject) => {
      holder.once("error", reject);
      holder.stdout!.once("data", (data) => resolve(String(data)));
      holder.stderr!.once("data", (data) => reject(new Error(`mount: ${data}`)));
    });
    assert.equal(said, "mounted\n");
    return new SmallDisk(path, holder);
  }

  private constructor(path: string, holder: ChildProcess) {
    this.path = path;
    this.outside = `/proc/${holder.pid}/root${path}`;
    this.#holder = holder;
  }

  /** A program that is `program` on this file system. */
  wrap(program: string, script: string): string {
    const words = [...this.#enter(), program].map((word) => `'${word}'`);
    writeFileSync(script, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  }

  resize(sizeBytes: number): void {
    this.#remount(`size=${sizeBytes}`);
  }

  setReadOnly(isReadOnly: boolean): void {
    this.#remount(isReadOnly ? "ro" : "rw");
  }

  /** Takes all that is free. */
  fill(): void {
    const filler = join(this.outside, "filler");
    const dd = spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { encoding: "utf8" });
    assert.match(dd.stderr, /No space left on device/);
  }

  unmount(): void {
    this.#holder.stdin!.end();
  }

  #remount(option: string): void {
    const [program, ...args] = [...this.#enter(), "mount", "-o", `remount,${option}`, this.path];
    const result = spawnSync(program!, args, { encoding: "utf8" });
    assert.equal(result.status, 0, result.stderr);
  }

  #enter(): string[] {
    const isRoot = process.getuid?.() === 0;
    const how = isRoot ? ["-m"] : ["-U", "-m", "--preserve-credentials"];
    return ["nsenter", "-t", String(this.#holder.pid), ...how, "--"];
  }
}
