// A member as a process, stock or ours, on a data directory that tests hand from one to the other.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
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
  ): Promise<MemberProcess> {
    const client = `http://127.0.0.1:${ports.client}`;
    const peer = `http://127.0.0.1:${ports.peer}`;
    const args = [
      ...["--name", "m1", "--data-dir", dataDir],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `m1=${peer}`, "--initial-cluster-state", "new", ...flags],
    ];
    const log = openSync(`${dataDir}.log`, "a");
    const environment = { PATH: process.env["PATH"] };
    const child = spawn(program, args, { stdio: ["ignore", log, log], env: environment });
    closeSync(log);
    const member = new MemberProcess(child, `127.0.0.1:${ports.client}`);
    await member.#untilReady(dataDir);
    return member;
  }

  async #untilReady(dataDir: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < deadline) {
      if (this.child.exitCode !== null) break;
      try {
        const answer = await fetch(`http://${this.endpoint}/health`);
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

  async stop(): Promise<void> {
    this.client.close();
    this.child.kill("SIGTERM");
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.client.close();
    this.child.kill("SIGKILL");
    await this.#ended;
  }
}
