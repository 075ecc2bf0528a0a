// Starts a member with some flags and says what became of it.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { BARE_ENVIRONMENT, freePorts } from "../member-process.ts";

/** It runs, or the error with which it ended. */
export type Fate = { readonly runs: true } | { readonly runs: false; exit: number; error: string };

const DEADLINE_MS = 20_000;
const READY = "ready to serve client requests";

export async function tryFlags(
  program: string,
  root: string,
  flags: readonly string[],
): Promise<Fate> {
  const directory = mkdtempSync(join(root, "try-"));
  mkdirSync(join(directory, "wal"), { mode: 0o700 });
  const given = flags.map((flag) => flag.replaceAll("<DIR>", directory));
  const args = [...(await otherFlags(directory, given)), ...given];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: directory, env: BARE_ENVIRONMENT });
    let text = "";
    let runs = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (!text.includes(READY)) return;
        runs = true;
        child.kill("SIGKILL");
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      if (runs) resolve({ runs });
      else if (code === null) reject(new Error(`neither runs nor ends: ${args.join(" ")} ${text}`));
      else resolve({ runs, exit: code, error: errorIn(text.replaceAll(directory, "<DIR>")) });
    });
  });
}

/** What a member needs besides, so that nothing of it contradicts the flags that are tried. */
async function otherFlags(directory: string, given: readonly string[]): Promise<string[]> {
  const ports = await freePorts();
  const client = `http://127.0.0.1:${ports.client}`;
  const valueGiven = (name: string): string | undefined =>
    given.find((flag) => flag.startsWith(`--${name}=`))?.slice(name.length + 3);
  const ownPeer = `http://127.0.0.1:${ports.peer}`;
  const clustered = valueGiven("initial-cluster")?.split("=")[1];
  const peer = valueGiven("initial-advertise-peer-urls") ?? clustered ?? ownPeer;
  const all: Record<string, string> = {
    name: "m1",
    "data-dir": join(directory, "data"),
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "listen-peer-urls": ownPeer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `m1=${peer}`,
  };
  const others = Object.entries(all).filter(([name]) => valueGiven(name) === undefined);
  return others.map(([name, value]) => `--${name}=${value}`);
}

/** The text of the last line that speaks of an error; of Go's panics, the first one. */
function errorIn(text: string): string {
  const lines = text.trim().split("\n");
  const panic = lines.find((line) => line.startsWith("panic: "));
  if (panic !== undefined) return panic;
  for (const line of lines.toReversed()) {
    if (!line.startsWith("{")) continue;
    const { level, msg, error } = JSON.parse(line) as Record<string, string>;
    if (level === "fatal" || level === "error") return error ?? msg!;
    if (error !== undefined) return error;
  }
  return lines[0]!;
}
