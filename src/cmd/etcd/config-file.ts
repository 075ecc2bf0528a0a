// `--config-file`: YAML 1.1 or JSON. Keys are the names of the flags, except that those of TLS,
// discovery and sockets are grouped; durations are whole nanoseconds; unknown keys are ignored, as
// in etcd. The texts of the errors are those of Go's decoder, because that is what etcd prints.

import { readFileSync } from "node:fs";
import { fileErrorText } from "../../base/file-error.ts";
import { ParseError } from "../flags/go-text.ts";
import type { Flag } from "./flag.ts";
import { type FlagValues, findFlag } from "./flag-table.ts";

/** A list of URLs that is wrong; etcd prints this as it is, without its log. */
export class FileUrlError extends Error {
  override name = "FileUrlError";
}

/** Keys of groups → flags. "" marks an option that no flag has. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
    "allowed-cn": "",
    "skip-client-san-verification": "",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-hostname": "peer-cert-allowed-hostname",
    "allowed-cn": "peer-cert-allowed-cn",
    "skip-client-san-verification": "peer-skip-client-san-verification",
  },
  "socket-options": { "reuse-port": "socket-reuse-port", "reuse-address": "socket-reuse-address" },
  "discovery-config": { token: "discovery-token" },
  "discovery-config.client": {
    endpoints: "discovery-endpoints",
    "dial-timeout": "discovery-dial-timeout",
    "request-timeout": "discovery-request-timeout",
    "keepalive-time": "discovery-keepalive-time",
    "keepalive-timeout": "discovery-keepalive-timeout",
  },
  "discovery-config.client.secure": {
    cert: "discovery-cert",
    key: "discovery-key",
    cacert: "discovery-cacert",
    "insecure-transport": "discovery-insecure-transport",
    "insecure-skip-tls-verify": "discovery-insecure-skip-tls-verify",
  },
  "discovery-config.client.auth": {
    username: "discovery-user",
    password: "discovery-password",
  },
};

/** The names of Go's types for the groups, for the errors. */
const GROUP_TYPES: Readonly<Record<string, string>> = {
  "client-transport-security": "embed.securityConfig",
  "peer-transport-security": "embed.securityConfig",
  "socket-options": "transport.SocketOpts",
  "discovery-config": "v3discovery.DiscoveryConfig",
  "discovery-config.client": "clientv3.ConfigSpec",
  "discovery-config.client.secure": "clientv3.SecureConfig",
  "discovery-config.client.auth": "clientv3.AuthConfig",
};

/** Options that only the command line has; as keys they are unknown. */
const NOT_IN_FILES = new Set([
  "config-file",
  "version",
  "discovery-fallback",
  "raft-read-timeout",
  "raft-write-timeout",
  "client-crl-file",
  "peer-crl-file",
  ...Object.values(GROUPS).flatMap((group) => Object.values(group)),
]);

/** Options that Go first reads as texts, into a structure of another name. */
const READ_AS_TEXT = new Set([
  "listen-peer-urls",
  "listen-client-urls",
  "listen-client-http-urls",
  "initial-advertise-peer-urls",
  "advertise-client-urls",
  "cors",
  "host-whitelist",
  "client-transport-security",
  "peer-transport-security",
  "feature-gates",
]);

const URL_LISTS = new Set([...READ_AS_TEXT, "listen-metrics-urls"].filter(isUrlList));

function isUrlList(name: string): boolean {
  return name.endsWith("-urls") || name === "cors";
}

type Json = Readonly<Record<string, unknown>>;

/** @throws ParseError, FileUrlError */
export async function applyConfigFile(path: string, values: FlagValues): Promise<void> {
  const document = await parseDocument(read(path));
  if (document === null || document === undefined) return;
  if (typeof document !== "object" || Array.isArray(document)) {
    throw decodeError(
      `cannot unmarshal ${typeName(document)} into Go value of type embed.configYAML`,
    );
  }
  applyGroup("", document as Json, values);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const verb = (error as NodeJS.ErrnoException).code === "EISDIR" ? "read" : "open";
    throw new ParseError(fileErrorText(verb, path, error));
  }
}

