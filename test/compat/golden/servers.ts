// The servers of a transcript: one, or three that are a cluster, and those that join it.

import { join } from "node:path";
import { assertFree, type Identity, Member, sleep } from "./member.ts";
import { request } from "./raw-http.ts";

const CLUSTER = [1, 2, 3];
const LEAD_ATTEMPTS = 30;
const LEAD_PAUSE_MS = 300;
const VERSION_MS = 30_000;

type Answer = Readonly<Record<string, unknown>>;

export interface ServersParts {
  readonly program: readonly string[];
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly clientPorts: readonly number[];
  readonly peerPorts: readonly number[];
  readonly identity: Identity;
}

export class Servers {
  readonly #parts: ServersParts;
  readonly #running = new Map<number, Member>();

  constructor(parts: ServersParts) {
    this.#parts = parts;
  }

  clientPort(number: number): number {
    return this.#parts.clientPorts[number - 1]!;
  }

  /** Alone. */
  async start(
    number: number,
    given: { readonly flags?: readonly string[]; readonly directory?: string },
  ): Promise<void> {
    const member = await this.#spawn(number, [number], "new", given.flags, given.directory);
    await member.ready();
  }

  /** Three members, of which the first leads. */
  async startCluster(): Promise<void> {
    const members: Member[] = [];
    for (const number of CLUSTER) members.push(await this.#spawn(number, CLUSTER, "new"));
    for (const member of members) await member.ready();
    await this.lead(1);
  }

  /** A member that was added as a learner. */
  async join(number: number): Promise<void> {
    const member = await this.#spawn(number, [...CLUSTER, number], "existing");
    await member.ready(true);
  }

  /** @throws Error when the leadership does not go there */
  async lead(number: number): Promise<void> {
    const { memberIds } = this.#parts.identity;
    const wanted = memberIds[number - 1]!;
    for (let attempt = 0; attempt < LEAD_ATTEMPTS; attempt++) {
      const { leader = "0" } = await this.#post(1, "maintenance/status", {});
      if (BigInt(leader as string) === wanted) return;
      const at = memberIds.indexOf(BigInt(leader as string)) + 1;
      const target = { targetID: String(wanted) };
      if (at > 0) await this.#post(at, "maintenance/transfer-leadership", target);
      await sleep(LEAD_PAUSE_MS);
    }
    throw new Error(`m${number} does not lead`);
  }

  /** Until cluster and storage of all members have a version: their monitors look now and then. */
  async untilVersion(version: string): Promise<void> {
    const deadline = performance.now() + VERSION_MS;
    const agrees = async (number: number): Promise<boolean> => {
      const { etcdcluster, storage } = await this.#ask(number, "GET", "/version");
      return etcdcluster === version && storage === version;
    };
    for (;;) {
      const all = await Promise.all([...this.#running.keys()].map(agrees));
      if (all.every((one) => one)) return;
      if (performance.now() > deadline) throw new Error(`the cluster never was ${version}`);
      await sleep(100);
    }
  }

  async memberIds(): Promise<bigint[]> {
    const { members = [] } = await this.#post(1, "cluster/member/list", {});
    return (members as { readonly ID: string }[]).map(({ ID }) => BigInt(ID));
  }

  /** How a server ended by itself. */
  async exited(number: number): Promise<string> {
    return (await this.#running.get(number)?.exited()) ?? "none";
  }

  async stop(number: number): Promise<void> {
    await this.#running.get(number)?.stop();
    this.#running.delete(number);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((number) => this.stop(number)));
  }

  async #spawn(
    number: number,
    cluster: readonly number[],
    state: "new" | "existing",
    flags: readonly string[] = [],
    dataDirectory: string = `srv/m${number}`,
  ): Promise<Member> {
    const { program, directory, environment, identity } = this.#parts;
    const peerPort = (one: number): number => this.#parts.peerPorts[one - 1]!;
    const clientPort = this.clientPort(number);
    for (const port of [clientPort, peerPort(number)]) await assertFree(port);
    const member = new Member({
      ...{ program, directory, environment, state, flags, clientPort },
      name: `m${number}`,
      peerPort: peerPort(number),
      token: identity.token,
      dataDirectory: join(directory, dataDirectory),
      initialCluster: cluster.map((one) => `m${one}=http://127.0.0.1:${peerPort(one)}`).join(","),
    });
    this.#running.set(number, member);
    return member;
  }

  #post(number: number, path: string, body: object): Promise<Answer> {
    return this.#ask(number, "POST", `/v3/${path}`, JSON.stringify(body));
  }

  async #ask(number: number, method: string, path: string, body?: string): Promise<Answer> {
    const port = this.clientPort(number);
    const answer = await request({ port, method, path, headers: [], body, timeoutMs: 5000 });
    return JSON.parse(answer.body.toString("utf8")) as Answer;
  }
}
