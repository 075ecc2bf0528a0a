// Who the members of a new cluster are: `--initial-cluster`, compared with what this member says of
// itself. Both become part of ids that can never change, so that a mistake is caught here.

import { isIP } from "node:net";
import { quote } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import { type EtcdUrl, isSocketFile, parseUrls, showClusterUrls } from "./urls.ts";

export type ClusterUrls = ReadonlyMap<string, readonly EtcdUrl[]>;

/** The address of a host name. @throws Error when there is none */
export type Resolve = (hostname: string) => Promise<string>;

export const resolveByDns: Resolve = async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(hostname)).address;
};

/** Do two lists of addresses mean the same machines? Or why that is not known. */
export async function sameUrls(
  a: readonly string[],
  b: readonly string[],
  resolve: Resolve,
): Promise<boolean | string> {
  return (await differ(parseUrls(a), parseUrls(b), resolve)) ?? true;
}

/** What is wrong with how a cluster that exists is described, or undefined. */
export function checkExistingCluster(
  { name, discovery }: Pick<EtcdConfig, "name" | "discovery">,
  cluster: ClusterUrls,
): string | undefined {
  if (!cluster.has(name)) {
    return `couldn't find local name ${quote(name)} in the initial cluster configuration`;
  }
  if (discovery !== undefined) {
    return "discovery URL should not be set when joining existing initial cluster";
  }
  return duplicateOf(cluster);
}

function duplicateOf(cluster: ClusterUrls): string | undefined {
  const texts = [...cluster.values()].flatMap((urls) => urls.map((url) => url.text));
  if (new Set(texts).size === texts.length) return undefined;
  return `initial cluster ${showClusterUrls(cluster)} has duplicate url`;
}

type OwnUrls = Pick<EtcdConfig, "name" | "advertisePeerUrls">;

/** What is wrong with a new cluster, or undefined. */
export async function checkNewCluster(
  config: OwnUrls,
  cluster: ClusterUrls,
  resolve: Resolve,
): Promise<string | undefined> {
  const own = cluster.get(config.name);
  if (own === undefined) {
    return `couldn't find local name ${quote(config.name)} in the initial cluster configuration`;
  }
  return (await compare(config, own, resolve)) ?? duplicateOf(cluster);
}

async function compare(
  config: OwnUrls,
  own: readonly EtcdUrl[],
  resolve: Resolve,
): Promise<string | undefined> {
  const advertised = config.advertisePeerUrls.map((url) => url.text);
  const listed = own.map((url) => url.text);
  const difference = await differ(config.advertisePeerUrls, own, resolve);
  if (difference === undefined) return undefined;
  const unadvertised = listed.filter((url) => !advertised.includes(url));
  if (unadvertised.length > 0) {
    const pairs = [...new Set(unadvertised)].map((url) => `${config.name}=${url}`).join(",");
    return (
      `--initial-cluster has ${pairs} but missing from ` +
      `--initial-advertise-peer-urls=${advertised.join(",")} (${difference})`
    );
  }
  const said = advertised.map((url) => `${config.name}=${url}`).join(",");
  const unlisted = advertised.filter((url) => !listed.includes(url));
  if (unlisted.length > 0) {
    return (
      `--initial-advertise-peer-urls has ${unlisted.join(",")} but missing from ` +
      `--initial-cluster=${said}`
    );
  }
  return `failed to resolve ${advertised.join(",")} to match --initial-cluster=${said} (${difference})`;
}

/** Equal as texts, or else by the addresses behind the names. */
async function differ(
  advertised: readonly EtcdUrl[],
  listed: readonly EtcdUrl[],
  resolve: Resolve,
): Promise<string | undefined> {
  const shown = (urls: readonly EtcdUrl[]) => urls.map((url) => quote(url.text)).join(" ");
  if (advertised.length !== listed.length) {
    return `len([${shown(advertised)}]) != len([${shown(listed)}])`;
  }
  if (advertised.every((url, at) => url.text === listed[at]!.text)) return undefined;
  try {
    const left = await Promise.all(advertised.map((url) => resolved(url, resolve)));
    const right = await Promise.all(listed.map((url) => resolved(url, resolve)));
    left.sort();
    right.sort();
    const at = left.findIndex((url, index) => url !== right[index]);
    if (at < 0) return undefined;
    return `resolved urls: ${quote(left[at]!)} != ${quote(right[at]!)}`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function resolved(url: EtcdUrl, resolve: Resolve): Promise<string> {
  // `localhost` is not resolved: what it means differs between machines and protocols.
  if (isSocketFile(url) || url.hostname === "localhost") return url.text;
  try {
    const literal = isIP(url.hostname) !== 0;
    const address = literal ? url.hostname : await resolve(url.hostname);
    const host = address.includes(":") ? `[${address}]` : address;
    return `${url.scheme}://${host}:${url.port}`;
  } catch (error) {
    throw new Error(`failed to resolve ${quote(url.text)} (${(error as Error).message})`);
  }
}
