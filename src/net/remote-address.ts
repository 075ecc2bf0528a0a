import type { Socket } from "node:net";

/** Of IPv4 peers of a socket for both families. */
const MAPPED_PREFIX = "::ffff:";

/** "127.0.0.1:50312", "[::1]:50312", "@" for a socket file; "" when the peer has gone already. */
export function remoteAddressOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return socket.destroyed ? "" : "@";
  const isMapped = remoteAddress.startsWith(MAPPED_PREFIX) && remoteAddress.includes(".");
  const host = isMapped ? remoteAddress.slice(MAPPED_PREFIX.length) : remoteAddress;
  return `${host.includes(":") ? `[${host}]` : host}:${remotePort}`;
}
