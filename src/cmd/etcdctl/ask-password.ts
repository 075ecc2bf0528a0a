// Asks for a password on standard output and reads a line. The echo of the terminal is turned off
// by `stty`, as programs without a terminal library do; on a pipe it complains and all goes on.

import { spawnSync } from "node:child_process";
import type { Console } from "./console.ts";

function echo(isOn: boolean): void {
  spawnSync("stty", [isOn ? "echo" : "-echo"], { stdio: ["inherit", "inherit", "inherit"] });
}

function restoreAndEnd(): void {
  echo(true);
  process.exit(1);
}

/** What was typed, without the end of the line. */
export async function askPassword(console: Console, prompt: string): Promise<string> {
  console.out(prompt);
  echo(false);
  process.once("SIGINT", restoreAndEnd);
  try {
    return (await console.readLine()).replace(/\r?\n$/, "");
  } finally {
    process.off("SIGINT", restoreAndEnd);
    echo(true);
    console.out("\n");
  }
}
