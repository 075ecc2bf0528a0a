// Log lines on standard error in the shape of zap's production encoder, as etcd's client has them.

import type { Fields, Level, Logger } from "../../base/log.ts";

function valueText(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(value instanceof Error ? value.message : value) ?? "null";
}

/** `2026-01-31T13:01:02.000123Z`. */
function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace("Z", "000Z");
}

/** `caller` is the part of this program that speaks. */
export function logLine(
  level: Level,
  name: string,
  caller: string,
  message: string,
  fields: Fields,
): string {
  let line = `{"level":"${level}","ts":"${timestamp(Date.now())}"`;
  if (name !== "") line += `,"logger":${JSON.stringify(name)}`;
  line += `,"caller":${JSON.stringify(caller)},"msg":${JSON.stringify(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    line += `,${JSON.stringify(key)}:${valueText(value)}`;
  }
  return `${line}}\n`;
}

/** A logger for a client; debug and info are its own affair unless `verbose`. */
export function stderrLogger(
  err: (text: string) => void,
  options: { name: string; caller: string; verbose?: boolean },
): Logger {
  const write =
    (level: Level) =>
    (message: string, fields: Fields = {}): void =>
      err(logLine(level, options.name, options.caller, message, fields));
  const quiet = (): void => {};
  return {
    debug: quiet,
    info: options.verbose === true ? write("info") : quiet,
    warn: write("warn"),
    error: write("error"),
    named: (name) => stderrLogger(err, { ...options, name }),
  };
}
