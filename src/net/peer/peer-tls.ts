// TLS between members: who we are, and whom we believe. Files are read anew for every connection,
// as etcd does: certificates are replaced under running members.

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { ConnectionOptions, SecureContextOptions, Server, TLSSocket } from "node:tls";
import type { Logger } from "../../base/log.ts";
import { nodeTls } from "../lazy-node.ts";
import { TLS_HANDSHAKE_TIMEOUT_MS } from "../limits.ts";
import { remoteAddressOf } from "../remote-address.ts";
import { goText, readContext } from "../tls.ts";
import type { PeerTlsOptions } from "./peer-tls-options.ts";

export class PeerTls {
  readonly #options: PeerTlsOptions;
  readonly #log: Logger;
  readonly #server: Server;

  /** @throws Error when files are missing or are no certificate and key */
  constructor(options: PeerTlsOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#readClientContext();
    this.#server = nodeTls().createServer({
      ...this.#readServerContext(),
      requestCert: this.#asksForCertificate,
      rejectUnauthorized: this.#asksForCertificate,
      handshakeTimeout: TLS_HANDSHAKE_TIMEOUT_MS,
    });
    this.#server.on("tlsClientError", (error, socket) => this.#onRejected(error, socket));
  }

  /** Who passes the handshake. */
  serve(onSecure: (socket: TLSSocket) => void): void {
    this.#server.on("secureConnection", onSecure);
  }

  accept(socket: Socket): void {
    try {
      this.#server.setSecureContext(this.#readServerContext());
    } catch (error) {
      this.#log.warn("failed to create peer certificate", { error });
    }
    this.#server.emit("connection", socket);
  }

  clientOptions(_host: string): ConnectionOptions {
    return {
      ...this.#readClientContext(),
      rejectUnauthorized: !this.#options.isSelfMade,
    };
  }

  /** After a handshake with a server whose chain is good. */
  checkServer(_socket: TLSSocket): Error | null {
    return null;
  }

  guard(socket: Socket): void {
    const secured = socket as TLSSocket;
    secured.once("secureConnect", () => {
      const error = this.checkServer(secured);
      if (error !== null) secured.destroy(error);
    });
  }

  get #asksForCertificate(): boolean {
    return this.#options.trustedCaFile !== "" || this.#options.clientCertAuth;
  }

  #readServerContext(): SecureContextOptions {
    return { ...readContext(this.#options), ...this.#authorities() };
  }

  #readClientContext(): SecureContextOptions {
    const { clientCertFile, clientKeyFile, certFile, keyFile } = this.#options;
    const own =
      clientCertFile === ""
        ? { certFile, keyFile }
        : { certFile: clientCertFile, keyFile: clientKeyFile };
    return { ...readContext({ ...this.#options, ...own }), ...this.#authorities() };
  }

  #authorities(): SecureContextOptions {
    const { trustedCaFile } = this.#options;
    return trustedCaFile === "" ? {} : { ca: readFileSync(trustedCaFile) };
  }

  #onRejected(error: Error, socket: TLSSocket): void {
    this.#log.warn("rejected connection on peer endpoint", {
      "remote-addr": remoteAddressOf(socket),
      "server-name": (socket as { servername?: string | false }).servername || "",
      error: goText(error),
    });
    socket.destroy();
  }
}
