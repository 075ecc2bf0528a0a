// How clients write where a member listens: `host:port`, `http://host:port`, `https://…`,
// `unix://path`, `unixs://path`. A name that makes no sense is not refused here: it is an address
// to which no connection succeeds, since that is what etcd's clients make of it.

import type { Address } from "../net/grpc-client-errors.ts";

export interface Endpoint {
  /** As given. */
  readonly text: string;
  readonly address: Address;
  readonly authority: string;
  /** "configured": TLS when the client has a TLS configuration. */
  readonly tls: "never" | "always" | "configured";
}

const tlsOf: Readonly<Record<string, Endpoint["tls"]>> = {
  http: "never",
  https: "always",
  unix: "configured",
  unixs: "always",
};

const PORT_MAX = 65535;

function tcpAddress(authority: string): Address {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d+)$/.exec(authority);
  if (match === null) {
    return { kind: "bad", reason: `dial tcp: address ${authority}: missing port in address` };
  }
  const port = Number(match[3]);
  const host = match[1] ?? match[2]!;
  if (port > PORT_MAX) {
    return { kind: "bad", reason: `dial tcp: address ${match[3]}: invalid port` };
  }
  // Other clients of this machine mean it, too, when they leave the host out.
  return { kind: "tcp", host: host === "" ? "localhost" : host, port };
}

export function parseEndpoint(text: string): Endpoint {
  const match = /^(https?|unixs?):(?:\/\/)?(.*)$/s.exec(text);
  if (match === null || (!text.includes("://") && text.startsWith("http"))) {
    return { text, address: tcpAddress(text), authority: text, tls: "configured" };
  }
  const scheme = match[1]!;
  const rest = match[2]!;
  const tls = tlsOf[scheme]!;
  if (scheme.startsWith("unix")) {
    return { text, address: { kind: "unix", path: rest }, authority: "localhost", tls };
  }
  const authority = rest.split(/[/?#]/, 1)[0]!.replace(/^[^@]*@/, "");
  return { text, address: tcpAddress(authority), authority, tls };
}
