// Whether a certificate may be shown to this member, beyond its chain being good.
//
//   a client's     its addresses or names are those that it calls from; none in it: any
//   both           has one of the names that are allowed (--peer-cert-allowed-cn, …-hostname)
//   both           is not revoked (--peer-crl-file), as all that it came with

import { X509Certificate } from "node:crypto";
import { lookup, reverse } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { revokedSerials, serialText } from "../revocation-list.ts";
import type { PeerTlsOptions } from "./peer-tls-options.ts";

export class CertificateError extends Error {
  readonly ipAddresses: readonly string[];
  readonly dnsNames: readonly string[];

  constructor(message: string, names: Names) {
    super(message);
    this.ipAddresses = names.ipAddresses;
    this.dnsNames = names.dnsNames;
  }
}

interface Names {
  readonly ipAddresses: readonly string[];
  readonly dnsNames: readonly string[];
}

const NO_NAMES: Names = { ipAddresses: [], dnsNames: [] };

/** As Go's VerifyHostname: the common name does not count. Null: it is for this host. */
export function hostError(certificate: X509Certificate, host: string): Error | null {
  const names = namesOf(certificate);
  const isFor =
    isIP(host) === 0
      ? certificate.checkHost(host, { subject: "never" })
      : certificate.checkIP(host);
  if (isFor !== undefined) return null;
  const known = isIP(host) === 0 ? names.dnsNames : names.ipAddresses;
  if (known.length > 0) {
    return certificateError(`certificate is valid for ${known.join(", ")}, not ${host}`);
  }
  return certificateError(
    isIP(host) === 0
      ? `certificate is not valid for any names, but wanted to match ${host}`
      : `cannot validate certificate for ${host} because it doesn't contain any IP SANs`,
  );
}

function certificateError(text: string): Error {
  return new CertificateError(`tls: failed to verify certificate: x509: ${text}`, NO_NAMES);
}

/** @throws CertificateError */
export function checkAllowed(socket: TLSSocket, options: PeerTlsOptions): void {
  const { allowedCns, allowedHostnames } = options;
  if (allowedCns.length === 0 && allowedHostnames.length === 0) return;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return;
  const names = namesOf(certificate);
  const commonName = String(certificate.toLegacyObject().subject.CN ?? "");
  const isAllowed =
    allowedCns.length > 0
      ? allowedCns.includes(commonName)
      : allowedHostnames.some((host) => hostError(certificate, host) === null);
  if (!isAllowed) throw new CertificateError("client certificate authentication failed", names);
}

/** The file is read each time: it is replaced under running members. @throws Error */
export function checkRevoked(socket: TLSSocket, crlFile: string): void {
  if (crlFile === "") return;
  const serials = revokedSerials(readFileSync(crlFile));
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.serialNumber !== undefined && !seen.has(next.fingerprint256)) {
    const serial = serialText(next.serialNumber);
    if (serials.has(serial)) {
      throw new CertificateError(`transport: certificate serial ${serial} revoked`, NO_NAMES);
    }
    seen.add(next.fingerprint256);
    next = next.issuerCertificate;
  }
}

/** A client calls from where its certificate is for. @throws CertificateError (rejects) */
export async function checkCaller(socket: TLSSocket): Promise<void> {
  const certificate = socket.getPeerX509Certificate();
  const host = socket.remoteAddress?.replace(/^::ffff:/, "");
  if (certificate === undefined || host === undefined) return;
  const names = namesOf(certificate);
  if (names.ipAddresses.length > 0) {
    const error = hostError(certificate, host);
    if (error === null) return;
    if (names.dnsNames.length === 0) throw new CertificateError(error.message, names);
  }
  if (names.dnsNames.length === 0 || (await isNamed(host, names.dnsNames))) return;
  const known = names.dnsNames.map((name) => JSON.stringify(name)).join(" ");
  const text = `tls: ${JSON.stringify(host)} does not match any of DNSNames [${known}]`;
  throw new CertificateError(text, names);
}

async function isNamed(host: string, dnsNames: readonly string[]): Promise<boolean> {
  const names = dnsNames.filter((name) => !name.startsWith("*."));
  const endings = dnsNames.filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
  for (const name of await reverse(host).catch(() => [])) {
    if (names.includes(name) || endings.some((ending) => name.endsWith(ending))) return true;
  }
  for (const name of names) {
    const addresses = await lookup(name, { all: true }).catch(() => []);
    if (addresses.some(({ address }) => address === host)) return true;
  }
  return false;
}

function namesOf(certificate: X509Certificate): Names {
  const parts = (certificate.subjectAltName ?? "").split(", ");
  const after = (kind: string): string[] =>
    parts.filter((part) => part.startsWith(kind)).map((part) => part.slice(kind.length));
  return { ipAddresses: after("IP Address:"), dnsNames: after("DNS:") };
}

export function certificateOf(raw: Uint8Array): X509Certificate {
  return new X509Certificate(raw);
}
