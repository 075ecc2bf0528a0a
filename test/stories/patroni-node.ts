// One PostgreSQL server with the Patroni that looks after it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export interface Runner {
  readonly uid: number;
  readonly gid: number;
  /** Where `patroni` is. */
  readonly bin: string;
}

const FIRST_PORT = 15400;
const LOG_TAIL_CHARACTERS = 3000;
const PASSWORD = "secret";

export class Postgres {
  readonly name: string;
  readonly #directory: string;
  readonly #runner: Runner;
  readonly #sqlPort: number;
  readonly #webPort: number;
  #patroni: ChildProcess | undefined;

  constructor(number: 1 | 2, parent: string, endpoints: readonly string[], runner: Runner) {
    this.name = `pg${number}`;
    this.#runner = runner;
    this.#sqlPort = FIRST_PORT + 2 * number;
    this.#webPort = FIRST_PORT + 2 * number + 1;
    this.#directory = join(parent, this.name);
    mkdirSync(this.#directory, { mode: 0o700 });
    chownSync(this.#directory, runner.uid, runner.gid);
    writeFileSync(this.#configFile, this.#config(endpoints));
  }

  start(): void {
    const log = openSync(join(this.#directory, "patroni.log"), "a");
    const { uid, gid, bin } = this.#runner;
    this.#patroni = spawn(join(bin, "patroni"), [this.#configFile], {
      ...{ uid, gid, cwd: this.#directory, stdio: ["ignore", log, log] },
      env: { PATH: process.env["PATH"], HOME: this.#directory, LC_ALL: "C.UTF-8" },
    });
    closeSync(log);
  }

  /** Both at once, as when the machine loses power. */
  kill(): void {
    this.#patroni?.kill("SIGKILL");
    try {
      const pid = readFileSync(join(this.#dataDir, "postmaster.pid"), "utf8").split("\n")[0];
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It was not running.
    }
  }

  isPrimary(): Promise<boolean> {
    return this.#answers("primary");
  }

  /** One that streams from the primary. */
  async isReplica(): Promise<boolean> {
    return (await this.#answers("replica")) && (await this.#status())["state"] !== "starting";
  }

  async timeline(): Promise<unknown> {
    return (await this.#status())["timeline"];
  }

  async switchover(to: Postgres): Promise<void> {
    const answer = await fetch(`${this.#web}/switchover`, {
      method: "POST",
      body: JSON.stringify({ leader: this.name, candidate: to.name }),
    });
    if (!answer.ok) throw new Error(`switchover: ${await answer.text()}`);
  }

  sql(text: string, options: { mayFail?: boolean } = {}): string {
    const at = ["-h", "127.0.0.1", "-p", String(this.#sqlPort), "-U", "postgres"];
    const result = spawnSync("psql", [...at, "-qtA", "-c", text, "postgres"], {
      env: { PATH: process.env["PATH"], PGPASSWORD: PASSWORD, PGCONNECT_TIMEOUT: "3" },
      encoding: "utf8",
    });
    if (result.status !== 0 && options.mayFail !== true) throw new Error(result.stderr);
    return result.stdout;
  }

  logTail(): string {
    return readFileSync(join(this.#directory, "patroni.log"), "utf8").slice(-LOG_TAIL_CHARACTERS);
  }

  get #web(): string {
    return `http://127.0.0.1:${this.#webPort}`;
  }

  get #dataDir(): string {
    return join(this.#directory, "data");
  }

  get #configFile(): string {
    return join(this.#directory, "patroni.json");
  }

  async #answers(path: string): Promise<boolean> {
    try {
      return (await fetch(`${this.#web}/${path}`, { signal: AbortSignal.timeout(3000) })).ok;
    } catch {
      return false;
    }
  }

  async #status(): Promise<Record<string, unknown>> {
    return (await (await fetch(`${this.#web}/patroni`)).json()) as Record<string, unknown>;
  }

  /** JSON is YAML. */
  #config(endpoints: readonly string[]): string {
    const sql = `127.0.0.1:${this.#sqlPort}`;
    const web = `127.0.0.1:${this.#webPort}`;
    const user = (username: string) => ({ username, password: PASSWORD });
    const binDir = process.env["PG_BIN"] ?? debianBinDir();
    return JSON.stringify({
      scope: "quorate",
      name: this.name,
      restapi: { listen: web, connect_address: web },
      etcd3: { hosts: endpoints },
      bootstrap: {
        dcs: { ttl: 20, loop_wait: 2, retry_timeout: 3, maximum_lag_on_failover: 1048576 },
        initdb: [{ encoding: "UTF8" }, "data-checksums"],
      },
      postgresql: {
        ...{ listen: sql, connect_address: sql, data_dir: this.#dataDir },
        ...(binDir === undefined ? {} : { bin_dir: binDir }),
        pgpass: join(this.#directory, "pgpass"),
        authentication: {
          superuser: user("postgres"),
          replication: user("replicator"),
          rewind: user("rewinder"),
        },
        parameters: { unix_socket_directories: this.#directory, shared_buffers: "32MB" },
        pg_hba: ["host all all 127.0.0.1/32 md5", "host replication all 127.0.0.1/32 md5"],
        use_pg_rewind: true,
      },
    });
  }
}

/** Debian keeps the server programs out of PATH. */
function debianBinDir(): string | undefined {
  const versions = "/usr/lib/postgresql";
  if (!existsSync(versions)) return undefined;
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(versions, newest, "bin");
}
