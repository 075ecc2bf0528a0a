// A client for etcd clusters: this project's, and any other that speaks the v3 API.
//
//   import { bytes } from "quorate/bytes";
//   import { Client } from "quorate";
//   const client = new Client({ endpoints: ["127.0.0.1:2379"] });
//   await client.kv.put({ key: bytes("name"), value: bytes("value") });
//   const { kvs } = await client.kv.range({ key: bytes("name") });
//   client.close();
//
// Requests and answers are the messages of the protocol (fields left out are zero); keys and
// values are bytes. Calls fail with an `RpcError`, whose `code` and `message` are the server's.

import { Auth } from "./auth.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { Cluster } from "./cluster.ts";
import { type ClientOptions, dial } from "./dial.ts";
import { Kv } from "./kv.ts";
import { Lease } from "./lease.ts";
import { Maintenance } from "./maintenance.ts";
import { Watch } from "./watch.ts";
import { type WatchCreate, Watcher } from "./watcher.ts";

/**
 * Connects with the first call, to all endpoints, and calls the ones that are there in turn. A
 * read that a failing member has not answered is repeated at another one; a write is not, unless
 * it is certain that no member has seen it.
 */
export class Client {
  readonly kv: Kv;
  readonly watch: Watch;
  readonly lease: Lease;
  readonly cluster: Cluster;
  readonly maintenance: Maintenance;
  readonly auth: Auth;
  /** What all calls go through; sessions and transactions take it from here. */
  readonly caller: Caller;

  /** @throws RpcError when there are no endpoints */
  constructor(options: ClientOptions) {
    const caller = dial(options);
    this.caller = caller;
    this.kv = new Kv(caller);
    this.watch = new Watch(caller);
    this.lease = new Lease(caller);
    this.cluster = new Cluster(caller);
    this.maintenance = new Maintenance(caller);
    this.auth = new Auth(caller);
  }

  /** Watches a key or a range, across lost connections, with a stream of its own. */
  watcher(create: WatchCreate, options?: CallOptions): Watcher {
    return new Watcher(this.caller, create, options);
  }

  /** Ends all connections; calls that are out fail. */
  close(): void {
    this.caller.close();
  }
}
