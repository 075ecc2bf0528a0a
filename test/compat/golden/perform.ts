// Performs the commands of a transcript in a folder of its own, with a server of its own, and gives
// back the transcript with what was answered this time.

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Background } from "./background.ts";
import { changeFile } from "./change-file.ts";
import { Leases } from "./leases.ts";
import { listFiles, listTree } from "./list-files.ts";
import { chooseIdentity, idOfAdded, isWide, sleep } from "./member.ts";
import { Normaliser } from "./normalise.ts";
import { prepareHttp } from "./prepare-http.ts";
import { performHttp } from "./run-http.ts";
import { type Hooks, option, type Programs, runProgram, type Setting } from "./run-program.ts";
import { Servers } from "./servers.ts";
import { type Item, type Step, splitWords } from "./transcript.ts";

/** Clients and peers of five members, and one where nothing listens. */
const MEMBERS_MAX = 5;
const ADD_ATTEMPTS = 20;
export const PORTS_PER_STAGE: number = 2 * MEMBERS_MAX + 1;

export async function perform(
  items: readonly Item[],
  programs: Programs,
  firstPort: number,
): Promise<Item[]> {
  const stage = new Stage(programs, firstPort, membersOf(items));
  try {
    const out: (Item | Promise<Item>)[] = [];
    for (const item of items) {
      if (item.kind === "do") await stage.prepare(item.text);
      if (item.kind !== "step") out.push(item);
      else {
        const { answer } = await stage.begin(item);
        out.push(answer.then((lines) => ({ ...item, answer: lines })));
      }
    }
    return await Promise.all(out);
  } finally {
    await stage.close();
  }
}

class Stage {
  readonly #programs: Programs;
  readonly #directory: string = realpathSync(mkdtempSync(join(tmpdir(), "golden-")));
  readonly #setting: Setting;
  readonly #normaliser: Normaliser;
  readonly #servers: Servers;
  readonly #leases: Leases;
  readonly #background = new Background();
  readonly #token: string;

