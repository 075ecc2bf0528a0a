// Listen URLs as etcd writes them: http://, https://, unix:// and unixs:// (a socket file, with
// TLS). URLs that name the same address share one port: http and https are told apart by the
// first byte of a connection.

export interface ListenUrl {
  readonly text: string;
  readonly isSecure: boolean;
  /** Path of the socket file, or null for TCP. */
  readonly path: string | null;
  readonly host: string;
  readonly port: number;
}

const pattern = /^(https?|unixs?):\/\/([^/?#]*)(\/[^?#]*)?$/;

/** @throws Error with etcd's text */
export function parseListenUrl(text: string): ListenUrl {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`URL scheme must be http, https, unix, or unixs: ${text}`);
  const [, scheme = "", authority = "", path = ""] = match;
  const isSecure = scheme === "https" || scheme === "unixs";
  if (scheme.startsWith("unix")) {
    return { text, isSecure, path: authority + path, host: "", port: 0 };
  }
  const hostPort = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(authority);
  if (hostPort === null) {
    throw new Error(`URL address does not have the form "host:port": ${text}`);
  }
  if (path !== "" && path !== "/") throw new Error(`URL must not contain a path: ${text}`);
  const host = hostPort[1]!.replace(/^\[|\]$/g, "");
  return { text, isSecure, path: null, host, port: Number(hostPort[2]) };
}

/** One address to bind, and what is spoken there. */
export interface Endpoint {
  readonly path: string | null;
  readonly host: string;
  readonly port: number;
  readonly acceptsPlain: boolean;
  readonly acceptsTls: boolean;
}

/** The addresses of `urls`, each once. */
export function endpointsOf(urls: readonly string[]): Endpoint[] {
  const endpoints = new Map<string, Endpoint>();
  for (const url of urls.map(parseListenUrl)) {
    // As Go does: the name means the IPv4 loopback address.
    const host = url.host === "localhost" ? "127.0.0.1" : url.host;
    const key = url.path ?? `${host}:${url.port}`;
    const known = endpoints.get(key);
    endpoints.set(key, {
      path: url.path,
      host,
      port: url.port,
      acceptsPlain: !url.isSecure || (known?.acceptsPlain ?? false),
      acceptsTls: url.isSecure || (known?.acceptsTls ?? false),
    });
  }
  return [...endpoints.values()];
}
