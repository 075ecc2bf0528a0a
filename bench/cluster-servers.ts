// Three members of one kind on this machine, for measurements.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuSeconds, isHealthy, type Kind, type Programs } from "./servers.ts";

const MEMBERS = 3;
const START_TIMEOUT_MS = 120_000;
/** A member without a leader may hold back its answer for long. */
const HEALTH_TIMEOUT_MS = 2000;

export interface Status {
  readonly leader: string;
  readonly memberId: string;
  readonly appliedIndex: number;
}

export class BenchCluster {
  readonly kind: Kind;
  readonly #program: string;
  readonly #firstPort: number;
  readonly #directory: string;
  readonly #children: (ChildProcess | undefined)[] = [];
  readonly #flags: readonly string[];

  static async start(
    kind: Kind,
    programs: Programs,
    firstPort: number,
    flags: readonly string[] = [],
  ): Promise<BenchCluster> {
    const cluster = new BenchCluster(kind, programs, firstPort, flags);
    for (let at = 0; at < MEMBERS; at++) cluster.startMember(at);
    await cluster.untilHealthy();
    return cluster;
  }

  private constructor(kind: Kind, programs: Programs, firstPort: number, flags: readonly string[]) {
    this.kind = kind;
    this.#program = kind === "stock" ? programs.stockEtcd : programs.oursEtcd;
    this.#firstPort = firstPort;
    this.#flags = flags;
    this.#directory = mkdtempSync(join(tmpdir(), `quorate-bench-cluster-${kind}-`));
  }

  endpointOf(at: number): string {
    return `127.0.0.1:${this.#portOf(at)}`;
  }

  #portOf(at: number): number {
    return this.#firstPort + 2 * at;
  }

  get endpoints(): string[] {
    return [0, 1, 2].map((at) => this.endpointOf(at));
  }

  startMember(at: number): void {
    const peer = (of: number): string => `http://127.0.0.1:${this.#firstPort + 2 * of + 1}`;
    const client = `http://${this.endpointOf(at)}`;
    const initial = [0, 1, 2].map((of) => `m${of}=${peer(of)}`).join(",");
    const args = [
      ...["--name", `m${at}`, "--data-dir", join(this.#directory, `m${at}`)],
      ...["--log-level", "error", "--initial-cluster", initial],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer(at), "--initial-advertise-peer-urls", peer(at)],
      ...this.#flags,
    ];
    // Members complain while one of them is down: that is what is measured.
    this.#children[at] = spawn(this.#program, args, { stdio: "ignore" });
  }

  async untilHealthy(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (let at = 0; at < MEMBERS; at++) {
      while (!(await isHealthy(this.#portOf(at), HEALTH_TIMEOUT_MS))) {
        if (performance.now() > deadline) throw new Error(`${this.endpointOf(at)} is not healthy`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  /** User and system time of all members so far. */
  cpuSeconds(): number {
    let seconds = 0;
    for (const child of this.#children) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      seconds += cpuSeconds(child.pid!);
    }
    return seconds;
  }

  async status(at: number): Promise<Status> {
    const answer = await fetch(`http://${this.endpointOf(at)}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
    });
    const status = (await answer.json()) as Record<string, string> & {
      header: Record<string, string>;
    };
    return {
      leader: status["leader"] ?? "0",
      memberId: status.header["member_id"]!,
      appliedIndex: Number(status["raftAppliedIndex"] ?? 0),
    };
  }

  async leaderAt(): Promise<number> {
    for (let at = 0; at < MEMBERS; at++) {
      const { leader, memberId } = await this.status(at);
      if (leader === memberId) return at;
    }
    throw new Error("nobody leads");
  }

  async kill(at: number): Promise<void> {
    const child = this.#children[at]!;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map((child, at) =>
        child!.exitCode === null && child!.signalCode === null ? this.kill(at) : undefined,
      ),
    );
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
