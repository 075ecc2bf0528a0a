// The Go program of this folder as a process of a test: lines in, lines out.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { stockBinaries } from "./stock-binaries.ts";

/** The path of the program. @throws Error without a Go toolchain */
export function goProgram(): string {
  return stockBinaries("clients")["go"]!;
}

export class GoProgram {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #errors = "";
  /** Of its session, as keys contain it. */
  lease = "";

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stderr.on("data", (data: Buffer) => {
      this.#errors += data;
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** With a session of its own. */
  static async start(program: string, endpoint: string, ttlSeconds: number): Promise<GoProgram> {
    const flags = [`-endpoint=${endpoint}`, `-ttl=${ttlSeconds}`];
    const started = new GoProgram(spawn(program, flags));
    started.lease = (await started.next()).replace("session ", "");
    return started;
  }

  send(command: string): void {
    this.#child.stdin.write(`${command}\n`);
  }

  /** The next line. @throws Error when there is none */
  async next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the Go program has ended: ${this.#errors}`);
    return value;
  }

  async ask(command: string): Promise<string> {
    this.send(command);
    return this.next();
  }

  /** As a crash ends it: the session is left to its TTL. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
