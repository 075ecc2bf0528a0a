// Certificates that a member makes for itself (--auto-tls, --peer-auto-tls): written once, used by
// later starts.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import { makeSelfCert } from "./self-cert.ts";

const YEAR_MS = 365 * 24 * 3600 * 1000;

export interface SelfCertFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * `hosts`: as "127.0.0.1:2380".
 * @throws Error when the directory cannot be written
 */
export function selfCertFiles(parts: {
  readonly directory: string;
  readonly hosts: readonly string[];
  readonly validityYears: number;
  readonly clock: Clock;
  readonly log: Logger;
}): SelfCertFiles {
  const { directory, hosts, validityYears, clock, log } = parts;
  if (validityYears === 0) {
    const error = new Error("selfSignedCertValidity is invalid,it should be greater than 0");
    log.warn("cannot generate cert", { error });
    throw error;
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const certFile = resolve(join(directory, "cert.pem"));
  const keyFile = resolve(join(directory, "key.pem"));
  if (existsSync(certFile) && existsSync(keyFile)) return { certFile, keyFile };
  const notBeforeMs = clock.wallMs();
  const notAfterMs = notBeforeMs + validityYears * YEAR_MS;
  log.warn("automatically generate certificates", {
    "certificate-validity-bound-not-after": new Date(notAfterMs).toISOString(),
  });
  const names = hosts.map((host) => host.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  const unique = [...new Set(names)].filter((name) => name !== "");
  const pair = makeSelfCert({ hosts: unique, notBeforeMs, notAfterMs, organization: "etcd" });
  writeFileSync(certFile, pair.cert);
  log.info("created cert file", { path: certFile });
  writeFileSync(keyFile, pair.key, { mode: 0o600 });
  log.info("created key file", { path: keyFile });
  return { certFile, keyFile };
}
