// Runs a program that a user named, with the words of Go's os/exec for what can go wrong.

import { spawnSync } from "node:child_process";
import { quote } from "../flags/go-text.ts";

export interface ProgramResult {
  /** Exit code, or 1 when it could not be started. */
  readonly code: number;
  /** "" when all went well. */
  readonly error: string;
}

const startErrors: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
};

/** Standard input is empty; output and errors go where ours go. */
export function runProgram(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ProgramResult {
  const [program = "", ...args] = words;
  const { status, signal, error } = spawnSync(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...environment },
  });
  if (error !== undefined) return { code: 1, error: startErrorText(program, error) };
  if (signal !== null) return { code: 1, error: `signal: ${signal}` };
  return { code: status ?? 1, error: status === 0 ? "" : `exit status ${status}` };
}

function startErrorText(program: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (!program.includes("/") && code === "ENOENT") {
    return `exec: ${quote(program)}: executable file not found in $PATH`;
  }
  return `fork/exec ${program}: ${startErrors[code ?? ""] ?? error.message}`;
}
