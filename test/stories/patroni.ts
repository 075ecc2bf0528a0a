// The story of Patroni: two PostgreSQL servers whose leader key lies in three members of ours.
// Needs PostgreSQL (Debian's, in PATH, or in PG_BIN) and Python with pip; Patroni comes from
// PyPI unless PATRONI_BIN names the directory of an installed one.
//
//   npm run story -- patroni        bootstrap, switchover, failover, loss of the leading member

import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { Client } from "../../src/client/client.ts";
import { ProcessCluster } from "../cluster/process-cluster.ts";
import { OUR_ETCD } from "../compat/member-process.ts";
import { Postgres, type Runner } from "./patroni-node.ts";

const PATRONI = "patroni[etcd3,psycopg2-binary]==4.0.5";
const HEALTHY_WITHIN_MS = 30_000;
const CHANGE_WITHIN_MS = 90_000;
/** So long nothing may change after a member of the store was lost. */
const CALM_MS = 15_000;

class Story {
  readonly #directory: string;
  readonly #cluster: ProcessCluster;
  readonly nodes: readonly [Postgres, Postgres];
  #row = 0;

  static async begin(): Promise<Story> {
    const directory = mkdtempSync(join(tmpdir(), "quorate-patroni-"));
    chmodSync(directory, 0o755);
    const runner: Runner = { ...databaseUser(), bin: patroniBin(directory) };
    const cluster = await ProcessCluster.make(directory, [OUR_ETCD, OUR_ETCD, OUR_ETCD]);
    for (const member of cluster.members) member.start();
    await cluster.untilHealthy(HEALTHY_WITHIN_MS);
    return new Story(directory, cluster, runner);
  }

  private constructor(directory: string, cluster: ProcessCluster, runner: Runner) {
    this.#directory = directory;
    this.#cluster = cluster;
    const of = (number: 1 | 2) => new Postgres(number, directory, cluster.endpoints, runner);
    this.nodes = [of(1), of(2)];
  }

  async bootstrap(): Promise<void> {
    const [first, second] = this.nodes;
    first.start();
    await until("pg1 leads", () => first.isPrimary());
    second.start();
    await until("pg2 follows", () => second.isReplica());
    await this.#writeAndRead();
  }

  async switchover(): Promise<void> {
    const [first, second] = this.nodes;
    await first.switchover(second);
    await until("pg2 leads", () => second.isPrimary());
    await until("pg1 follows", () => first.isReplica());
    await this.#writeAndRead();
  }

  async failover(): Promise<void> {
    const [first, second] = this.nodes;
    second.kill();
    await until("pg1 leads", () => first.isPrimary());
    second.start();
    await until("pg2 follows again", () => second.isReplica());
    await this.#writeAndRead();
  }

  /** The store loses its leader; PostgreSQL goes on as if nothing had happened. */
  async memberLost(): Promise<void> {
    const [first] = this.nodes;
    const before = await first.timeline();
    const leader = await this.#leader();
    await leader.stop("SIGKILL");
    const end = performance.now() + CALM_MS;
    while (performance.now() < end) {
      if (!(await first.isPrimary())) throw new Error("pg1 has given up its lead");
      await this.#writeAndRead();
    }
    if ((await first.timeline()) !== before) throw new Error("there was a failover");
    leader.start();
    await this.#cluster.untilHealthy(HEALTHY_WITHIN_MS);
  }

  async end(): Promise<void> {
    for (const node of this.nodes) node.kill();
    await this.#cluster.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #leader(): Promise<ProcessCluster["members"][number]> {
    for (const member of this.#cluster.members) {
      const client = new Client({ endpoints: [member.endpoint] });
      const { leader, header } = await client.maintenance.status({});
      client.close();
      if (leader === header!.memberId) return member;
    }
    throw new Error("no member leads");
  }

  /** On the primary, then until the replica has it. */
  async #writeAndRead(): Promise<void> {
    const [first, second] = this.nodes;
    const [primary, replica] = (await first.isPrimary()) ? [first, second] : [second, first];
    this.#row++;
    primary.sql(`create table if not exists t (n int); insert into t values (${this.#row})`);
    const count = `select count(*) from t where n = ${this.#row}`;
    await until(`row ${this.#row} is replicated`, async () => {
      return replica.sql(count, { mayFail: true }).trim() === "1";
    });
  }
}

/** PostgreSQL refuses to run as root. */
function databaseUser(): Pick<Runner, "uid" | "gid"> {
  if (userInfo().uid !== 0) return { uid: userInfo().uid, gid: userInfo().gid };
  const id = (flag: string): number => Number(execFileSync("id", [flag, "postgres"]));
  return { uid: id("-u"), gid: id("-g") };
}

function patroniBin(directory: string): string {
  const given = process.env["PATRONI_BIN"];
  if (given !== undefined) return given;
  const venv = join(directory, "venv");
  // The system's, since the database user may not see one in somebody's home.
  execFileSync("/usr/bin/python3", ["-m", "venv", venv]);
  const pip = spawnSync(join(venv, "bin", "pip"), ["install", "-q", PATRONI], { stdio: "inherit" });
  if (pip.status !== 0) throw new Error("Patroni cannot be installed");
  return join(venv, "bin");
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const beganMs = performance.now();
  for (;;) {
    if (await holds()) break;
    if (performance.now() - beganMs > CHANGE_WITHIN_MS) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const seconds = (performance.now() - beganMs) / 1000;
  if (!what.startsWith("row")) console.log(`  ${what} after ${seconds.toFixed(1)} s`);
}

const story = await Story.begin();
try {
  for (const chapter of ["bootstrap", "switchover", "failover", "memberLost"] as const) {
    console.log(chapter);
    await story[chapter]();
  }
  console.log("all as it should be");
} catch (error) {
  for (const node of story.nodes) console.error(node.logTail());
  throw error;
} finally {
  await story.end();
}
