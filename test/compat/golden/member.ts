// A server for a transcript: one member, whose ids always have the same width in print.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "./raw-http.ts";

const READY_MS = 30_000;
const STOP_MS = 10_000;

export interface Identity {
  readonly token: string;
  /** Ascending: m1, m2, m3 are listed in this order. */
  readonly memberIds: readonly bigint[];
  readonly clusterId: bigint;
}

/** Where the ids of the first members are: above is room for those that are added. */
const FIRST_IDS_END = 3n << 60n;

/**
 * A token for which all ids have 16 digits in hex and 19 in decimal: tables keep their widths. An
 * id that is above those of the first members comes with every third second.
 */
export function chooseIdentity(...peerPorts: number[]): Identity {
  for (let attempt = 1; ; attempt++) {
    const token = `golden${attempt}`;
    const memberIds = peerPorts.map((port) =>
      digest(Buffer.from(`http://127.0.0.1:${port}${token}`)),
    );
    const isOrdered = memberIds.every((id, at) => at === 0 || id > memberIds[at - 1]!);
    const isGood = (id: bigint) => isWide(id) && id < FIRST_IDS_END && hasWideLeases(id);
    if (!isOrdered || !memberIds.every(isGood)) continue;
    const clusterId = digest(Buffer.concat(memberIds.map(bigEndian)));
    if (isWide(clusterId)) return { token, memberIds, clusterId };
  }
}

/** The id of a member that is added in this second. */
export function idOfAdded(peerUrls: readonly string[], token: string, second: number): bigint {
  return digest(Buffer.from(`${[...peerUrls].sort().join("")}${token}${second}`));
}

/** 16 digits in hex, 19 in decimal. */
export function isWide(id: bigint): boolean {
  return id >= 1n << 60n && id < 1n << 63n && id >= 10n ** 18n;
}

/** Ids of leases begin with the last two bytes of the member that has granted them. */
function hasWideLeases(memberId: bigint): boolean {
  return (memberId & 0x7fffn) > 0x1000n;
}

function digest(bytes: Uint8Array): bigint {
  return createHash("sha1").update(bytes).digest().readBigUInt64BE();
}

function bigEndian(id: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(id);
  return bytes;
}

export interface MemberOptions {
  readonly name: string;
  /** As `--initial-cluster`. */
  readonly initialCluster: string;
  readonly state: "new" | "existing";
  readonly program: readonly string[];
  readonly directory: string;
  readonly dataDirectory: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly token: string;
  readonly flags: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

export class Member {
  readonly #process: ChildProcess;
  readonly #logPath: string;
  readonly #clientPort: number;
  #exit: string | undefined;

  constructor(options: MemberOptions) {
    const client = `http://127.0.0.1:${options.clientPort}`;
    const peer = `http://127.0.0.1:${options.peerPort}`;
    mkdirSync(join(options.directory, "srv"), { recursive: true });
    this.#logPath = join(options.directory, "srv", `${options.name}.log`);
    this.#clientPort = options.clientPort;
    const log = openSync(this.#logPath, "a");
    const [command = "", ...first] = options.program;
    const args = [
      ...[...first, "--name", options.name, "--data-dir", options.dataDirectory],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", options.initialCluster, "--initial-cluster-token", options.token],
      ...["--initial-cluster-state", options.state, "--log-level", "error", ...options.flags],
    ];
    const stdio: ("ignore" | number)[] = ["ignore", log, log];
    const { directory: cwd, environment: env } = options;
    this.#process = spawn(command, args, { cwd, env, stdio });
    closeSync(log);
    this.#process.on("exit", (code, signal) => {
      this.#exit = signal ?? String(code);
    });
    this.#process.on("error", (error) => {
      this.#exit = error.message;
    });
    process.on("exit", this.#kill);
  }

  /** Left running, it would answer for the server of the next run. */
  readonly #kill = (): void => {
    this.#process.kill("SIGKILL");
  };

  /** When it has agreed on the version of its cluster and is healthy. A learner never is. */
  async ready(isLearner = false): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (;;) {
      if (this.#exit !== undefined) throw new Error(`server: exit ${this.#exit}\n${this.#log()}`);
      if (await this.#isReady(isLearner)) return;
      if (performance.now() > deadline) throw new Error(`server not ready\n${this.#log()}`);
      await sleep(50);
    }
  }

  /** How it ended by itself; "none" when it has not. */
  async exited(): Promise<string> {
    const deadline = performance.now() + STOP_MS;
    while (this.#exit === undefined && performance.now() < deadline) await sleep(50);
    return this.#exit ?? "none";
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    const deadline = performance.now() + STOP_MS;
    while (this.#exit === undefined && this.#isAlive()) {
      if (performance.now() > deadline) this.#process.kill("SIGKILL");
      await sleep(20);
    }
    process.removeListener("exit", this.#kill);
  }

  #isAlive(): boolean {
    try {
      process.kill(this.#process.pid ?? 0, 0);
      return true;
    } catch {
      return false;
    }
  }

  async #isReady(isLearner: boolean): Promise<boolean> {
    try {
      const version = JSON.parse((await this.#get("/version")).body.toString("utf8"));
      if (!/^\d/.test(version.etcdcluster ?? "")) return false;
      return isLearner || (await this.#get("/health")).status === 200;
    } catch {
      return false;
    }
  }

  #get(path: string) {
    const port = this.#clientPort;
    const timeoutMs = 2000;
    return request({ port, method: "GET", path, headers: [], body: undefined, timeoutMs });
  }

  #log(): string {
    return readFileSync(this.#logPath, "utf8").slice(-3000);
  }
}

/** @throws Error when something listens there already */
export async function assertFree(port: number): Promise<void> {
  try {
    await request({ port, method: "GET", path: "/", headers: [], body: undefined, timeoutMs: 500 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return;
  }
  throw new Error(`port ${port} is in use; choose others with QUORATE_GOLDEN_PORT`);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
