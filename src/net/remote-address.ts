import type { Socket } from "node:net";

/** "127.0.0.1:50312", "[::1]:50312", "@" for a socket file; "" when the peer has gone already. */
export function remoteAddressOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return socket.destroyed ? "" : "@";
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}
