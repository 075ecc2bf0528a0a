// The part of the configuration that the transport between members needs.

import { join } from "node:path";
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../io/io.ts";
import type { PeerTls } from "../../net/peer/peer-tls.ts";
import type { PeerTransportOptions } from "../../net/peer/transport.ts";
import type { EtcdConfig } from "./config.ts";

/** To a connection: a second, and an election, as etcd's peerDialTimeout. */
const DIAL_MS = 1000;

/** @throws Error (rejects) when the files of certificates cannot be used */
export async function peerTransportOptions(
  config: EtcdConfig,
  clock: Clock,
  log: Logger,
): Promise<Pick<PeerTransportOptions, "timeouts" | "tls">> {
  return {
    timeouts: {
      dialMs: DIAL_MS + config.electionMs,
      readMs: config.raftReadTimeoutMs,
      writeMs: config.raftWriteTimeoutMs,
    },
    tls: await peerTls(config, clock, log),
  };
}

async function peerTls(
  config: EtcdConfig,
  clock: Clock,
  log: Logger,
): Promise<PeerTls | undefined> {
  const { peerTls: tls, listenPeerUrls, dataDir } = config;
  const isSelfMade = tls.isAutomatic && tls.certFile === "" && tls.keyFile === "";
  if (!isSelfMade && tls.certFile === "" && tls.keyFile === "") return undefined;
  // Here, because most starts have no certificates.
  const { PeerTls } = await import("../../net/peer/peer-tls.ts");
  if (!isSelfMade) {
    tell(config, tls, log);
    return new PeerTls({ ...tls, isSelfMade }, log);
  }
  const { selfCertFiles } = await import("../../net/self-cert-files.ts");
  const files = selfCertFiles({
    directory: join(dataDir, "fixtures", "peer"),
    hosts: listenPeerUrls.map((url) => url.host),
    validityYears: tls.madeValidityYears,
    ...{ clock, log },
  });
  tell(config, files, log);
  return new PeerTls({ ...tls, ...files, isSelfMade }, log);
}

function tell(
  { peerTls: tls }: EtcdConfig,
  files: { readonly certFile: string; readonly keyFile: string },
  log: Logger,
): void {
  log.info("starting with peer TLS", {
    "tls-info":
      `cert = ${files.certFile}, key = ${files.keyFile}, client-cert=${tls.clientCertFile}, ` +
      `client-key=${tls.clientKeyFile}, trusted-ca = ${tls.trustedCaFile}, ` +
      `client-cert-auth = ${tls.clientCertAuth}, crl-file = ${tls.crlFile}`,
    "cipher-suites": tls.cipherSuites,
  });
}
