// What has to be known before a member can be made, and may have to be asked of others:
//
//   data there         nothing; with --force-new-cluster the log is changed first
//   state "existing"   the ids of cluster and member, from those who are in it
//   state "new"        that this member was not there before; with discovery, who the others are

import type { Clock, Disk } from "../../io/io.ts";
import type { Network } from "../../io/network.ts";
import { initialMembers } from "../../server/boot.ts";
import { forceNewCluster } from "../../server/force-new-cluster.ts";
import { type JoinedCluster, joinCluster, refuseIfBootstrapped } from "../../server/join.ts";
import { ParseError } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import { type ClusterUrls, checkNewCluster, resolveByDns, sameUrls } from "./initial-cluster.ts";
import type { Loaded } from "./load-config.ts";
import { type EtcdUrl, parseClusterUrls, showClusterUrls } from "./urls.ts";

export interface Prepared {
  /** Of a new cluster; also of one that is there, if it can still be told. */
  readonly initialCluster: ClusterUrls;
  readonly joined: JoinedCluster | undefined;
}

export interface PrepareParts {
  readonly network: Pick<Network, "ask">;
  readonly clock: Clock;
  readonly disk: Disk;
}

/** @throws Error (rejects) */
export async function prepareStart(loaded: Loaded, parts: PrepareParts): Promise<Prepared> {
  const { config, log, memberInitialized } = loaded;
  if (memberInitialized) {
    if (config.forceNewCluster) await forceNewCluster({ ...parts, log, options: config });
    return { initialCluster: await rememberedCluster(config), joined: undefined };
  }
  const own = membersOf(config, loaded.initialCluster);
  const asking = { network: parts.network, log, name: config.name, members: own };
  if (config.initialClusterState === "existing") {
    const joined = await joinCluster({
      ...asking,
      options: config,
      sameUrls: (a, b) => sameUrls(a, b, resolveByDns),
    });
    return { initialCluster: loaded.initialCluster, joined };
  }
  await refuseIfBootstrapped(asking);
  if (config.discovery === undefined) {
    return { initialCluster: loaded.initialCluster, joined: undefined };
  }
  const { joinByDiscovery } = await import("./discovery.ts");
  const id = own.find(({ name }) => name === config.name)!.id;
  const found = await joinByDiscovery(config.discovery, {
    log,
    clock: parts.clock,
    memberId: id,
    self: showClusterUrls(loaded.initialCluster),
  });
  return { initialCluster: checkedDiscovery(found), joined: undefined };
}

/** @throws Error */
function checkedDiscovery(found: string): ClusterUrls {
  const cluster = parseClusterUrls(found);
  const urls = [...cluster.values()].flatMap((list) => texts(list));
  if (new Set(urls).size < urls.length) {
    throw new Error(`discovery cluster ${showClusterUrls(cluster)} has duplicate url`);
  }
  return cluster;
}

/**
 * The first start may have been cut short before anything was agreed; then it is made again, if
 * the configuration still says the same. Otherwise what it says does not count any more.
 */
async function rememberedCluster(config: EtcdConfig): Promise<ClusterUrls> {
  if (config.initialClusterState !== "new") return new Map();
  try {
    const cluster = parseClusterUrls(config.initialCluster);
    const fault = await checkNewCluster(config, cluster, resolveByDns);
    return fault === undefined ? cluster : new Map();
  } catch (error) {
    if (error instanceof ParseError) return new Map();
    throw error;
  }
}

function membersOf(config: EtcdConfig, cluster: ClusterUrls) {
  return initialMembers({
    initialCluster: new Map([...cluster].map(([name, urls]) => [name, texts(urls)])),
    initialClusterToken: config.initialClusterToken,
  });
}

function texts(urls: readonly EtcdUrl[]): string[] {
  return urls.map((url) => url.text);
}
