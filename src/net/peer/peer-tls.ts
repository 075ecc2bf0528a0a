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
import {
  CertificateError,
  certificateOf,
  checkAllowed,
  checkCaller,
  checkRevoked,
  hostError,
} from "./certificate-checks.ts";
import { chainText } from "./chain-text.ts";
import type { PeerTlsOptions } from "./peer-tls-options.ts";

export class PeerTls {
  readonly #options: PeerTlsOptions;
  readonly #log: Logger;
  readonly #server: Server;
  /** Of the sockets below TLS: who is gone has no address any more. */
  readonly #addresses = new WeakMap<Socket, string>();
  readonly #guarded = new WeakSet<Socket>();
  #onSecure: (socket: TLSSocket) => void = () => {};

  /** @throws Error when files are missing or are no certificate and key */
  constructor(options: PeerTlsOptions, log: Logger) {
    checkOptions(options);
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
    this.#server.on("secureConnection", (socket) => {
      socket.on("error", () => socket.destroy());
      this.#checkClient(socket).then(
        () => this.#onSecure(socket),
        (error: Error) => this.#onRejected(error, socket),
      );
    });
  }

  /** Who passes the handshake and the checks. */
  serve(onSecure: (socket: TLSSocket) => void): void {
    this.#onSecure = onSecure;
  }

  accept(socket: Socket): void {
    try {
      this.#server.setSecureContext(this.#readServerContext());
    } catch (error) {
      // Half of a new pair, or none yet: the old one serves until both fit.
      const { certFile, keyFile } = this.#options;
      const fields = { "cert-file": certFile, "key-file": keyFile, error };
      this.#log.warn("failed to create peer certificate", fields);
    }
    this.#addresses.set(socket, remoteAddressOf(socket));
    this.#server.emit("connection", socket);
  }

  /** @throws Error when the files cannot be used at the moment */
  clientOptions(host: string): ConnectionOptions {
    return {
      ...this.#readClientContext(),
      rejectUnauthorized: !this.#options.isSelfMade,
      // A certificate is for a host by its alternative names only, as in Go.
      checkServerIdentity: (_, certificate) =>
        hostError(certificateOf(certificate.raw), host) ?? undefined,
    };
  }

  /** After a handshake with a server whose chain is good. */
  checkServer(socket: TLSSocket): Error | null {
    try {
      checkAllowed(socket, this.#options);
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  /** The same for one that somebody else dials and may use for several requests. */
  guard(socket: Socket): void {
    if (this.#guarded.has(socket)) return;
    this.#guarded.add(socket);
    const secured = socket as TLSSocket;
    secured.once("secureConnect", () => {
      const error = this.checkServer(secured);
      if (error !== null) secured.destroy(error);
    });
  }

  async #checkClient(socket: TLSSocket): Promise<void> {
    checkAllowed(socket, this.#options);
    if (!this.#options.skipClientSanVerification) await checkCaller(socket);
    checkRevoked(socket, this.#options.crlFile);
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
    const { authorizationError, servername, _parent } = socket as unknown as Handshaken;
    const chain = authorizationError ? chainText(String(authorizationError)) : undefined;
    const names =
      error instanceof CertificateError
        ? { "ip-addresses": error.ipAddresses, "dns-names": error.dnsNames }
        : {};
    this.#log.warn("rejected connection on peer endpoint", {
      "remote-addr": (_parent && this.#addresses.get(_parent)) ?? remoteAddressOf(socket),
      "server-name": servername || "",
      ...names,
      error: chain ?? goText(error),
    });
    socket.destroy();
  }
}

/** What Node's types do not tell of a socket after a handshake. */
interface Handshaken {
  readonly authorizationError?: Error | string | null;
  readonly servername?: string | false;
  /** The socket below. */
  readonly _parent?: Socket;
}

/** @throws Error with etcd's texts */
function checkOptions(options: PeerTlsOptions): void {
  const { certFile, keyFile, clientCertFile, clientKeyFile } = options;
  if (certFile === "" || keyFile === "") {
    throw new Error(
      `KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`,
    );
  }
  if ((clientCertFile === "") !== (clientKeyFile === "")) {
    throw new Error(
      "ClientKeyFile and ClientCertFile must both be present or both absent: " +
        `key: ${clientKeyFile}, cert: ${clientCertFile}]`,
    );
  }
  const { allowedCns: cns, allowedHostnames: hostnames } = options;
  if (cns.length > 0 && hostnames.length > 0) {
    const show = (list: readonly string[]) =>
      `[${list.map((one) => JSON.stringify(one)).join(" ")}]`;
    throw new Error(
      "AllowedCNs and AllowedHostnames are mutually exclusive " +
        `(cns=${show(cns)}, hostnames=${show(hostnames)})`,
    );
  }
}
