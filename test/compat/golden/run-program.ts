// One command of a transcript: the program, its environment and its input, and the answer in lines.

import { type ChildProcess, spawn } from "node:child_process";
import { untilIdle } from "./idle.ts";
import type { Normaliser } from "./normalise.ts";
import { protobufLines } from "./protobuf-text.ts";
import { isRule } from "./tables.ts";
import { type Step, splitWords } from "./transcript.ts";
import { bytesOfBlock, invisible } from "./visible.ts";

/** Each a program and its first arguments. */
export interface Programs {
  readonly etcd: readonly string[];
  readonly etcdctl: readonly string[];
  readonly etcdutl: readonly string[];
}

export interface Setting {
  readonly directory: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly environment: Readonly<Record<string, string>>;
}

const TIMEOUT_SECONDS = 40;
/** A program that goes on, at least: until it is there; until what was done has arrived. */
const SETTLE_MS = 1500;
const ARRIVE_MS = 400;
const LEFT_BEHIND_MS = 5000;

export interface Hooks {
  /** When it has ended, and its output is not yet shown. */
  readonly beforeLines?: () => Promise<void>;
  /** When a program that goes on is there, before anything is done to it. */
  readonly settled?: () => Promise<void>;
  /** Instead of the `signal:` of the step: after that, resolves with what ends it. */
  readonly ending?: () => Promise<string | undefined>;
}

export async function runProgram(
  step: Step,
  programs: Programs,
  setting: Setting,
  normaliser: Normaliser,
  hooks: Hooks = {},
): Promise<string[]> {
  const words = splitWords(step.command).map((word) => invisible(normaliser.expand(word)));
  const environment: Record<string, string> = { ...setting.environment };
  while (/^[A-Z_]+=/.test(words[0] ?? "")) {
    const [name = "", ...value] = words.shift()!.split("=");
    environment[name] = value.join("=");
  }
  const program = words.shift();
  if (program !== "etcdctl" && program !== "etcdutl") throw new Error(`no program ${program}`);
  if (program === "etcdctl" && !words.some((word) => word.startsWith("--endpoints"))) {
    environment["ETCDCTL_ENDPOINTS"] ??= `127.0.0.1:${setting.clientPort}`;
  }
  const signal = option(step, "signal");
  const meanwhile = async (pid: number) => {
    await hooks.settled?.();
    for (const other of meanwhileOf(step)) {
      await runProgram(other, programs, setting, normaliser);
      await untilIdle(pid, ARRIVE_MS);
    }
    await untilIdle(pid, ARRIVE_MS);
    return signal;
  };
  const result = await execute({
    command: [...programs[program], ...words],
    environment,
    directory: setting.directory,
    input: inputOf(step, normaliser),
    timeoutMs: Number(option(step, "timeout") ?? TIMEOUT_SECONDS) * 1000,
    ending: hooks.ending ?? (signal === undefined ? undefined : meanwhile),
  });
  await hooks.beforeLines?.();
  return answerOf(result, step, words.includes("protobuf"), normaliser);
}

/** `during: etcdctl put a 1`, or `during: txn put a 1; del b`. */
function meanwhileOf(step: Step): Step[] {
  return step.input
    .filter((line) => line.startsWith("during: "))
    .map((line) => {
      const text = line.slice("during: ".length);
      const operations = /^txn (.*)$/.exec(text)?.[1]?.split("; ") ?? [];
      const stdin = ["stdin:", "|", ...operations.map((one) => `| ${one}`), "|", "|"];
      const isTxn = operations.length > 0;
      const command = isTxn ? "etcdctl txn" : text;
      return { kind: "step", number: "", command, input: isTxn ? stdin : [], answer: [] };
    });
}

/** The value of a line such as `timeout: 5`. */
export function option(step: Step, name: string): string | undefined {
  return step.input.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

/**
 * `stdin:` and lines; `stdin-times: 3 abc` for a long repeated text; a line `|* 129 put k%03d x`
 * stands for so many lines with a number in them.
 */
function inputOf(step: Step, normaliser: Normaliser): Buffer {
  const times = option(step, "stdin-times");
  if (times !== undefined) {
    const [count = "", text = ""] = times.split(" ");
    return Buffer.from(text.repeat(Number(count)));
  }
  const at = step.input.indexOf("stdin:");
  if (at < 0) return Buffer.alloc(0);
  const block = step.input.slice(at + 1).filter((line) => line.startsWith("|"));
  if (block.length === 0) return Buffer.alloc(0);
  const lines = block.flatMap((line) => {
    const repeated = /^\|\* (\d+) (.*)$/.exec(line);
    if (repeated === null) return [normaliser.expand(line)];
    return Array.from(
      { length: Number(repeated[1]) },
      (_, n) => `| ${repeated[2]!.replace("%03d", String(n).padStart(3, "0"))}`,
    );
  });
  return bytesOfBlock(lines);
}

interface Result {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exit: string;
}

interface Execution {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly input: Buffer;
  readonly timeoutMs: number;
  /** Called when it is there; resolves with what ends it. Its input stays open. */
  readonly ending: ((pid: number) => Promise<string | undefined>) | undefined;
}

function execute(options: Execution): Promise<Result> {
  return new Promise((resolve, reject) => {
    const [program = "", ...args] = options.command;
    const child = spawn(program, args, { cwd: options.directory, env: options.environment });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
    // A program that does not read its input closes the pipe; that is its right.
    child.stdin.on("error", () => {});
    let interrupted: Promise<void> | undefined;
    if (options.ending === undefined) child.stdin.end(options.input);
    else {
      child.stdin.write(options.input);
      interrupted = interrupt(child, options.ending);
    }
    child.on("error", reject);
    // Its pipes may be held open by a process that it left behind.
    child.on("exit", () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, LEFT_BEHIND_MS).unref();
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const exit = signal === null ? String(code) : `killed by ${signal}`;
      const result = { stdout: Buffer.concat(out), stderr: Buffer.concat(err), exit };
      // What is done meanwhile is done, even if the program has ended before.
      Promise.resolve(interrupted).then(() => resolve(result), reject);
    });
  });
}

