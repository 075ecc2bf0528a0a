// Lines of the log as zap writes them, which is what operators' tools parse:
//
//     {"level":"info","ts":"2026-01-31T12:00:00.000000Z","logger":"raft","caller":"raft/step.js:7",
//      "msg":"became leader","term":2}
//
// or, for people, the same separated by tabs: `2026-…Z  info  raft  raft/step.js:7  became leader
// {"term": 2}`.

import type { Fields, Level } from "../../base/log.ts";

export interface Line {
  readonly level: Level;
  readonly wallMs: number;
  readonly logger: string;
  /** "": not known. */
  readonly caller: string;
  readonly message: string;
  readonly fields: Fields | undefined;
}

export type Encode = (line: Line) => string;

export const encodeJson: Encode = (line) => {
  let text = `{"level":"${line.level}","ts":"${timestamp(line.wallMs)}"`;
  if (line.logger !== "") text += `,"logger":${JSON.stringify(line.logger)}`;
  if (line.caller !== "") text += `,"caller":${JSON.stringify(line.caller)}`;
  text += `,"msg":${JSON.stringify(line.message)}`;
  const fields = encodeFields(line.fields, tight);
  return fields === "" ? `${text}}\n` : `${text},${fields}}\n`;
};

export const encodeConsole: Encode = (line) => {
  const parts = [timestamp(line.wallMs), line.level];
  if (line.logger !== "") parts.push(line.logger);
  if (line.caller !== "") parts.push(line.caller);
  parts.push(line.message);
  const fields = encodeFields(line.fields, spaced);
  if (fields !== "") parts.push(`{${fields}}`);
  return `${parts.join("\t")}\n`;
};

interface Spacing {
  readonly comma: string;
  readonly colon: string;
}

const tight: Spacing = { comma: ",", colon: ":" };
const spaced: Spacing = { comma: ", ", colon: ": " };

function encodeFields(fields: Fields | undefined, spacing: Spacing): string {
  if (fields === undefined) return "";
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    pairs.push(JSON.stringify(name) + spacing.colon + encodeValue(value, spacing));
  }
  return pairs.join(spacing.comma);
}

function encodeValue(value: unknown, spacing: Spacing): string {
  if (typeof value === "bigint") return value.toString();
  // JSON has no NaN and no infinities; zap writes them as texts.
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (value instanceof Error) return JSON.stringify(value.message);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
  if (Array.isArray(value)) {
    return `[${value.map((one) => encodeValue(one, spacing)).join(spacing.comma)}]`;
  }
  if (value instanceof Map) return `{${encodeFields(Object.fromEntries(value), spacing)}}`;
  return `{${encodeFields(value as Fields, spacing)}}`;
}

let lastSecond = -1;
let lastPrefix = "";
let lastZone = "";

/** Microseconds and the zone of this machine: `2026-01-31T12:00:00.000000Z`, or `…+0200`. */
export function timestamp(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  if (second !== lastSecond) {
    const date = new Date(second * 1000);
    const offset = -date.getTimezoneOffset();
    lastPrefix = new Date(second * 1000 + offset * 60_000).toISOString().slice(0, 20);
    lastZone = offset === 0 ? "Z" : zone(offset);
    lastSecond = second;
  }
  const micros = Math.floor((wallMs - second * 1000) * 1000);
  return lastPrefix + String(micros).padStart(6, "0") + lastZone;
}

function zone(offsetMinutes: number): string {
  const minutes = Math.abs(offsetMinutes);
  const digits = Math.floor(minutes / 60) * 100 + (minutes % 60);
  return (offsetMinutes < 0 ? "-" : "+") + String(digits).padStart(4, "0");
}
