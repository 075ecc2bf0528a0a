// A stock etcd as a process of a test, with its etcdctl.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { freePorts, type Ports } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

export interface StockPrograms {
  readonly etcd: string;
  readonly etcdctl: string;
  readonly etcdutl: string;
}

/** The server of that version, with the command lines of 3.7. */
export function stockPrograms(set: "3.6" | "3.7"): StockPrograms {
  const { etcdctl, etcdutl } = stockBinaries("3.7");
  return { etcd: stockBinaries(set)["etcd"]!, etcdctl: etcdctl!, etcdutl: etcdutl! };
}

export class StockEtcd {
  readonly dataDir: string;
  readonly peerUrl: string;
  readonly #programs: StockPrograms;
  readonly clientUrl: string;
  #process: ChildProcess | undefined;
  #output = "";

  /** On ports that are free, with data below `root`. */
  static async make(programs: StockPrograms, root: string): Promise<StockEtcd> {
    return new StockEtcd(programs, mkdtempSync(join(root, "data-")), await freePorts());
  }

  private constructor(programs: StockPrograms, dataDir: string, ports: Ports) {
    this.#programs = programs;
    this.dataDir = dataDir;
    this.clientUrl = `http://127.0.0.1:${ports.client}`;
    this.peerUrl = `http://127.0.0.1:${ports.peer}`;
  }

  get walDirectory(): string {
    return `${this.dataDir}/member/wal`;
  }

  async start(...flags: string[]): Promise<void> {
    this.#output = "";
    const child = spawn(this.#programs.etcd, [
      ...["--name", "m", "--data-dir", this.dataDir],
      ...["--listen-client-urls", this.clientUrl, "--advertise-client-urls", this.clientUrl],
      ...["--listen-peer-urls", this.peerUrl, "--initial-advertise-peer-urls", this.peerUrl],
      ...["--initial-cluster", `m=${this.peerUrl}`, "--log-level", "info", ...flags],
    ]);
    this.#process = child;
    child.stderr.on("data", (data: Buffer) => {
      this.#output += data;
    });
    await new Promise<void>((resolve, reject) => {
      child.stderr.on("data", () => {
        if (this.#output.includes("ready to serve client requests")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`etcd ended (${code}): ${this.#output}`)));
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#process!;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  ctl(input: string | undefined, ...args: string[]): string {
    const options = { input: input ?? "", encoding: "utf8", maxBuffer: 2 ** 28 } as const;
    const flags = ["--endpoints", this.clientUrl, "--command-timeout", "20s", ...args];
    const result = spawnSync(this.#programs.etcdctl, flags, options);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  }
}
