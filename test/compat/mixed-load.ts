// A fixed, varied history: puts, overwrites, deletes of keys and ranges, transactions, compactions.
// The same seed gives the same requests, so two servers given it must come to the same store.

import { bytes } from "../../src/client/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import type { RequestOpInit } from "../../src/wire/messages/rpc-kv.ts";

const KEYS = 500;
const AT_ONCE = 50;

/** Numerical Recipes' generator: no more is needed here. */
export class Lcg {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }
  /** In that of `count` equal parts of [0, bound): chance alone could leave some of them out. */
  spread(part: number, count: number, bound: number): number {
    return ((part + this.below(1000) / 1000) / count) * bound;
  }
}

/** In groups: requests of a group run at once and do not touch the same keys. */
export async function runMixedLoad(client: Client, seed: number, count: number): Promise<void> {
  const random = new Lcg(seed);
  for (let done = 0; done < count; done += AT_ONCE) {
    const first = random.below(KEYS);
    for (let i = 0; i < AT_ONCE; i++) await operation(client, random, (first + i) % KEYS);
    if (random.below(20) === 0) await compactSome(client, random);
  }
}

function key(number: number): Uint8Array {
  return bytes(`/mixed/${String(number).padStart(4, "0")}`);
}

async function operation(client: Client, random: Lcg, number: number): Promise<void> {
  const value = bytes("v".repeat(random.below(random.below(50) === 0 ? 8000 : 200)));
  switch (random.below(10)) {
    case 0:
      await client.kv.deleteRange({ key: key(number) });
      return;
    case 1:
      await client.kv.deleteRange({ key: key(number), rangeEnd: key(number + 3) });
      return;
    case 2:
    case 3: {
      const put = (at: number): RequestOpInit => ({ requestPut: { key: key(at), value } });
      await client.kv.txn({
        compare: [{ key: key(number), target: 0, result: 1, version: random.below(3) }],
        success: [put(number), put(number + 1), { requestDeleteRange: { key: key(number + 2) } }],
        failure: [put(number), { requestRange: { key: key(0), rangeEnd: key(10) } }],
      });
      return;
    }
    default:
      await client.kv.put({ key: key(number), value });
  }
}

async function compactSome(client: Client, random: Lcg): Promise<void> {
  const { header } = await client.kv.range({ key: key(0), countOnly: true });
  const revision = header!.revision - random.below(100);
  // Already compacted further: fine, and the same on every server.
  await client.kv.compact({ revision, physical: true }).catch(() => {});
}
