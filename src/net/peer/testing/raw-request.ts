// Requests to a peer port, as anybody may send them.

import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { hexId } from "../compatibility.ts";
import { CLUSTER_ID, type Node } from "./transports.ts";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export function peerHeaders(
  from: bigint,
  changes: Record<string, string> = {},
): Record<string, string> {
  return {
    "X-Server-From": hexId(from),
    "X-Server-Version": "3.7.3",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": hexId(CLUSTER_ID),
    ...changes,
  };
}

/** Ends with the answer, which must have an end. */
export function raw(to: Node, path: string, options: RawRequest = {}): Promise<RawAnswer> {
  const { method = "GET", headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(`${to.url}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Sends bytes and cuts the connection, or leaves it open. */
export function sendBytes(
  to: Node,
  bytes: Uint8Array | string,
  isCut: boolean,
): Promise<() => void> {
  const { port } = new URL(to.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => {
      socket.write(bytes, () => {
        if (isCut) socket.destroy();
        resolve(() => socket.destroy());
      });
    });
    socket.on("error", () => {});
    socket.resume();
  });
}
