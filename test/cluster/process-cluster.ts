// A cluster of processes on this machine, ours or stock, with cables that can be cut between them.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "../../src/client/client.ts";
import { memberIdOf } from "../../src/server/identity.ts";
import { BARE_ENVIRONMENT, freePort } from "../compat/member-process.ts";
import { PeerProxy } from "./peer-proxy.ts";

const TOKEN = "cables";
const LOG_TAIL_CHARACTERS = 3000;
const POLL_MS = 20;

export interface MemberPlace {
  readonly name: string;
  readonly id: bigint;
  readonly dataDir: string;
  readonly clientPort: number;
  /** Where it listens, and where the others believe it to be. */
  readonly peerPort: number;
  readonly proxyPort: number;
  readonly program: string;
}

export class ProcessCluster {
  readonly members: readonly ClusterMember[];

  /** `programs`: one etcd for each member. Members are not started yet. */
  static async make(directory: string, programs: readonly string[]): Promise<ProcessCluster> {
    const ports = await Promise.all(programs.flatMap(() => [0, 0, 0]).map(freePort));
    const places = programs.map((program, at): MemberPlace => {
      const [clientPort, peerPort, proxyPort] = ports.slice(3 * at);
      const name = `m${at + 1}`;
      const id = memberIdOf([urlOf(proxyPort!)], TOKEN);
      const dataDir = join(directory, name);
      return {
        ...{ name, id, dataDir, program },
        ...{ clientPort: clientPort!, peerPort: peerPort!, proxyPort: proxyPort! },
      };
    });
    const initial = places.map(({ name, proxyPort }) => `${name}=${urlOf(proxyPort)}`).join(",");
    const members = places.map((place) => new ClusterMember(place, initial));
    for (const member of members) await member.openProxy();
    return new ProcessCluster(members);
  }

  private constructor(members: readonly ClusterMember[]) {
    this.members = members;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** Nothing gets through between the two, in either direction. */
  cut(a: ClusterMember, b: ClusterMember): void {
    a.cutDialsOf(b);
    b.cutDialsOf(a);
  }

  heal(): void {
    for (const member of this.members) member.healCables();
  }

  /** Until each member answers a linearizable read. */
  async untilHealthy(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (const member of this.members) await member.untilHealthy(deadline);
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()));
  }
}

export class ClusterMember {
  readonly place: MemberPlace;
  readonly #initialCluster: string;
  #proxy: PeerProxy | undefined;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(place: MemberPlace, initialCluster: string) {
    this.place = place;
    this.#initialCluster = initialCluster;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.place.clientPort}`;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async openProxy(): Promise<void> {
    this.#proxy = await PeerProxy.listen(this.place.proxyPort, this.place.peerPort);
  }

  cutDialsOf(other: ClusterMember): void {
    this.#proxy!.cut(other.place.id);
  }

  healCables(): void {
    this.#proxy!.heal();
  }

  /** Also with another program than before, on the same data. */
  start(flags: readonly string[] = [], program: string = this.place.program): void {
    const { name, dataDir, clientPort, peerPort, proxyPort } = this.place;
    const log = openSync(`${dataDir}.log`, "a");
    const client = urlOf(clientPort);
    const args = [
      ...["--name", name, "--data-dir", dataDir],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", urlOf(peerPort), "--initial-advertise-peer-urls", urlOf(proxyPort)],
      ...["--initial-cluster", this.#initialCluster, "--initial-cluster-token", TOKEN],
      ...["--heartbeat-interval", "50", "--election-timeout", "500", ...flags],
    ];
    const child = spawn(program, args, { stdio: ["ignore", log, log], env: BARE_ENVIRONMENT });
    closeSync(log);
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** `kill -9`, or another signal; until it has ended. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (!this.isRunning) return;
    this.#child!.kill("SIGCONT");
    this.#child!.kill(signal);
    await this.#ended;
  }

  /** When it has ended by itself. */
  async untilEnded(): Promise<void> {
    await this.#ended;
  }

  async untilHealthy(deadline: number): Promise<void> {
    const client = new Client({ endpoints: [this.endpoint] });
    try {
      for (;;) {
        if (!this.isRunning) throw new Error(`${this.place.name} has ended: ${this.#lastWords()}`);
        try {
          await client.kv.range({ key: Buffer.from("health") }, { timeoutMs: 1000 });
          return;
        } catch (error) {
          if (performance.now() > deadline) {
            throw new Error(`${this.place.name} is not healthy (${error}): ${this.#lastWords()}`);
          }
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
      }
    } finally {
      client.close();
    }
  }

  async close(): Promise<void> {
    await this.stop("SIGKILL");
    this.#proxy?.close();
  }

  #lastWords(): string {
    return readFileSync(`${this.place.dataDir}.log`, "utf8").slice(-LOG_TAIL_CHARACTERS);
  }
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
