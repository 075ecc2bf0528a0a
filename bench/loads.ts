// Runs one load against one server: etcd's own `benchmark`, or ours for what that lacks.

import { spawn } from "node:child_process";
import type { Server } from "./servers.ts";

export interface Result {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Server CPU, all threads, per request. */
  readonly cpuMicros: number;
}

export interface Load {
  readonly program: string;
  readonly args: readonly string[];
  readonly requests: number;
}

const LOAD_TIMEOUT_MS = 300_000;

export async function runLoad(server: Pick<Server, "cpuSeconds">, load: Load): Promise<Result> {
  const cpuBefore = server.cpuSeconds();
  const output = await capture(load.program, load.args);
  const cpuSeconds = server.cpuSeconds() - cpuBefore;
  const parsed = output.trimStart().startsWith("{") ? parseOurs(output) : parseBenchmark(output);
  const requests = parsed.requests ?? load.requests;
  return { ...parsed, cpuMicros: (cpuSeconds / requests) * 1e6 };
}

type Parsed = Omit<Result, "cpuMicros"> & { readonly requests?: number };

function parseOurs(output: string): Parsed {
  const line = JSON.parse(output) as Record<string, number>;
  if (line["failed"] !== 0) throw new Error(`${line["failed"]} requests failed`);
  const milliseconds = (name: string): number => line[name]! * 1000;
  return {
    requests: line["requests"]!,
    requestsPerSecond: line["rate"]!,
    p50Ms: milliseconds("p50"),
    p99Ms: milliseconds("p99"),
    maxMs: milliseconds("max"),
  };
}

/** The text of etcd's `benchmark --precise`; the last of its summaries is what it is about. */
function parseBenchmark(text: string): Parsed {
  const output = text.slice(text.lastIndexOf("ummary:"));
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(output);
    if (found === null) throw new Error(`no ${pattern} in the output of benchmark:\n${output}`);
    return Number(found[1]);
  };
  if (/Error distribution/.test(output)) throw new Error(`requests failed:\n${output}`);
  return {
    requestsPerSecond: number(/Requests\/sec:\s+([\d.e+-]+)/),
    p50Ms: number(/50% in ([\d.e+-]+) secs/) * 1000,
    p99Ms: number(/99% in ([\d.e+-]+) secs/) * 1000,
    maxMs: number(/Slowest:\s+([\d.e+-]+) secs/) * 1000,
  };
}

export function capture(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), LOAD_TIMEOUT_MS);
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      if (status === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(" ")} ended with ${status}\n${errors}`));
    });
  });
}

/** A load that goes on until it is told to end. */
export interface Helper {
  /** The first line that it printed. */
  readonly first: string;
  /** Ends it. What it printed after the first line. */
  end(): Promise<string>;
}

/** Resolves with the first line of the output. */
export function startHelper(program: string, args: readonly string[]): Promise<Helper> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), LOAD_TIMEOUT_MS);
    let output = "";
    const ended = new Promise<string>((resolveEnd, rejectEnd) => {
      child.once("error", reject);
      child.once("close", (status) => {
        clearTimeout(timer);
        const error = new Error(`${program} ${args.join(" ")} ended with ${status}`);
        if (status === 0) resolveEnd(output.slice(output.indexOf("\n") + 1));
        else rejectEnd(error);
        reject(error);
      });
    });
    ended.catch(() => {});
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const line = output.indexOf("\n");
      if (line < 0) return;
      const end = (): Promise<string> => {
        child.stdin.end("\n");
        return ended;
      };
      resolve({ first: output.slice(0, line), end });
    });
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
