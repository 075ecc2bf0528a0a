// v3 discovery: the members of a new cluster find each other in the keys of another etcd. Somebody
// has written how many there will be; each member writes itself down and waits for the others.
//
//   /_etcd/registry/<token>/_config/size           "3"
//   /_etcd/registry/<token>/members/<id in hex>    "m1=http://10.0.0.1:2380"
//
// Who comes too late, by create revision, is not in it. What cannot be reached is tried again for
// as long as it takes.

import { readFileSync } from "node:fs";
import type { Fields, Logger } from "../../base/log.ts";
import { bytes, text } from "../../client/bytes.ts";
import { Client } from "../../client/client.ts";
import { errorText } from "../../client/errors.ts";
import { prefixEnd } from "../../client/keys.ts";
import type { Clock } from "../../io/io.ts";
import { idText } from "../../state/members/member-json.ts";
import { EventType, type KeyValue } from "../../wire/messages/kv.ts";
import type { RangeResponse } from "../../wire/messages/rpc-kv.ts";
import type { DiscoveryConfig } from "./config.ts";
import { parseClusterUrls } from "./urls.ts";

/** The pause doubles up to 2^8 seconds. */
const DOUBLINGS_MAX = 8;

export interface DiscoveryParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly memberId: bigint;
  /** This member, as "m1=http://10.0.0.1:2380". */
  readonly self: string;
  /** For tests. */
  readonly client?: Pick<Client, "kv" | "watcher" | "close">;
}

interface Registered {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
}

/** As `--initial-cluster` would say it. @throws Error (rejects) */
export async function joinByDiscovery(
  config: DiscoveryConfig,
  parts: DiscoveryParts,
): Promise<string> {
  const discovery = new Discovery(config, parts);
  const { log } = parts;
  const where = {
    "discovery-token": config.token,
    "discovery-endpoints": config.endpoints.join(","),
  };
  try {
    const cluster = await discovery.join();
    log.info("discovery joined cluster successfully", { ...where, cluster });
    return cluster;
  } catch (error) {
    const reason = errorText(error);
    log.error("discovery failed to join cluster", { ...where, cluster: "", error: reason });
    throw new Error(`discovery: failed to join cluster: ${reason}`);
  } finally {
    discovery.close();
  }
}

class Discovery {
  readonly #config: DiscoveryConfig;
  readonly #parts: DiscoveryParts;
  readonly #client: Pick<Client, "kv" | "watcher" | "close">;
  readonly #prefix: string;
  readonly #ownKey: string;
  #members: Registered[] = [];
  #size = 0;
  #retries = 0;

  constructor(config: DiscoveryConfig, parts: DiscoveryParts) {
    this.#config = config;
    this.#parts = parts;
    this.#client = parts.client ?? connect(config);
    this.#prefix = `/_etcd/registry/${config.token}`;
    this.#ownKey = `${this.#prefix}/members/${idText(parts.memberId)}`;
  }

  close(): void {
    this.#client.close();
  }

