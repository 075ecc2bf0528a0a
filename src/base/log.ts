// Structured logs in the shape of zap, which etcd's operators and their tools parse. This file
// has the interface only; the writer that knows clocks and files is `cmd/etcd/logger.ts`.

export type Level = "debug" | "info" | "warn" | "error" | "panic" | "fatal";

/** bigint prints as a JSON number, Uint8Array as base64, Error as its message. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A logger whose lines carry `"logger": name`, as etcd's for raft and bbolt do. */
  named(name: string): Logger;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  named: () => silentLogger,
};
