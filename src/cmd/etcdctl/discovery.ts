// Endpoints from DNS: SRV records `_etcd-client-ssl._tcp.<domain>` (https) and
// `_etcd-client._tcp.<domain>` (http). One of the two is enough.

import { getServers, promises } from "node:dns";
import { Exit, ExitCode } from "./exit.ts";

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ETIMEOUT" || code === "ETIMEDOUT" ? "i/o timeout" : "no such host";
}

async function look(name: string, scheme: string): Promise<string[] | string> {
  try {
    const records = await promises.resolveSrv(name);
    return records
      .sort((a, b) => a.priority - b.priority)
      .map(({ name: host, port }) => `${scheme}://${host.replace(/\.$/, "")}:${port}`);
  } catch (error) {
    const server = getServers()[0] ?? "127.0.0.1";
    return `lookup ${name} on ${server}:53: ${reasonOf(error)}`;
  }
}

/** @throws Exit when there are no records */
export async function discoverEndpoints(domain: string, serviceName: string): Promise<string[]> {
  const suffix = serviceName === "" ? "" : `-${serviceName}`;
  const secure = await look(`_etcd-client-ssl${suffix}._tcp.${domain}`, "https");
  const open = await look(`_etcd-client${suffix}._tcp.${domain}`, "http");
  if (typeof secure === "string" && typeof open === "string") {
    throw new Exit(ExitCode.Error, `dns lookup errors: ${secure} and ${open}`);
  }
  return [...(typeof secure === "string" ? [] : secure), ...(typeof open === "string" ? [] : open)];
}
