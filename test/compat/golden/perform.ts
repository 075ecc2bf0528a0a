// Performs the commands of a transcript in a folder of its own, with a server of its own, and gives
// back the transcript with what was answered this time.

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changeFile } from "./change-file.ts";
import { listFiles, listTree } from "./list-files.ts";
import { assertFree, chooseIdentity, type Identity, Member } from "./member.ts";
import { Normaliser } from "./normalise.ts";
import { prepareHttp } from "./prepare-http.ts";
import { performHttp } from "./run-http.ts";
import { type Programs, runProgram, type Setting } from "./run-program.ts";
import { type Item, type Step, splitWords } from "./transcript.ts";

/** Client, peer, and one where nothing listens. */
export const PORTS_PER_STAGE = 3;

export async function perform(
  items: readonly Item[],
  programs: Programs,
  firstPort: number,
): Promise<Item[]> {
  const stage = new Stage(programs, firstPort);
  try {
    const out: Item[] = [];
    for (const item of items) {
      if (item.kind === "do") await stage.prepare(item.text);
      out.push(item.kind === "step" ? { ...item, answer: await stage.answer(item) } : item);
    }
    return out;
  } finally {
    await stage.close();
  }
}

class Stage {
  readonly #programs: Programs;
  readonly #directory: string = realpathSync(mkdtempSync(join(tmpdir(), "golden-")));
  readonly #setting: Setting;
  readonly #identity: Identity;
  readonly #normaliser: Normaliser;
  #member: Member | undefined;

  constructor(programs: Programs, firstPort: number) {
    this.#programs = programs;
    const clientPort = firstPort;
    const peerPort = firstPort + 1;
    const deadPort = firstPort + 2;
    this.#identity = chooseIdentity(peerPort);
    const directory = this.#directory;
    const places = { directory, clientPort, peerPort, deadPort, ...this.#identity };
    this.#normaliser = new Normaliser(places);
    const environment = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: directory,
      TZ: "UTC",
      LANG: "C.UTF-8",
    };
    this.#setting = { directory, clientPort, peerPort, environment };
  }

  async prepare(text: string): Promise<void> {
    const [verb = "", ...words] = splitWords(this.#normaliser.expand(text));
    if (verb === "server") await this.#start(words, "srv/m1");
    else if (verb === "restart") await this.#start([], words[0] ?? "");
    else if (verb === "stop") await this.#stop();
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

  async answer(step: Step): Promise<string[]> {
    const [verb = "", ...words] = splitWords(step.command);
    if (verb === "files") return listFiles(this.#directory, words);
    if (verb === "tree") return listTree(join(this.#directory, words[0] ?? ""));
    if (/^[A-Z]+$/.test(verb)) return performHttp(step, this.#setting, this.#normaliser);
    return runProgram(step, this.#programs, this.#setting, this.#normaliser);
  }

  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(flags: readonly string[], dataDirectory: string): Promise<void> {
    const { token } = this.#identity;
    const { directory, clientPort, peerPort, environment } = this.#setting;
    for (const port of [clientPort, peerPort]) await assertFree(port);
    this.#member = new Member({
      program: this.#programs.etcd,
      dataDirectory: join(directory, dataDirectory),
      ...{ directory, clientPort, peerPort, environment, token, flags },
    });
    await this.#member.ready();
  }

  async #quietly(command: string, input: readonly string[]): Promise<void> {
    const step = { kind: "step", number: "", command, input, answer: [] } as const;
    const answer = await runProgram(step, this.#programs, this.#setting, this.#normaliser);
    // What the following steps rest on has to have worked.
    if (answer.at(-1) !== "exit: 0") throw new Error(`do: ${command}\n${answer.join("\n")}`);
  }

  async #stop(): Promise<void> {
    await this.#member?.stop();
    this.#member = undefined;
  }
}
