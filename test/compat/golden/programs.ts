// Which programs perform a transcript: ours from bin/, or the reference programs that
// scripts/stock.mjs builds.

import { join } from "node:path";
import { findRoot } from "../../tidy/source-file.ts";
import { stockBinaries } from "../stock-binaries.ts";
import type { Programs } from "./run-program.ts";

export type ProgramName = keyof Programs;

export function ourPrograms(): Programs {
  const program = (name: string) => [process.execPath, join(findRoot(), "bin", name)];
  // With self-care the alarm that is recorded would not be raised, or disarmed.
  const etcd = [...program("etcd"), "--self-care=off"];
  return { etcd, etcdctl: program("etcdctl"), etcdutl: program("etcdutl") };
}

/** Built if they are not there yet. @throws Error without a Go toolchain */
export function stockPrograms(): Programs {
  const { etcd, etcdctl, etcdutl } = stockBinaries("3.7");
  return { etcd: [etcd!], etcdctl: [etcdctl!], etcdutl: [etcdutl!] };
}

/** `--stock etcd,etcdctl` and `--etcd "node main.js"`; what is not named is ours. */
export function choosePrograms(args: readonly string[]): {
  programs: Programs;
  ours: ReadonlySet<ProgramName>;
} {
  const value = (flag: string) => {
    const at = args.indexOf(flag);
    return at < 0 ? undefined : args[at + 1];
  };
  const stockNames = (value("--stock") ?? "").split(",");
  const stock = stockNames.some((name) => name !== "") ? stockPrograms() : undefined;
  const own = ourPrograms();
  const ours = new Set<ProgramName>();
  const choose = (name: ProgramName): readonly string[] => {
    const given = value(`--${name}`);
    if (stock !== undefined && stockNames.includes(name)) return stock[name];
    ours.add(name);
    return given === undefined ? own[name] : given.split(" ");
  };
  const programs = {
    etcd: choose("etcd"),
    etcdctl: choose("etcdctl"),
    etcdutl: choose("etcdutl"),
  };
  return { programs, ours };
}
