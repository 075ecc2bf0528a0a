// TLS for listeners: certificates from files, read anew when they change (as etcd does, at the
// next handshake), versions and cipher suites by Go's names, and Go's words for what went wrong,
// because that is what operators' scripts look for.

import { readFileSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import type { SecureContextOptions, Server, TLSSocket } from "node:tls";
import type { Logger } from "../base/log.ts";
import { openSslCiphers } from "./cipher-suites.ts";
import { nodeTls } from "./lazy-node.ts";
import { TLS_HANDSHAKE_TIMEOUT_MS } from "./limits.ts";
import { remoteAddressOf } from "./remote-address.ts";

export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** "", "TLS1.2" or "TLS1.3": --tls-min-version, --tls-max-version. */
  readonly minVersion?: string | undefined;
  readonly maxVersion?: string | undefined;
  /** Go's names: --cipher-suites. Empty: Node's choice. */
  readonly cipherSuites?: readonly string[] | undefined;
}

export interface TlsAcceptorOptions {
  readonly log: Logger;
  readonly tls: TlsOptions;
  onSecure(socket: TLSSocket): void;
  /** A handshake failed; after it has been logged. */
  onRejected(): void;
}

type Version = "TLSv1.2" | "TLSv1.3";

/** Does the handshakes of sockets that others have accepted. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: Server;
  #fileStamp: string;

  /** @throws Error when files are missing or are no certificate and key */
  constructor(options: TlsAcceptorOptions) {
    this.#options = options;
    this.#fileStamp = stampOf(options.tls);
    this.#server = nodeTls().createServer({
      ...readContext(options.tls),
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: TLS_HANDSHAKE_TIMEOUT_MS,
    });
    this.#server.on("secureConnection", (socket) => options.onSecure(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#onFailed(error, socket));
  }

  /** `socket`: what was read of it is unshifted. */
  accept(socket: Socket): void {
    this.#reload();
    this.#server.emit("connection", socket);
  }

  #reload(): void {
    try {
      const stamp = stampOf(this.#options.tls);
      if (stamp === this.#fileStamp) return;
      this.#server.setSecureContext(readContext(this.#options.tls));
      this.#fileStamp = stamp;
    } catch (error) {
      // Half of a new pair, or none yet: the old one serves until both fit.
      this.#options.log.warn("failed to load TLS certificate", { error });
    }
  }

  #onFailed(error: Error & { code?: string }, socket: TLSSocket): void {
    this.#options.log.warn("rejected connection on client endpoint", {
      "remote-addr": remoteAddressOf(socket),
      "server-name": (socket as { servername?: string | false }).servername || "",
      error: goText(error),
    });
    socket.destroy();
    this.#options.onRejected();
  }
}

/** @throws Error with Go's text for unknown names, and what reading and parsing throw */
export function readContext(tls: TlsOptions): SecureContextOptions {
  const minVersion = versionOf(tls.minVersion ?? "");
  const maxVersion = versionOf(tls.maxVersion ?? "");
  const suites = tls.cipherSuites ?? [];
  return {
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    minVersion: minVersion ?? "TLSv1.2",
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(suites.length === 0 ? {} : { ciphers: openSslCiphers(suites), honorCipherOrder: true }),
  };
}

function versionOf(name: string): Version | undefined {
  if (name === "") return undefined;
  if (name === "TLS1.2") return "TLSv1.2";
  if (name === "TLS1.3") return "TLSv1.3";
  const quoted = JSON.stringify(name);
  throw new Error(`unexpected TLS version ${quoted} (must be one of: TLS1.2, TLS1.3)`);
}

/** Changes when either file does. */
function stampOf(tls: TlsOptions): string {
  const [cert, key] = [statSync(tls.certFile), statSync(tls.keyFile)];
  return [cert, key].map((stat) => `${stat.ino}:${stat.size}:${stat.mtimeMs}`).join(" ");
}

/** TLS alerts that a client sends when it does not like us, in Go's words. */
const alertTexts: Readonly<Record<number, string>> = {
  40: "handshake failure",
  42: "bad certificate",
  43: "unsupported certificate",
  44: "revoked certificate",
  45: "expired certificate",
  46: "unknown certificate",
  47: "illegal parameter",
  48: "unknown certificate authority",
  70: "protocol version not supported",
  71: "insufficient security level",
  80: "internal error",
  90: "user canceled",
  112: "unrecognized name",
  116: "certificate required",
  120: "no application protocol",
};

/** What we do not like of a client. */
const goTexts: Readonly<Record<string, string>> = {
  ECONNRESET: "EOF",
  ERR_TLS_HANDSHAKE_TIMEOUT: "i/o timeout",
  ERR_SSL_HTTP_REQUEST: "tls: first record does not look like a TLS handshake",
  ERR_SSL_WRONG_VERSION_NUMBER: "tls: first record does not look like a TLS handshake",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "tls: client offered only unsupported versions",
  ERR_SSL_NO_SHARED_CIPHER: "tls: no cipher suite supported by both client and server",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
};

/** Go's text for an error of a handshake; OpenSSL's where there is none. */
export function goText(error: Error & { code?: string }): string {
  const alert = /SSL alert number (\d+)/.exec(error.message);
  const alertText = alert === null ? undefined : alertTexts[Number(alert[1])];
  if (alertText !== undefined) return `remote error: tls: ${alertText}`;
  return goTexts[error.code ?? ""] ?? error.message.trim();
}
