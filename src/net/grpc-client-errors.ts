// Where a client connects to, and why that failed: in the words of Go's dialer and TLS, which
// operators search their logs for.

export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  /** Cannot be connected to; `reason` is what each attempt fails with. */
  | { readonly kind: "bad"; readonly reason: string };

export type ReachableAddress = Exclude<Address, { kind: "bad" }>;

const systemErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  ETIMEDOUT: "i/o timeout",
  EPIPE: "broken pipe",
};

const UNKNOWN_AUTHORITY =
  "tls: failed to verify certificate: x509: certificate signed by unknown authority";
const NOT_VALID_NOW =
  "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";

const tlsErrors: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: NOT_VALID_NOW,
  CERT_NOT_YET_VALID: NOT_VALID_NOW,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "remote error: tls: certificate required",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "remote error: tls: bad certificate",
  "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE": "remote error: tls: bad certificate",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "remote error: tls: unknown certificate authority",
  ERR_SSL_WRONG_VERSION_NUMBER: "tls: first record does not look like a TLS handshake",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "tls: first record does not look like a TLS handshake",
};

interface AltNameError extends Error {
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/** `x509: certificate is valid for 127.0.0.1, not 10.0.0.1` */
function altNameText(error: AltNameError): string {
  const names = (error.cert?.subjectaltname ?? "")
    .split(", ")
    .map((name) => name.replace(/^(DNS|IP Address):/, ""))
    .join(", ");
  return (
    "tls: failed to verify certificate: " +
    `x509: certificate is valid for ${names}, not ${error.host ?? ""}`
  );
}

export function dialErrorText(error: Error, address: ReachableAddress): string {
  // Both address families of a name may have been tried.
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const { code = "", syscall } = first as NodeJS.ErrnoException;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `authentication handshake failed: ${altNameText(first)}`;
  }
  const tls = tlsErrors[code];
  if (tls !== undefined) return `authentication handshake failed: ${tls}`;
  if (code === "ENOTFOUND" && address.kind === "tcp") {
    return `Error while dialing: dial tcp: lookup ${address.host}: no such host`;
  }
  const target =
    address.kind === "tcp" ? `tcp ${address.host}:${address.port}` : `unix ${address.path}`;
  const text = systemErrors[code];
  if (text === undefined) return first.message;
  return syscall === "read" || syscall === "write"
    ? `${syscall} ${target}: ${text}`
    : `Error while dialing: dial ${target}: ${syscall ?? "connect"}: ${text}`;
}
