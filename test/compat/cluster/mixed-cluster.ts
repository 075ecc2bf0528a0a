// A cluster whose members are of several makes: ours, and Go's of two versions. Members are added,
// stopped, started again; at any moment all can be asked whether they have the same data.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "../../../src/client/client.ts";
import type { StatusResponse } from "../../../src/wire/messages/rpc-maintenance.ts";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "../member-process.ts";
import { runMixedLoad } from "../mixed-load.ts";
import { stockBinaries } from "../stock-binaries.ts";

export type Make = "ours" | "3.7" | "3.6";

const WAIT_MS = 60_000;
const POLL_MS = 50;
/** So that members that were away for a moment need a snapshot. */
export const SHORT_LOG: readonly string[] = [
  ...["--snapshot-count", "100", "--snapshot-catchup-entries", "10"],
];

export class MixedMember {
  readonly name: string;
  readonly make: Make;
  readonly dataDir: string;
  readonly ports: Ports;
  /** Serves no clients but by what is asked of itself. */
  isLearner = false;
  readonly peerUrl: string;
  #process: MemberProcess | null = null;

  constructor(name: string, make: Make, directory: string, ports: Ports, scheme: "http" | "https") {
    this.name = name;
    this.make = make;
    this.dataDir = join(directory, name);
    this.ports = ports;
    this.peerUrl = `${scheme}://127.0.0.1:${ports.peer}`;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.ports.client}`;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get client(): Client {
    return this.#process!.client;
  }

  get log(): string {
    return readFileSync(`${this.dataDir}.log`, "utf8");
  }

  async start(initial: string, state: "new" | "existing", flags: readonly string[]): Promise<void> {
    const program = this.make === "ours" ? OUR_ETCD : stockBinaries(this.make)["etcd"]!;
    this.#process = await MemberProcess.start(program, this.dataDir, this.ports, [
      ...["--name", this.name, "--initial-cluster", initial, "--initial-cluster-state", state],
      ...["--listen-peer-urls", this.peerUrl, "--initial-advertise-peer-urls", this.peerUrl],
      ...flags,
    ]);
  }

  status(): Promise<StatusResponse> {
    return this.client.maintenance.status();
  }

  async id(): Promise<bigint> {
    return (await this.status()).header!.memberId;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const running = this.#process;
    this.#process = null;
    await running?.stop(signal);
  }

  /** Until it has ended by itself, as one that was removed does. */
  async ended(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    await running?.ended();
  }

  async metric(name: string): Promise<number> {
    const answer = await fetch(`http://${this.endpoint}/metrics`);
    const lines = (await answer.text()).split("\n").filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }
}

export class MixedCluster {
  readonly members: MixedMember[] = [];
  readonly #directory: string;
  readonly #flags: readonly string[];

  private constructor(directory: string, flags: readonly string[]) {
    this.#directory = directory;
    this.#flags = flags;
  }

  /** A new cluster; resolves when all its members answer. With `--peer-…` flags it has TLS. */
  static async start(
    directory: string,
    makes: readonly Make[],
    flags: readonly string[] = [],
  ): Promise<MixedCluster> {
    const cluster = new MixedCluster(directory, flags);
    for (const make of makes) cluster.members.push(await cluster.#place(make));
    const initial = cluster.initialCluster;
    await Promise.all(cluster.members.map((member) => member.start(initial, "new", flags)));
    return cluster;
  }

  get initialCluster(): string {
    return this.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  }

  get running(): MixedMember[] {
    return this.members.filter((member) => member.isRunning);
  }

  get #voters(): MixedMember[] {
    return this.running.filter(({ isLearner }) => !isLearner);
  }

