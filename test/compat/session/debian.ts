// Debian's etcdctl 3.4, which many people have: taken out of its package, not installed.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @throws Error where the package cannot be had */
export function debianEtcdctl(): string {
  const folder = join(
    process.env["QUORATE_STOCK_DIR"] ?? join(tmpdir(), "quorate-stock"),
    "debian",
  );
  const program = join(folder, "usr", "bin", "etcdctl");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  if (!download(folder)) {
    // The lists of packages of a fresh machine are empty or old.
    run("apt-get", ["update", "-q"], folder);
    if (!download(folder)) throw new Error("Debian's package etcd-client cannot be downloaded");
  }
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"))!;
  if (!run("dpkg-deb", ["-x", archive, "."], folder)) throw new Error(`${archive} is no package`);
  return program;
}

function download(folder: string): boolean {
  return run("apt-get", ["download", "-q", "etcd-client"], folder);
}

function run(program: string, args: readonly string[], cwd: string): boolean {
  return spawnSync(program, args, { cwd, stdio: "ignore" }).status === 0;
}
