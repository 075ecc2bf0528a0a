// For tests of commands: a console in memory and a cluster that answers as the test says.

import { type ClientOptions, dial } from "../../../client/dial.ts";
import {
  type Answer,
  type FakeCall,
  FakeConnection,
  SkippingClock,
  type StreamAnswer,
} from "../../../client/testing/fake-connection.ts";
import { NodeRandom } from "../../../io/node-random.ts";
import type { Console, Piece } from "../console.ts";
import { runEtcdctl } from "../run.ts";
import type { World } from "../session.ts";

export interface FakeSetup {
  readonly answer?: Answer;
  readonly stream?: StreamAnswer;
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly isUp?: boolean;
  readonly interrupted?: () => Promise<void>;
  readonly isErrorTerminal?: boolean;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly outBytes: Buffer;
  readonly err: string;
  readonly calls: readonly FakeCall[];
  readonly options: readonly ClientOptions[];
  /** How long it slept, in all. */
  readonly sleptMs: number;
}

class MemoryConsole implements Console {
  readonly parts: Buffer[] = [];
  errors = "";
  #input: Buffer;
  readonly isInputTerminal = false;
  readonly isOutputTerminal = false;
  readonly isErrorTerminal: boolean;

  constructor(input: string | Uint8Array, isErrorTerminal: boolean) {
    this.#input = Buffer.from(input);
    this.isErrorTerminal = isErrorTerminal;
  }

  out(...pieces: Piece[]): void {
    this.parts.push(...pieces.map((piece) => Buffer.from(piece)));
  }

  err(text: string): void {
    this.errors += text;
  }

  async readLine(): Promise<string> {
    const end = this.#input.indexOf(10);
    const line = end < 0 ? this.#input : this.#input.subarray(0, end + 1);
    this.#input = this.#input.subarray(line.length);
    return line.toString();
  }

  async readAll(): Promise<Uint8Array> {
    const all = this.#input;
    this.#input = Buffer.alloc(0);
    return all;
  }
}

/** Runs a command line against the fake cluster. */
export async function run(words: readonly string[], setup: FakeSetup = {}): Promise<Ran> {
  const console = new MemoryConsole(setup.stdin ?? "", setup.isErrorTerminal ?? false);
  const clock = new SkippingClock();
  const connections: FakeConnection[] = [];
  const options: ClientOptions[] = [];
  let sleptMs = 0;
  const connect = (): FakeConnection => {
    const connection = new FakeConnection(setup.answer ?? (() => new Uint8Array(0)), {
      isUp: setup.isUp ?? true,
      ...(setup.stream === undefined ? {} : { stream: setup.stream }),
    });
    connections.push(connection);
    return connection;
  };
  const world: World = {
    console,
    environment: setup.environment ?? {},
    open: async (given) => {
      options.push(given);
      return dial({ ...given, clock, random: new NodeRandom(), connect });
    },
    sleep: async (ms) => {
      sleptMs += ms;
      // Others get their turn: a loop that sleeps must not be the only one that runs.
      await new Promise(setImmediate);
    },
    interrupted: setup.interrupted ?? (() => new Promise(() => {})),
    nowMs: () => clock.monotonicMs(),
  };
  const code = await runEtcdctl(words, world);
  const outBytes = Buffer.concat(console.parts);
  return {
    code,
    out: outBytes.toString(),
    outBytes,
    err: console.errors,
    calls: connections.flatMap((one) => one.calls),
    options,
    sleptMs,
  };
}

/** The lines of standard error that are no log lines. */
export function plainErrors({ err }: Ran): string {
  return err
    .split("\n")
    .filter((line) => !line.startsWith('{"level":'))
    .join("\n");
}
