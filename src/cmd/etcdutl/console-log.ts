// Log lines on standard error as zap's console encoder writes them, tabs between the parts:
//
//   2026-01-31T13:01:02Z  info  snapshot/restore.ts  restoring snapshot  {"path": "a.db"}

import type { Fields, Level, Logger } from "../../base/log.ts";
import { jsonString } from "../etcdctl/printers/json.ts";

/** Stands where zap has file and line. */
const CALLER = "etcdutl";

export function consoleLogger(err: (text: string) => void, name = ""): Logger {
  const write =
    (level: Level) =>
    (message: string, fields: Fields = {}): void => {
      const parts = [timestamp(), level, ...(name === "" ? [] : [name]), CALLER, message];
      const entries = Object.entries(fields);
      if (entries.length > 0) parts.push(fieldsText(entries));
      err(`${parts.join("\t")}\n`);
    };
  return {
    debug: () => {},
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    named: (next) => consoleLogger(err, next),
  };
}

function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

function fieldsText(entries: readonly [string, unknown][]): string {
  return `{${entries.map(([key, value]) => `${jsonString(key)}: ${valueText(value)}`).join(", ")}}`;
}

function valueText(value: unknown): string {
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (value instanceof Error) return jsonString(value.message);
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  return typeof value === "string" ? jsonString(value) : (JSON.stringify(value) ?? "null");
}