async function interrupt(
  child: ChildProcess,
  ending: (pid: number) => Promise<string | undefined>,
): Promise<void> {
  // It could not be started: that is told elsewhere.
  if (child.pid === undefined) return;
  await untilIdle(child.pid, SETTLE_MS);
  const signal = await ending(child.pid);
  if (signal !== undefined) child.kill(signal as NodeJS.Signals);
}

function answerOf(result: Result, step: Step, protobuf: boolean, normaliser: Normaliser): string[] {
  const show = option(step, "show") ?? "";
  const decoded = protobuf ? decodedBlock(result.stdout, normaliser) : undefined;
  const stdout = decoded ?? block("stdout", shaped(result.stdout, show, normaliser));
  const stderr = block("stderr", shaped(result.stderr, show, normaliser));
  return [...stdout, ...stderr, `exit: ${result.exit}`];
}

function block(label: string, lines: readonly string[]): string[] {
  return [`${label}:`, ...lines.map((line) => (line === "" ? "|" : `| ${line}`))];
}

function decodedBlock(bytes: Buffer, normaliser: Normaliser): string[] | undefined {
  if (bytes.length === 0) return undefined;
  const whole = protobufLines(bytes);
  const ended = bytes.at(-1) === 10 ? protobufLines(bytes.subarray(0, -1)) : undefined;
  const lines = whole ?? ended;
  if (lines === undefined) return undefined;
  const label = `stdout (protobuf${whole === undefined ? " + newline" : ""}, by field numbers)`;
  return block(
    label,
    lines.map((line) => normaliser.line(line)),
  );
}

/** What `show:` makes of an output. */
function shaped(bytes: Buffer, show: string, normaliser: Normaliser): string[] {
  if (show === "help") {
    const isHelp = bytes.includes("Usage") || bytes.includes("Available Commands");
    return isHelp ? ["<HELP>"] : normaliser.lines(bytes);
  }
  if (show === "options") return normaliser.lines(withoutDescriptions(bytes));
  const lines = normaliser.lines(bytes);
  if (show === "sorted") return sortEntries(lines);
  const head = /^head (\d+)$/.exec(show);
  if (head === null || lines.length <= Number(head[1])) return lines;
  return [...lines.slice(0, Number(head[1])), "<AND MORE LINES>"];
}

/** Names, types and defaults of flags; their descriptions are each program's own words. */
function withoutDescriptions(bytes: Buffer): Buffer {
  const line = /^(\s+(?:-\w, )?--[\w-]+(?: [a-z]+)?\s{2,})(.*?)((?: \(default [^()]*\))?)$/gm;
  return Buffer.from(bytes.toString("utf8").replace(line, "$1<TEXT>$3"));
}

/** What comes in no fixed order: members of a JSON list, rows of a table, blocks, lines. */
function sortEntries(lines: readonly string[]): string[] {
  const first = lines[0] ?? "";
  if (first.startsWith("[{")) {
    const entries = first.slice(1, -1).split(/(?<=\}),(?=\{"[eE]ndpoint")/);
    return [`[${entries.sort().join(",")}]`, ...lines.slice(1)];
  }
  if (isRule(first)) {
    const second = lines.findIndex((line, at) => at >= 2 && isRule(line));
    const last = lines.findIndex((line, at) => at > second && isRule(line));
    const rows = lines.slice(second + 1, last).sort();
    return [...lines.slice(0, second + 1), ...rows, ...lines.slice(last)];
  }
  if (first.startsWith('"') && lines.includes("")) {
    const blocks = lines.join("\n").trimEnd().split("\n\n").sort();
    return [...blocks.join("\n\n").split("\n"), ...(lines.at(-1) === "" ? [""] : [])];
  }
  return [...lines].sort();
}
