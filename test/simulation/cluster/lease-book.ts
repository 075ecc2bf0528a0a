// The leases that clients made: which ones to use, and when each may end. A lease that nobody
// revoked must live for its whole TTL after it was granted or last renewed; what was renewed is
// known by the question that got an answer, so the rule is a little weaker than the truth.

import type { LeaseGrantRequest } from "../../../src/wire/messages/rpc-lease.ts";
import {
  decodeLeaseKeepAliveResponse,
  encodeLeaseKeepAliveRequest,
} from "../../../src/wire/messages/rpc-lease.ts";
import { FakeStream } from "../../watch/fake-call.ts";
import type { SimRandom } from "../sim-random.ts";
import type { SimCluster } from "./cluster.ts";
import type { Result, SimClient } from "./sim-client.ts";
import { require } from "./violation.ts";

/** Leases in use by clients at a time. */
const LEASES = 6;
const KEEP_ALIVE_LIMIT_MS = 3000;
const ROUNDING_MS = 0.001;

export class LeaseBook {
  readonly #cluster: SimCluster;
  /** When a lease was certainly alive the last time, with its whole TTL before it. */
  readonly #aliveAtMs = new Map<bigint, number>();
  readonly #mayBeRevoked = new Set<bigint>();
  #next = 1n;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    cluster.oracle.onRevoke = (id) => this.#revoked(id);
    cluster.oracle.onGrant = (id) => this.#aliveAtMs.set(id, cluster.world.nowMs);
  }

  draw(random: SimRandom): Pick<LeaseGrantRequest, "id" | "ttl"> {
    // Now and then one that is taken.
    const id = random.oneIn(10) ? this.some(random) : this.#next++;
    return { id, ttl: random.pick([1, 2, 5, 60]) };
  }

  some(random: SimRandom): bigint {
    const newest = this.#next - 1n - BigInt(random.below(LEASES));
    return newest > 0n ? newest : 1n;
  }

  willBeRevoked(id: bigint): void {
    this.#mayBeRevoked.add(id);
  }

  keepAlive(client: SimClient, done: (result: Result) => void): void {
    const cluster = this.#cluster;
    const { schedule } = cluster.world;
    const { node } = client;
    const id = this.some(client.random);
    const askedAtMs = schedule.nowMs;
    let isDone = false;
    const end = (result: Result): void => {
      if (isDone) return;
      isDone = true;
      done(result);
    };
    schedule.after(KEEP_ALIVE_LIMIT_MS, () => end(undefined));
    const method = node.isReady
      ? node.methods?.get("/etcdserverpb.Lease/LeaseKeepAlive")
      : undefined;
    if (method?.kind !== "bidi-stream") return;
    const call = new FakeStream((bytes) => {
      const { ttl } = decodeLeaseKeepAliveResponse(bytes);
      cluster.trace.add(`c${client.number} at m${node.number}: keep alive ${id} -> ${ttl}`);
      const before = this.#aliveAtMs.get(id);
      if (ttl > 0 && before !== undefined) this.#aliveAtMs.set(id, Math.max(before, askedAtMs));
      end(bytes);
    });
    node.machine.clock.whenAwake(() => {
      const handler = method.open(call);
      const request = encodeLeaseKeepAliveRequest({ id });
      handler.onMessage(request, 0, request.length);
    });
  }

  /** A lease is ended by the cluster. */
  #revoked(id: bigint): void {
    if (this.#mayBeRevoked.has(id)) return;
    const cluster = this.#cluster;
    const ttl = cluster.oracle.model.leases.get(id)!;
    const aliveMs = cluster.world.nowMs - this.#aliveAtMs.get(id)!;
    cluster.count("expired");
    require(aliveMs >= ttl * 1000 - ROUNDING_MS, "a lease lives for its TTL", () => {
      return `lease ${id} of ${ttl} s ends ${(aliveMs / 1000).toFixed(3)} s after it was renewed`;
    });
  }
}
