// In the end all members hold the same.

import assert from "node:assert/strict";
import { Client } from "../../src/client/client.ts";
import type { ProcessCluster } from "./process-cluster.ts";

/** All hashes at the newest revision that all have. */
export async function compareMembers(cluster: ProcessCluster): Promise<void> {
  const clients = cluster.endpoints.map((endpoint) => new Client({ endpoints: [endpoint] }));
  try {
    const heads = await Promise.all(clients.map(({ kv }) => kv.range({ key: Buffer.from("x") })));
    const revision = Math.min(...heads.map(({ header }) => header!.revision));
    const hashes = await Promise.all(
      clients.map(({ maintenance }) => maintenance.hashKV({ revision })),
    );
    const [first, ...others] = hashes.map(({ hash, compactRevision }) => ({
      hash,
      compactRevision,
    }));
    for (const other of others) assert.deepEqual(other, first, `HashKV at ${revision}`);
  } finally {
    for (const client of clients) client.close();
  }
}
