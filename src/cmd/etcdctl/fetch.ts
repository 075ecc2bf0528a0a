// A small GET over HTTP/1.1 to the port of an endpoint, with the TLS of the client.

import type { IncomingMessage } from "node:http";
import type { ChannelTls } from "../../net/grpc-client.ts";

const TIMEOUT_MS = 5_000;

/** The body of a 200, else undefined. */
export async function fetchText(
  endpoint: string,
  path: string,
  tls: ChannelTls | undefined,
): Promise<string | undefined> {
  const hasScheme = /^https?:\/\//.test(endpoint);
  const base = hasScheme ? endpoint : `${tls === undefined ? "http" : "https"}://${endpoint}`;
  const url = new URL(path, base);
  const { get } =
    url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const options = {
    timeout: TIMEOUT_MS,
    rejectUnauthorized: tls?.skipVerify !== true,
    ...(tls?.authorities === undefined ? {} : { ca: Buffer.from(tls.authorities) }),
    ...(tls?.certificate === undefined ? {} : { cert: Buffer.from(tls.certificate) }),
    ...(tls?.key === undefined ? {} : { key: Buffer.from(tls.key) }),
  };
  return new Promise((resolve) => {
    const request = get(url, options, (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", () => resolve(undefined));
      response.on("end", () => {
        resolve(response.statusCode === 200 ? Buffer.concat(parts).toString() : undefined);
      });
    });
    request.on("error", () => resolve(undefined));
    request.on("timeout", () => request.destroy());
  });
}
