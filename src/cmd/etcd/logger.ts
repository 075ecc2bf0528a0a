// The log of a process: levels, names, and the place in the source that a line comes from.

import { fileErrorText } from "../../base/file-error.ts";
import type { Fields, Level, Logger } from "../../base/log.ts";
import { ParseError, quote } from "../flags/go-text.ts";
import { type Encode, encodeConsole, encodeJson } from "./log-encoding.ts";
import { type LogSink, openFileSink, standardSink } from "./log-sink.ts";

export interface LoggerOptions {
  readonly level: string;
  readonly format: string;
  readonly outputs: readonly string[];
}

export interface ProcessLogger extends Logger {
  panic(message: string, fields?: Fields): void;
  /** Writes the line, flushes, and ends the process with code 1. */
  fatal(message: string, fields?: Fields): never;
  named(name: string): ProcessLogger;
  flush(): void;
}

const ranks: Readonly<Record<Level, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  panic: 4,
  fatal: 5,
};

/** @throws ParseError for options that are wrong */
export function createLogger(options: LoggerOptions): ProcessLogger {
  const rank = parseLevel(options.level);
  const encode = parseFormat(options.format);
  return new ZapLogger({ rank, encode, sinks: openSinks(options.outputs) }, "");
}

/** Before the options are known, and when they are wrong. */
export function defaultLogger(): ProcessLogger {
  return createLogger({ level: "info", format: "json", outputs: ["stderr"] });
}

/** @throws ParseError */
export function parseLevel(level: string): number {
  const name = level.toLowerCase();
  if (name === "") return ranks.info;
  if (name === "dpanic") return ranks.panic;
  if (!Object.hasOwn(ranks, name)) {
    throw new ParseError(`unrecognized level: ${quote(level)}`);
  }
  return ranks[name as Level];
}

function parseFormat(format: string): Encode {
  if (format === "json" || format === "") return encodeJson;
  if (format === "console") return encodeConsole;
  throw new ParseError(`unknown log format: ${format}, supported values json, console`);
}

function openSinks(outputs: readonly string[]): LogSink[] {
  if (outputs.length > 1 && outputs.includes("default")) {
    throw new ParseError(`multi logoutput for "default" is not supported yet`);
  }
  if (outputs.includes("/dev/null")) return [];
  return [...new Set(outputs)].map(openSink);
}

function openSink(output: string): LogSink {
  if (output === "default" || output === "stderr") return standardSink(2);
  if (output === "stdout") return standardSink(1);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(output)?.[1];
  if (scheme !== undefined && scheme !== "file") {
    throw new ParseError(`open sink ${quote(output)}: no sink found for scheme ${quote(scheme)}`);
  }
  const path = output.replace(/^file:(\/\/(localhost)?)?/, "");
  try {
    return openFileSink(path);
  } catch (error) {
    const why = fileErrorText("open", path, error);
    throw new ParseError(`open sink ${quote(output)}: ${why}`);
  }
}

interface Core {
  readonly rank: number;
  readonly encode: Encode;
  readonly sinks: readonly LogSink[];
}

class ZapLogger implements ProcessLogger {
  readonly #core: Core;
  readonly #name: string;

  constructor(core: Core, name: string) {
    this.#core = core;
    this.#name = name;
  }

  debug(message: string, fields?: Fields): void {
    if (this.#core.rank <= ranks.debug) this.#write("debug", message, fields, this.debug);
  }
  info(message: string, fields?: Fields): void {
    if (this.#core.rank <= ranks.info) this.#write("info", message, fields, this.info);
  }
  warn(message: string, fields?: Fields): void {
    if (this.#core.rank <= ranks.warn) this.#write("warn", message, fields, this.warn);
  }
  error(message: string, fields?: Fields): void {
    if (this.#core.rank <= ranks.error) this.#write("error", message, fields, this.error);
  }
  panic(message: string, fields?: Fields): void {
    if (this.#core.rank <= ranks.panic) this.#write("panic", message, fields, this.panic);
  }

  fatal(message: string, fields?: Fields): never {
    this.#write("fatal", message, fields, this.fatal);
    this.flush();
    process.exit(1);
  }

  named(name: string): ProcessLogger {
    return new ZapLogger(this.#core, this.#name === "" ? name : `${this.#name}.${name}`);
  }

  flush(): void {
    for (const sink of this.#core.sinks) sink.flush();
  }

  #write(level: Level, message: string, fields: Fields | undefined, entry: Entry): void {
    const line = this.#core.encode({
      level,
      wallMs: Date.now(),
      logger: this.#name,
      caller: callerOf(entry),
      message,
      fields,
    });
    for (const sink of this.#core.sinks) sink.write(line);
  }
}

type Entry = (message: string, fields?: Fields) => unknown;

/**
 * `folder/file.js:line` of the code that called `entry`: one frame of the stack, some microseconds.
 * No line is logged per request unless something is wrong.
 */
function callerOf(entry: Entry): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, entry);
  Error.stackTraceLimit = limit;
  const place = /([^/\\(\s]+[/\\][^/\\]+:\d+):\d+\)?$/.exec(holder.stack ?? "");
  return place === null ? "" : place[1]!.replace("\\", "/");
}
