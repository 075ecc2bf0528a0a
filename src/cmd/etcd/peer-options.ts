// The part of the configuration that the transport between members needs.

import { isIP } from "node:net";
import { join } from "node:path";
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../io/io.ts";
import type { PeerTls } from "../../net/peer/peer-tls.ts";
import type { PeerTransportOptions } from "../../net/peer/transport.ts";
import type { EtcdConfig } from "./config.ts";
import { gateEnabled } from "./feature-gates.ts";

/** To a connection: a second, and an election, as etcd's peerDialTimeout. */
const DIAL_MS = 1000;

/** Loopback, or any address. */
const UNSUITABLE = /^(?:127\..*|0\.0\.0\.0|::1?)$/;

/** @throws Error (rejects) when the files of certificates cannot be used */
export async function peerTransportOptions(
  config: EtcdConfig,
  clock: Clock,
  log: Logger,
): Promise<Pick<PeerTransportOptions, "timeouts" | "tls" | "localAddress">> {
  return {
    timeouts: {
      dialMs: DIAL_MS + config.electionMs,
      readMs: config.raftReadTimeoutMs,
      writeMs: config.raftWriteTimeoutMs,
    },
    tls: await peerTls(config, clock, log),
    localAddress: localAddress(config, log),
  };
}

/**
 * Feature gate SetMemberLocalAddr: the first advertised address that is one, so that on a machine
 * with several the others see the one that they know.
 */
export function localAddress(
  { featureGates, advertisePeerUrls }: Pick<EtcdConfig, "featureGates" | "advertisePeerUrls">,
  log: Logger,
): string | undefined {
  if (!gateEnabled(featureGates, "SetMemberLocalAddr")) return undefined;
  const told = { "advertise-peer-urls": advertisePeerUrls.map((url) => url.text) };
  log.info("searching for a suitable member local address in AdvertisePeerURLs", told);
  const suitable = advertisePeerUrls.find(
    ({ hostname }) => isIP(hostname) !== 0 && !UNSUITABLE.test(hostname),
  );
  if (suitable === undefined) {
    const text = "unable to set a member local address due to lack of suitable local addresses";
    log.warn(text, told);
  } else log.info("setting member local address", { LocalAddr: suitable.hostname });
  return suitable?.hostname;
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
