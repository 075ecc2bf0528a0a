// Starts one server for a measurement, stock or ours, on ports and a directory of its own, and
// reads from /proc what it costs.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Kind = "stock" | "ours";

export interface Programs {
  readonly stockEtcd: string;
  readonly oursEtcd: string;
}

export interface ServerOptions {
  readonly kind: Kind;
  readonly programs: Programs;
  readonly port: number;
  readonly dataDir?: string;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  readonly flags?: readonly string[];
}

export interface Server {
  readonly kind: Kind;
  readonly endpoint: string;
  readonly pid: number;
  readonly dataDir: string;
  /** From exec to the first answer. */
  readonly startedAfterMs: number;
  /** User and system time of the whole process so far. */
  cpuSeconds(): number;
  /** Of resident memory what is not file-backed, and all of it. */
  memoryBytes(): { anonymous: number; resident: number };
  /** The most that ever was resident. */
  peakBytes(): number;
  stop(): Promise<void>;
}

const CLOCK_TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 120_000;

export async function startServer(options: ServerOptions): Promise<Server> {
  const isTemporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), `quorate-bench-${options.kind}-`));
  const scheme = options.tls === undefined ? "http" : "https";
  const client = `${scheme}://127.0.0.1:${options.port}`;
  const peer = `http://127.0.0.1:${options.port + 1}`;
  const args = [
    ...["--name", "bench", "--data-dir", join(dataDir, "data"), "--log-level", "error"],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", `bench=${peer}`],
    ...(options.tls === undefined
      ? []
      : ["--cert-file", options.tls.certFile, "--key-file", options.tls.keyFile]),
    ...(options.flags ?? []),
  ];
  const program = options.kind === "stock" ? options.programs.stockEtcd : options.programs.oursEtcd;
  const startedAt = performance.now();
  // Stock etcd logs errors at every stop; ours has to be silent.
  const stderr = options.kind === "stock" ? "ignore" : "inherit";
  const child = spawn(program, args, { stdio: ["ignore", "ignore", stderr] });
  await ready(options.port, child, options.tls !== undefined);
  const pid = child.pid!;
  return {
    kind: options.kind,
    endpoint: `127.0.0.1:${options.port}`,
    pid,
    dataDir,
    startedAfterMs: performance.now() - startedAt,
    cpuSeconds: () => cpuSeconds(pid),
    memoryBytes: () => memoryBytes(pid),
    peakBytes: () => statusBytes(pid, "VmHWM"),
    stop: async () => {
      await stopped(child);
      if (isTemporary) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function ready(port: number, child: ChildProcess, isTls: boolean): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    // etcd opens its port before it can answer.
    if (isTls ? await connects(port) : await isHealthy(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGKILL");
  throw new Error("the server did not start");
}

export async function isHealthy(
  port: number,
  timeoutMs: number = START_TIMEOUT_MS,
): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    return (await fetch(`http://127.0.0.1:${port}/health`, { signal })).ok;
  } catch {
    return false;
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 20_000).unref();
  });
}

export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

function memoryBytes(pid: number): { anonymous: number; resident: number } {
  return { anonymous: statusBytes(pid, "RssAnon"), resident: statusBytes(pid, "VmRSS") };
}

function statusBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}

/** A self-signed certificate for 127.0.0.1, made once per run. */
export function makeCertificate(directory: string): { certFile: string; keyFile: string } {
  const certFile = join(directory, "cert.pem");
  const keyFile = join(directory, "key.pem");
  if (!existsSync(certFile)) {
    const subject = ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
      ].concat(["-keyout", keyFile, "-out", certFile, "-days", "2", ...subject]),
      { stdio: "ignore" },
    );
  }
  return { certFile, keyFile };
}
