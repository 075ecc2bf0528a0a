// Whether the URLs to listen on and the certificates fit together.

import type { Logger } from "../../base/log.ts";
import { ParseError } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import { cipherNames, tlsServerOptions } from "./tls-options.ts";
import { isSecure } from "./urls.ts";

/** @throws ParseError */
export function checkListeners(config: EtcdConfig, log: Logger): void {
  const { tls, listenPeerUrls, listenClientUrls, listenClientHttpUrls } = config;
  cipherNames(tls.cipherSuites);
  const securePeer = listenPeerUrls.find(isSecure);
  if (securePeer !== undefined) {
    const error = `cannot listen on TLS for ${securePeer.host}: KeyFile and CertFile are not presented`;
    log.error("creating peer listener failed", { error });
    throw new ParseError(error);
  }
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
