// A connection to a peer URL: http, https, unix, unixs.

import { connect, type Socket } from "node:net";
import { nodeTls } from "../lazy-node.ts";
import { parseListenUrl } from "../listen-url.ts";
import type { PeerTls } from "./peer-tls.ts";

/** As Go's dialer: finds peers that vanished without a word. */
export const KEEPALIVE_MS = 30_000;

export interface PeerAddress {
  readonly isSecure: boolean;
  /** Of a socket file, or null. */
  readonly path: string | null;
  readonly host: string;
  readonly port: number;
  /** "127.0.0.1:2380", for logs. */
  readonly text: string;
  /** The same for the header Host, in which Go's server allows no path. */
  readonly authority: string;
}

/** @throws Error for what is no peer URL */
export function peerAddress(url: string): PeerAddress {
  const { isSecure, path, host, port } = parseListenUrl(url);
  const printed = host.includes(":") ? `[${host}]` : host;
  const text = path ?? `${printed}:${port}`;
  return { isSecure, path, host, port, text, authority: path === null ? text : "localhost" };
}

/** How connections to others are made. */
export interface DialOptions {
  readonly tls: PeerTls | undefined;
  /** The own address that others are to see; undefined: as the system chooses. */
  readonly localAddress: string | undefined;
}

/** `onReady` once, when bytes can be sent. Errors come as the socket's "error". */
export function dial(address: PeerAddress, options: DialOptions, onReady: () => void): Socket {
  const { host, port, path } = address;
  const { tls, localAddress } = options;
  const common = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS };
  const from = localAddress === undefined ? {} : { localAddress };
  const where = path === null ? { host, port, ...from } : { path };
  if (!address.isSecure) return connect({ ...common, ...where }, onReady);
  const socket = nodeTls().connect({ ...common, ...where, ...tls?.clientOptions(host) }, () => {
    const error = tls?.checkServer(socket) ?? null;
    if (error === null) onReady();
    else socket.destroy(error);
  });
  return socket;
}