  /** To all voters that run. */
  connect(): Client {
    return new Client({ endpoints: this.#voters.map(({ endpoint }) => endpoint) });
  }

  async restart(member: MixedMember): Promise<void> {
    await member.start(this.initialCluster, "existing", this.#flags);
  }

  /** A further member: a voter at once, or a learner. */
  async add(make: Make, isLearner = false): Promise<MixedMember> {
    const member = await this.#place(make);
    const client = this.connect();
    try {
      // Refused while members have not been connected for some seconds.
      await eventually(() =>
        client.cluster.memberAdd({ peerURLs: [member.peerUrl], isLearner }).then(() => true),
      );
    } finally {
      client.close();
    }
    this.members.push(member);
    member.isLearner = isLearner;
    await member.start(this.initialCluster, "existing", this.#flags);
    return member;
  }

  /** Until the learner has caught up enough. */
  async promote(member: MixedMember): Promise<void> {
    const id = await member.id();
    const client = this.connect();
    try {
      await eventually(() => client.cluster.memberPromote({ id }).then(() => true));
      await eventually(async () => !(await member.status()).isLearner);
      member.isLearner = false;
    } finally {
      client.close();
    }
  }

  async remove(member: MixedMember): Promise<void> {
    const id = await member.id();
    this.members.splice(this.members.indexOf(member), 1);
    const client = this.connect();
    try {
      await eventually(() => client.cluster.memberRemove({ id }).then(() => true));
    } finally {
      client.close();
    }
  }

  async leader(): Promise<MixedMember> {
    let found: MixedMember | undefined;
    await eventually(async () => {
      for (const member of this.running) {
        const { leader, header } = await member.status();
        if (leader !== 0n && leader === header!.memberId) found = member;
      }
      return found !== undefined;
    });
    return found!;
  }

  async makeLeader(member: MixedMember): Promise<void> {
    const id = await member.id();
    await eventually(async () => {
      const leader = await this.leader();
      if (leader === member) return true;
      await leader.client.maintenance.moveLeader({ targetID: id });
      return (await this.leader()) === member;
    });
  }

  /** Requests of all kinds, through whoever is there. */
  async load(seed: number, operations: number): Promise<void> {
    const client = this.connect();
    try {
      await runMixedLoad(client, seed, operations);
    } finally {
      client.close();
    }
  }

  /** All members have the same data at the same revision. Learners are not asked for hashes. */
  async assertEqual(): Promise<void> {
    const client = this.connect();
    // What was read linearizably before the end of the load is committed: all will have it.
    const { header } = await client.kv.range({ key: Buffer.from("x"), countOnly: true });
    client.close();
    const revision = header!.revision;
    for (const member of this.running) {
      await eventually(async () => (await member.status()).header!.revision >= revision);
    }
    const hashes = await Promise.all(
      this.#voters.map(async (member) => {
        const { hash, compactRevision } = await member.client.maintenance.hashKV({ revision });
        return { hash, compactRevision };
      }),
    );
    for (const [at, hash] of hashes.entries()) {
      assert.deepEqual(hash, hashes[0], `${this.#voters[at]!.make} at revision ${revision}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop("SIGKILL")));
  }

  async #place(make: Make): Promise<MixedMember> {
    const name = `m${this.#count++}`;
    const isSecure = this.#flags.some((flag) => flag.startsWith("--peer-"));
    const scheme = isSecure ? "https" : "http";
    return new MixedMember(name, make, this.#directory, await freePorts(), scheme);
  }

  #count = 1;
}

/** Until it is true and nothing is thrown. */
export async function eventually(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    let error: unknown = new Error("still false");
    try {
      if (await isDone()) return;
    } catch (thrown) {
      error = thrown;
    }
    if (performance.now() > deadline) throw error;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Does `work` with a cluster in a directory of its own below `root`; it is closed in the end. */
export async function withCluster(
  root: string,
  makes: readonly Make[],
  flags: readonly string[],
  work: (cluster: MixedCluster) => Promise<void>,
): Promise<void> {
  const cluster = await MixedCluster.start(mkdtempSync(join(root, "c-")), makes, flags);
  try {
    await work(cluster);
  } finally {
    await cluster.close();
  }
}