  constructor(programs: Programs, firstPort: number, members: number) {
    this.#programs = programs;
    const ports = Array.from({ length: MEMBERS_MAX }, (_, at) => firstPort + at);
    const clientPorts = ports;
    const peerPorts = ports.map((port) => port + MEMBERS_MAX);
    const deadPort = firstPort + 2 * MEMBERS_MAX;
    const identity = chooseIdentity(...peerPorts.slice(0, members));
    this.#token = identity.token;
    const directory = this.#directory;
    const places = { directory, clientPorts, peerPorts, deadPort, ...identity };
    this.#normaliser = new Normaliser(places);
    this.#normaliser.hidesTerms = members > 1;
    const environment = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: directory,
      TZ: "UTC",
      LANG: "C.UTF-8",
    };
    this.#setting = {
      ...{ directory, environment },
      clientPort: clientPorts[0]!,
      peerPort: peerPorts[0]!,
    };
    this.#leases = new Leases(clientPorts[0]!);
    this.#servers = new Servers({
      ...{ directory, environment, clientPorts, peerPorts, identity },
      program: programs.etcd,
    });
  }

  async prepare(text: string): Promise<void> {
    const [verb = "", ...words] = splitWords(this.#normaliser.expand(text));
    if (verb === "server") await this.#servers.start(1, { flags: words });
    else if (verb === "restart") await this.#servers.start(1, { directory: words[0] ?? "" });
    else if (verb === "another") await this.#servers.start(Number(words[0]), {});
    else if (verb === "cluster") await this.#servers.startCluster();
    else if (verb === "join") await this.#servers.join(Number(words[0]));
    else if (verb === "version") await this.#servers.untilVersion(words[0] ?? "");
    else if (verb === "lead") await this.#servers.lead(Number(words[0]));
    else if (verb === "stop") await this.#servers.stop(Number(words[0] ?? 1));
    else if (verb === "wait") await sleep(Number(words[0]) * 1000);
    else if (verb === "interrupt") await this.#background.end(words[0] ?? "", "SIGINT");
    else if (verb === "await") await this.#background.end(words[0] ?? "");
    else if (verb === "lease") await this.#grantLease(words[0] ?? "", Number(words[1]));
    else if (verb === "revoke-leases") await this.#leases.revokeAll();
    else if (verb === "hide") this.#normaliser.hidesHashes = true;
    else if (verb === "show") this.#normaliser.hidesHashes = false;
    else if (verb === "post" || verb === "put-until-refused") {
      await prepareHttp(this.#setting.clientPort, verb, words);
    } else if (verb === "etcdctl" || verb === "etcdutl") await this.#quietly(text, []);
    else if (verb === "puts") {
      const puts = words.map((word) => `| put ${word.replace("=", " ")}`);
      await this.#quietly("etcdctl txn", ["stdin:", "|", ...puts, "|", "|"]);
    } else changeFile(this.#directory, verb, words);
  }

  /** The answer of a step in the background comes when it has ended; of all others it is there. */
  async begin(step: Step): Promise<{ readonly answer: Promise<string[]> }> {
    const name = option(step, "background");
    if (name === undefined) {
      const lines = await this.#answer(step);
      return { answer: Promise.resolve(lines) };
    }
    const before = await this.#leases.ids();
    const begun = await this.#background.begin(name, (ending) => this.#run(step, { ending }));
    await this.#learnGranted(step, before);
    return begun;
  }

  async #answer(step: Step): Promise<string[]> {
    const [verb = "", ...words] = splitWords(step.command);
    if (verb === "files") return listFiles(this.#directory, words);
    if (verb === "tree") return listTree(join(this.#directory, words[0] ?? ""));
    if (verb === "exited") return [`exit: ${await this.#servers.exited(Number(words[0]))}`];
    if (/^[A-Z]+$/.test(verb)) {
      const clientPort = this.#servers.clientPort(Number(option(step, "member") ?? 1));
      return performHttp(step, { ...this.#setting, clientPort }, this.#normaliser);
    }
    const name = option(step, "adds");
    if (name !== undefined) return this.#add(step, name);
    if (option(step, "grants") === undefined) return this.#run(step);
    const before = await this.#leases.ids();
    const learn = () => this.#learnGranted(step, before);
    // One that is to be interrupted has to have its lease by then.
    const goesOn = option(step, "signal") !== undefined;
    return this.#run(step, goesOn ? { settled: learn } : { beforeLines: learn });
  }

  #run(step: Step, hooks: Hooks = {}): Promise<string[]> {
    return runProgram(step, this.#programs, this.#setting, this.#normaliser, hooks);
  }

  /** `grants: LEASE1`: the lease that has come with the step. */
  async #learnGranted(step: Step, before: readonly bigint[]): Promise<void> {
    const name = option(step, "grants");
    if (name !== undefined) this.#learnLease(await this.#leases.granted(before), name);
  }

  async #grantLease(name: string, ttlSeconds: number): Promise<void> {
    this.#learnLease(await this.#leases.grant(ttlSeconds), name);
  }

  #learnLease(id: bigint, name: string): void {
    if (!isWide(id)) throw new Error(`lease ${id} is not as wide in print as the others`);
    this.#normaliser.learn(id, name);
  }

  /**
   * The id of an added member depends on the second. It is to be the last in every list, and as
   * wide as the others: the program is started in a second that gives such an id. Should it be
   * late, the member is removed and added again. Members that have just lost each other add none.
   */
  async #add(step: Step, name: string): Promise<string[]> {
    const peerUrls = this.#normaliser.expand(step.command).match(/http:[^, ]+/g) ?? [];
    let answer: string[] = [];
    for (let attempt = 0; attempt < ADD_ATTEMPTS; attempt++) {
      const before = await this.#servers.memberIds();
      const isGood = (id: bigint): boolean => isWide(id) && before.every((one) => one < id);
      await untilSecond((second) => isGood(idOfAdded(peerUrls, this.#token, second)));
      let id: bigint | undefined;
      answer = await this.#run(step, {
        beforeLines: async () => {
          id = (await this.#servers.memberIds()).find((one) => !before.includes(one));
          if (id !== undefined) this.#normaliser.learn(id, name);
        },
      });
      if (id === undefined) continue;
      if (isGood(id)) return answer;
      await this.#quietly(`etcdctl member remove ${id.toString(16)}`, []);
    }
    throw new Error(`${step.command} added nobody: ${answer.join("\n")}`);
  }

  async close(): Promise<void> {
    await this.#background.close();
    await this.#servers.stopAll();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #quietly(command: string, input: readonly string[]): Promise<void> {
    const step = { kind: "step", number: "", command, input, answer: [] } as const;
    const answer = await this.#run(step);
    // What the following steps rest on has to have worked.
    if (answer.at(-1) !== "exit: 0") throw new Error(`do: ${command}\n${answer.join("\n")}`);
  }
}

/** Until the beginning of a second that `isGood`. */
async function untilSecond(isGood: (second: number) => boolean): Promise<void> {
  let second = Math.floor(Date.now() / 1000) + 1;
  while (!isGood(second)) second++;
  await sleep(second * 1000 - Date.now());
}

/** Transcripts that start a cluster have three members from the beginning. */
function membersOf(items: readonly Item[]): number {
  return items.some((item) => item.kind === "do" && item.text === "cluster") ? 3 : 1;
}
