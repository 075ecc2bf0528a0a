// Errors of the network in Go's words, which etcd's logs show and operators search for.

import { goText } from "../tls.ts";
import { chainText } from "./chain-text.ts";

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ECONNRESET: "read: connection reset by peer",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
  EPIPE: "write: broken pipe",
  ENOENT: "connect: no such file or directory",
};

/** `address`: "127.0.0.1:2380". */
export function networkErrorText(error: Error & { code?: string }, address: string): string {
  const code = error.code ?? "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    const host = address.replace(/:\d+$/, "");
    return `dial tcp: lookup ${host}: no such host`;
  }
  const chain = chainText(code);
  if (chain !== undefined) return chain;
  const text = texts[code];
  if (text === undefined) return goText(error);
  return text.startsWith("connect:") ? `dial tcp ${address}: ${text}` : text;
}
