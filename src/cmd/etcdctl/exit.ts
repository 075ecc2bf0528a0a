// How a command ends early. The numbers are part of the interface: scripts test them.

export const ExitCode = {
  Success: 0,
  Error: 1,
  BadConnection: 2,
  InvalidInput: 3,
  BadFeature: 4,
  Interrupted: 5,
  IO: 6,
  BadArguments: 128,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends the program: `Error: <text>` on standard error, unless all was said before. */
export class Exit extends Error {
  override name = "Exit";
  readonly code: number;
  /** Undefined: end without a word. */
  readonly text: string | undefined;

  constructor(code: number, text?: string) {
    super(text ?? `exit ${code}`);
    this.code = code;
    this.text = text;
  }
}

export function badArguments(text: string): Exit {
  return new Exit(ExitCode.BadArguments, text);
}