  async join(): Promise<string> {
    await this.#look();
    await this.#persist("register member itself", () => this.#register());
    const revision = await this.#look();
    if (this.#members.length < this.#size) await this.#waitForOthers(revision);
    const pairs = this.#members.slice(0, this.#size).map(({ value }) => value);
    const cluster = pairs.join(",");
    try {
      parseClusterUrls(cluster);
    } catch {
      throw new Error("discovery: invalid peer URL");
    }
    return cluster;
  }

  /** Who is there; the revision of that. @throws Error when this member has no place any more */
  async #look(): Promise<number> {
    const found = await this.#persist("cluster status check", async () => ({
      size: await this.#get(`${this.#prefix}/_config/size`),
      members: await this.#get(`${this.#prefix}/members`, true),
    }));
    const [size] = found.size.kvs;
    if (size === undefined) throw new Error("discovery: size key not found");
    this.#size = Number(text(size.value));
    if (!/^\+?\d+$/.test(text(size.value)) || !(this.#size > 0)) {
      throw new Error("discovery: size key is bad");
    }
    this.#members = [];
    for (const kv of found.members.kvs) this.#add(kv);
    const place = this.#members.findIndex(({ key }) => key === this.#ownKey);
    const before = place < 0 ? this.#members.length : place;
    if (before >= this.#size) throw new Error("discovery: cluster is full");
    return found.members.header?.revision ?? 0;
  }

  async #register(): Promise<void> {
    const { self } = this.#parts;
    await this.#client.kv.put({ key: bytes(this.#ownKey), value: bytes(self) }, this.#options());
    this.#log("register member itself successfully", {
      memberKey: this.#ownKey,
      memberInfo: self,
    });
  }

  async #waitForOthers(revision: number): Promise<void> {
    const counts = () => ({ clusterSize: this.#size, "found-peers": this.#members.length });
    this.#log("waiting for peers from discovery service", counts());
    const key = bytes(`${this.#prefix}/members`);
    const startRevision = revision + 1;
    const watcher = this.#client.watcher({ key, rangeEnd: prefixEnd(key), startRevision });
    for await (const { events, canceled } of watcher) {
      if (canceled) throw new Error("discovery: the watch of the members was canceled");
      for (const { type, kv } of events) {
        if (type === EventType.PUT && kv !== undefined) this.#add(kv);
      }
      if (this.#members.length >= this.#size) break;
    }
    this.#log("found all needed peers from discovery service", counts());
  }

  #add({ key, value, createRevision }: KeyValue): void {
    const found = { key: text(key).trim(), value: text(value).trim(), createRevision };
    const fields = { memberKey: found.key, memberInfo: found.value };
    if (!found.value.includes("=")) {
      this.#parts.log.warn("invalid peer info returned from discovery service", fields);
    } else if (this.#members.some((member) => member.key === found.key)) {
      this.#parts.log.warn("found duplicate peer from discovery service", fields);
    } else {
      this.#log("found peer from discovery service", fields);
      this.#members.push(found);
      this.#members.sort((a, b) => a.createRevision - b.createRevision);
    }
  }

  /** Until it succeeds. */
  async #persist<Result>(step: string, attempt: () => Promise<Result>): Promise<Result> {
    const { log, clock } = this.#parts;
    for (;;) {
      try {
        const result = await attempt();
        this.#retries = 0;
        return result;
      } catch (error) {
        this.#retries++;
        const pauseSeconds = 2 ** Math.min(this.#retries, DOUBLINGS_MAX);
        log.warn("retry connecting to discovery service", {
          reason: step,
          backoff: `${pauseSeconds}s`,
          error: errorText(error),
        });
        await new Promise<void>((resolve) => void clock.after(pauseSeconds * 1000, resolve));
      }
    }
  }

  #get(key: string, isPrefix = false): Promise<RangeResponse> {
    const start = bytes(key);
    const range = isPrefix ? { key: start, rangeEnd: prefixEnd(start) } : { key: start };
    return this.#client.kv.range(range, this.#options());
  }

  #options(): { timeoutMs: number } {
    return { timeoutMs: this.#config.requestTimeoutMs };
  }

  #log(message: string, fields: Fields): void {
    this.#parts.log.info(message, fields);
  }
}

/** @throws Error when a file of the TLS flags cannot be read */
function connect(config: DiscoveryConfig): Client {
  const { certFile, keyFile, trustedCaFile, insecureSkipVerify, insecureTransport } = config;
  const file = (path: string): Uint8Array | undefined =>
    path === "" ? undefined : readFileSync(path);
  const isSecure =
    certFile !== "" || trustedCaFile !== "" || insecureSkipVerify || !insecureTransport;
  const colon = config.user.indexOf(":");
  const isPair = config.password === "" && colon >= 0;
  return new Client({
    endpoints: config.endpoints,
    tls: isSecure
      ? {
          certificate: file(certFile),
          key: file(keyFile),
          authorities: file(trustedCaFile),
          skipVerify: insecureSkipVerify,
        }
      : undefined,
    username: isPair ? config.user.slice(0, colon) : config.user,
    password: isPair ? config.user.slice(colon + 1) : config.password,
    dialTimeoutMs: config.dialTimeoutMs,
    keepaliveTimeMs: config.keepaliveTimeMs,
    keepaliveTimeoutMs: config.keepaliveTimeoutMs,
  });
}