async function parseDocument(source: string): Promise<unknown> {
  // Loaded here because most starts have no file, and every millisecond of a start counts.
  const { parse } = await import("yaml");
  try {
    return parse(source, { version: "1.1", merge: true, uniqueKeys: false, logLevel: "error" });
  } catch (error) {
    const [firstLine] = (error as Error).message.split("\n");
    throw new ParseError(`error converting YAML to JSON: yaml: ${firstLine}`);
  }
}

function applyGroup(group: string, settings: Json, values: FlagValues): void {
  for (const key of Object.keys(settings).sort()) {
    const value = settings[key];
    const path = group === "" ? key : `${group}.${key}`;
    if (value === null || value === undefined) continue;
    if (Object.hasOwn(GROUPS, path)) {
      if (typeof value !== "object" || Array.isArray(value)) {
        throw fieldError(path, typeName(value), GROUP_TYPES[path]!);
      }
      applyGroup(path, value as Json, values);
      continue;
    }
    const name = group === "" ? key : GROUPS[group]![key];
    if (name === "") refuseWithoutFlag(path, value);
    if (name === undefined || name === "" || (group === "" && NOT_IN_FILES.has(name))) continue;
    const flag = findFlag(name);
    if (flag !== undefined) applyOption(flag, path, value, values);
  }
}

function refuseWithoutFlag(path: string, value: unknown): void {
  if (value === false || (Array.isArray(value) && value.length === 0)) return;
  throw new ParseError(
    `${path} is not supported in this version: certificates of clients come later`,
  );
}

function applyOption(flag: Flag, path: string, value: unknown, values: FlagValues): void {
  const { goType } = flag.kind;
  if (goType === "bool") {
    if (typeof value !== "boolean") throw fieldError(path, typeName(value), goType);
    values.set(flag.name, value);
  } else if (goType === "[]string") {
    values.set(flag.name, readStrings(path, value));
  } else if (goType === "string") {
    if (typeof value !== "string") throw fieldError(path, typeName(value), goType);
    applyText(flag, value, values);
  } else {
    values.set(flag.name, readNumber(path, value, goType));
  }
}

function applyText(flag: Flag, value: string, values: FlagValues): void {
  if (flag.name === "v2-deprecation") {
    // Any text is taken, since none has an effect.
    values.set(flag.name, flag.initial);
  } else if (flag.name === "initial-cluster-state") {
    // Checked with the rest of the configuration; empty means new.
    values.set(flag.name, value === "" ? "new" : value);
  } else if (value === "" && URL_LISTS.has(flag.name)) {
    values.set(flag.name, flag.initial);
  } else {
    try {
      values.parse(flag, value);
    } catch (error) {
      if (!(error instanceof ParseError) || !URL_LISTS.has(flag.name)) throw error;
      throw new FileUrlError(`unexpected error setting up ${flag.name}: ${error.message}`);
    }
  }
}

function readStrings(path: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw fieldError(path, typeName(value), "[]string");
  return value.map((one) => {
    if (typeof one !== "string") throw fieldError(path, typeName(one), "string");
    return one;
  });
}

function readNumber(path: string, value: unknown, goType: string): number {
  if (typeof value !== "number") throw fieldError(path, typeName(value), goType);
  const unsigned = goType.startsWith("uint");
  if (!Number.isInteger(value) || (unsigned && value < 0)) {
    throw fieldError(path, `number ${value}`, goType);
  }
  return value;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function fieldError(path: string, what: string, goType: string): ParseError {
  const root = READ_AS_TEXT.has(path.split(".", 1)[0]!) ? "configJSON" : "Config";
  return decodeError(
    `cannot unmarshal ${what} into Go struct field configYAML.${root}.${path} of type ${goType}`,
  );
}

function decodeError(what: string): ParseError {
  return new ParseError(`error unmarshaling JSON: while decoding JSON: json: ${what}`);
}
