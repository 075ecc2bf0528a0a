// Whether the URLs to listen on and the certificates fit together.

import type { Logger } from "../../base/log.ts";
import { ParseError } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import { cipherNames, tlsServerOptions } from "./tls-options.ts";
import { isSecure } from "./urls.ts";

/** @throws ParseError */
export function checkListeners(config: EtcdConfig, log: Logger): void {
  const { tls, listenClientUrls, listenClientHttpUrls } = config;
  cipherNames(tls.cipherSuites);
  checkPeerListeners(config, log);
  const hasCertificate = tls.certFile !== "" || tls.keyFile !== "";
  for (const url of [...listenClientUrls, ...listenClientHttpUrls]) {
    if (isSecure(url) && !hasCertificate) {
      throw new ParseError(
        "TLS key/cert (--cert-file, --key-file) must be provided for client url " +
          `${url.text} with HTTPS scheme`,
      );
    }
    if (!isSecure(url) && hasCertificate) {
      log.warn(
        "scheme is http or unix while key and cert files are present; ignoring key and cert files",
        { "client-url": url.text },
      );
    }
  }
  const clientHosts = listenClientUrls.map((url) => url.host + url.path);
  const both = listenClientHttpUrls.find((url) => clientHosts.includes(url.host + url.path));
  if (both !== undefined) {
    throw new ParseError(
      "cannot bind both --listen-client-urls and --listen-client-http-urls " +
        `on the same url ${both.text}`,
    );
  }
  checkCertificate(config);
}

function checkPeerListeners({ peerTls, listenPeerUrls }: EtcdConfig, log: Logger): void {
  const hasFiles = peerTls.certFile !== "" || peerTls.keyFile !== "";
  const hasCertificate = hasFiles || peerTls.isAutomatic;
  if (hasFiles && peerTls.isAutomatic) {
    log.warn("ignoring peer auto TLS since certs given");
  }
  for (const url of listenPeerUrls) {
    const field = { "peer-url": url.text };
    if (isSecure(url)) {
      if (hasCertificate) continue;
      const error = `cannot listen on TLS for ${url.host}: KeyFile and CertFile are not presented`;
      log.error("creating peer listener failed", { error });
      throw new ParseError(error);
    }
    if (hasCertificate) {
      const text =
        "scheme is HTTP while key and cert files are present; ignoring key and cert files";
      log.warn(text, field);
    }
    if (peerTls.clientCertAuth) {
      log.warn(
        "scheme is HTTP while --peer-client-cert-auth is enabled; " +
          "ignoring client cert auth for this URL",
        field,
      );
    }
  }
}

/** Better now, with a sentence, than at the first connection. */
function checkCertificate(config: EtcdConfig): void {
  const urls = [
    ...config.listenClientUrls,
    ...config.listenClientHttpUrls,
    ...config.listenMetricsUrls,
  ];
  if (!urls.some(isSecure)) return;
  const options = tlsServerOptions(config.tls);
  // Here, because most starts have no certificate, and every millisecond of a start counts.
  const { createSecureContext } = process.getBuiltinModule("node:tls");
  try {
    createSecureContext(options);
  } catch (error) {
    const { certFile, keyFile } = config.tls;
    throw new ParseError(`tls: ${certFile} and ${keyFile}: ${(error as Error).message}`);
  }
}
