// A member as a process, stock or ours, on a data directory that tests hand from one to the other.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Client } from "../../src/client/client.ts";
import { findRoot } from "../tidy/source-file.ts";

export const OUR_ETCD: string = join(findRoot(), "bin", "etcd");

const START_TIMEOUT_MS = 30_000;
const LOG_TAIL_CHARACTERS = 3000;

export interface Ports {
  readonly client: number;
  readonly peer: number;
}

export async function freePorts(): Promise<Ports> {
  return { client: await freePort(), peer: await freePort() };
}

/** The system gives a port again as soon as it is free, also before who it is for listens there. */
const given = new Set<number>();

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}

/** Nothing of this process but where programs are. */
export const BARE_ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  PATH: process.env["PATH"],
};

/** A cluster of one, called m1; or a member that looks for the others. */
export function memberFlags(dataDir: string, ports: Ports, discovers = false): string[] {
  const client = `http://127.0.0.1:${ports.client}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  return [
    ...["--name", "m1", "--data-dir", dataDir],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...(discovers ? [] : ["--initial-cluster", `m1=${peer}`]),
    ...["--initial-cluster-state", "new"],
  ];
}

export class MemberProcess {
  readonly endpoint: string;
  readonly client: Client;
  readonly child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, endpoint: string) {
    this.child = child;
    this.endpoint = endpoint;
    this.client = new Client({ endpoints: [endpoint] });
    this.#ended = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** Its log goes to `<dataDir>.log`. Resolves when it answers. */
  static async start(
    program: string,
    dataDir: string,
    ports: Ports,
    flags: readonly string[] = [],
    discovers = false,
  ): Promise<MemberProcess> {
    const log = openSync(`${dataDir}.log`, "a");
    const child = spawn(program, [...memberFlags(dataDir, ports, discovers), ...flags], {
      stdio: ["ignore", log, log],
      env: BARE_ENVIRONMENT,
    });
    closeSync(log);
    const member = new MemberProcess(child, `127.0.0.1:${ports.client}`);
    await member.#untilReady(dataDir);
    return member;
  }

  async #untilReady(dataDir: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) break;
      try {
        // The port is open before the member is ready: an answer may be long in coming.
        const signal = AbortSignal.timeout(START_TIMEOUT_MS);
        const answer = await fetch(`http://${this.endpoint}/health?exclude=NOSPACE`, { signal });
        if (answer.ok) return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.child.kill("SIGKILL");
    const said = readFileSync(`${dataDir}.log`, "utf8").slice(-LOG_TAIL_CHARACTERS);
    throw new Error(`the member did not start; its log ends with\n${said}`);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.client.close();
    this.child.kill(signal);
    await this.#ended;
  }

  /** When it has ended by itself. */
  async ended(): Promise<void> {
    await this.#ended;
    this.client.close();
  }

  async kill(): Promise<void> {
    this.client.close();
    this.child.kill("SIGKILL");
    await this.#ended;
  }
}
