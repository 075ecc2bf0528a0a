// Quotas of prefixes in a cluster with a Go member: they are keys that it carries along like any
// other, in force on ours, and what it lets in itself makes nobody differ.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import { Client } from "../../src/client/client.ts";
import { encodePutRequest } from "../../src/wire/messages/rpc-kv.ts";
import { OUR_ETCD } from "../compat/member-process.ts";
import { stockBinaries } from "../compat/stock-binaries.ts";
import { compareMembers } from "./compare-members.ts";
import { type ClusterMember, ProcessCluster } from "./process-cluster.ts";

const HEALTHY_WITHIN_MS = 60_000;
const FULL = /^etcdserver: quota of prefix "\/jobs\/" exceeded: /;

const root = mkdtempSync(join(tmpdir(), "quorate-quotas-"));
after(() => rmSync(root, { recursive: true, force: true }));

const put = ({ kv }: Client, key: string): Promise<unknown> =>
  kv.put({ key: bytes(key), value: bytes("v") });

/** Members hear of a change one after the other. */
async function settled(clients: readonly Client[]): Promise<void> {
  for (const { kv } of clients) await kv.range({ key: bytes("any") });
}

test("quotas of prefixes in a cluster with a Go member", async () => {
  const go = stockBinaries("3.7")["etcd"]!;
  const cluster = await ProcessCluster.make(root, [OUR_ETCD, OUR_ETCD, go]);
  const clients = cluster.endpoints.map((endpoint) => new Client({ endpoints: [endpoint] }));
  try {
    for (const member of cluster.members) member.start();
    await cluster.untilHealthy(HEALTHY_WITHIN_MS);
    const [one, two, ofGo] = clients as [Client, Client, Client];
    await ofGo.kv.put({ key: bytes("quorate.io/quotas//jobs/"), value: bytes(":2") });
    await settled(clients);
    await put(one, "/jobs/1");
    await put(two, "/jobs/2");
    await settled(clients);
    for (const ours of [one, two]) {
      await assert.rejects(put(ours, "/jobs/3"), ({ message }: Error) => FULL.test(message));
      const requestPut = encodePutRequest({ key: bytes("/jobs/3"), value: bytes("v") });
      const txn = ours.kv.txn({ success: [{ requestPut }] });
      await assert.rejects(txn, ({ message }: Error) => FULL.test(message));
      await put(ours, "/jobs/2");
      await put(ours, "/other/1");
    }
    // It does not know of quotas; the others take what was agreed.
    await put(ofGo, "/jobs/3");
    await settled(clients);
    await compareMembers(cluster);

    // In force after a restart, whoever leads.
    for (const at of [0, 1]) {
      const member: ClusterMember = cluster.members[at]!;
      await member.stop();
      member.start();
      await cluster.untilHealthy(HEALTHY_WITHIN_MS);
      await assert.rejects(put(clients[at]!, "/jobs/4"), ({ message }: Error) =>
        FULL.test(message),
      );
    }
    await ofGo.kv.deleteRange({ key: bytes("/jobs/"), rangeEnd: bytes("/jobs0") });
    await settled(clients);
    await put(one, "/jobs/4");
    await ofGo.kv.deleteRange({ key: bytes("quorate.io/quotas//jobs/") });
    await settled(clients);
    for (const key of ["/jobs/5", "/jobs/6", "/jobs/7"]) await put(two, key);
    await settled(clients);
    await compareMembers(cluster);
  } finally {
    for (const client of clients) client.close();
    await cluster.close();
  }
});
