// Commands that go on while other steps are performed: a step with `background: NAME` is answered
// when `do: interrupt NAME` has ended it, or when it has ended by itself at `do: await NAME`.

/** Runs the command: `ending` is called when it is there, and resolves with what ends it. */
export type Run = (ending: () => Promise<string | undefined>) => Promise<string[]>;

interface Command {
  readonly end: (signal: string | undefined) => void;
  readonly answer: Promise<string[]>;
}

export class Background {
  readonly #commands = new Map<string, Command>();

  /** Resolves when the command is there, or has ended already. */
  async begin(name: string, run: Run): Promise<{ readonly answer: Promise<string[]> }> {
    let end: (signal: string | undefined) => void = () => {};
    const told = new Promise<string | undefined>((resolve) => {
      end = resolve;
    });
    let answer: Promise<string[]> = Promise.resolve([]);
    await new Promise<void>((resolve) => {
      answer = run(() => {
        resolve();
        return told;
      });
      answer.then(() => resolve(), resolve);
    });
    this.#commands.set(name, { end, answer });
    return { answer };
  }

  /** @throws Error when there is none of that name */
  async end(name: string, signal?: string): Promise<void> {
    const command = this.#commands.get(name);
    if (command === undefined) throw new Error(`nothing named ${name} is in the background`);
    command.end(signal);
    await command.answer;
    this.#commands.delete(name);
  }

  /** What a transcript has left. */
  async close(): Promise<void> {
    for (const name of [...this.#commands.keys()]) await this.end(name, "SIGKILL").catch(() => {});
  }
}
