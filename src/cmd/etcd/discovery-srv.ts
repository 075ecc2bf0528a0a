// The members of a new cluster from DNS: SRV records `_etcd-server-ssl._tcp.<domain>` (https) and
// `_etcd-server._tcp.<domain>` (http). The record that leads to this machine gets this member's
// name, the others are numbered.

import { promises } from "node:dns";
import type { Logger } from "../../base/log.ts";
import { quote } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import type { EtcdUrl } from "./urls.ts";

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
}

/** The two questions to DNS; tests answer themselves. */
export interface DnsQuestions {
  /** @throws Error (rejects) when there are none */
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** The address of a host. @throws Error (rejects) when there is none */
  address(host: string): Promise<string>;
}

const nodeDns: DnsQuestions = {
  async srv(name) {
    const records = await promises.resolveSrv(name);
    return records.sort((a, b) => a.priority - b.priority);
  },
  async address(host) {
    return (await promises.lookup(host)).address;
  },
};

type Settings = Pick<
  EtcdConfig,
  "name" | "discoverySrv" | "discoverySrvName" | "advertisePeerUrls"
>;

/** As `--initial-cluster` would say it. @throws Error (rejects) when this member is not in it */
export async function clusterFromDns(
  config: Settings,
  log: Logger,
  dns: DnsQuestions = nodeDns,
): Promise<string> {
  const found: string[] = [];
  const errors: string[] = [];
  for (const [scheme, service] of [
    ["https", "etcd-server-ssl"],
    ["http", "etcd-server"],
  ] as const) {
    const suffix = config.discoverySrvName === "" ? "" : `-${config.discoverySrvName}`;
    const result = await lookUp(config, scheme, service + suffix, dns);
    if (result instanceof Error) errors.push(result.message);
    else found.push(...result);
    log.info(`get cluster for ${service} SRV`, {
      "service-scheme": scheme,
      "service-name": service + suffix,
      "server-name": config.name,
      "discovery-srv": config.discoverySrv,
      "advertise-peer-urls": config.advertisePeerUrls.map((url) => url.text),
      "found-cluster": result instanceof Error ? [] : result,
      ...(result instanceof Error ? { error: result.message } : {}),
    });
  }
  const error = errors.join("\n");
  if (errors.length > 0) log.warn("failed to resolve during SRV discovery", { error });
  if (found.length === 0) throw new Error(error);
  for (const node of found) log.info("got bootstrap from DNS for etcd-server", { node });
  if (!found.some((node) => node.startsWith(`${config.name}=`))) {
    throw new Error(`cannot find local etcd member ${quote(config.name)} in SRV records`);
  }
  return found.join(",");
}

/** The pairs of one service; an Error when there are none. */
async function lookUp(
  config: Settings,
  scheme: "http" | "https",
  service: string,
  dns: DnsQuestions,
): Promise<string[] | Error> {
  try {
    const own = await ownAddresses(config.advertisePeerUrls, dns);
    const pairs: string[] = [];
    let failure: Error | undefined;
    let number = 0;
    for (const record of await dns.srv(`_${service}._tcp.${config.discoverySrv}`)) {
      const host = record.name.replace(/\.$/, "");
      try {
        const address = `${await dns.address(host)}:${record.port}`;
        const self = own.get(address);
        const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${record.port}`;
        if (self !== undefined && self.scheme !== scheme) {
          failure = new Error(
            `bootstrap at ${url} from DNS for ${service} has scheme mismatch with expected ` +
              `peer ${self.text}`,
          );
        } else {
          pairs.push(`${self === undefined ? number++ : config.name}=${url}`);
        }
      } catch (error) {
        failure = error as Error;
      }
    }
    if (pairs.length > 0 || failure === undefined) return pairs;
    throw failure;
  } catch (error) {
    const reason = (error as Error).message;
    return new Error(`error querying DNS SRV records for _${service} ${reason}`);
  }
}

/** Where this member is reached, by `address:port`. */
async function ownAddresses(
  urls: readonly EtcdUrl[],
  dns: DnsQuestions,
): Promise<Map<string, EtcdUrl>> {
  const own = new Map<string, EtcdUrl>();
  for (const url of urls) own.set(`${await dns.address(url.hostname)}:${url.port}`, url);
  return own;
}
