// A member that was away while the others ran out of space and got over it: it finds the alarm and
// its end in the log, and takes writes as they do.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import { Client } from "../../src/client/client.ts";
import { AlarmAction, AlarmType } from "../../src/wire/messages/rpc-maintenance.ts";
import { OUR_ETCD } from "../compat/member-process.ts";
import { stockBinaries } from "../compat/stock-binaries.ts";
import { type ClusterMember, ProcessCluster } from "./process-cluster.ts";

const HEALTHY_WITHIN_MS = 60_000;
const QUOTA_FLAG = `--quota-backend-bytes=${8 * 1024 * 1024}`;
const VALUE = new Uint8Array(512 * 1024);
const PUTS_MAX = 100;

const root = mkdtempSync(join(tmpdir(), "quorate-space-"));
after(() => rmSync(root, { recursive: true, force: true }));

const flagsOf = ({ place }: ClusterMember): string[] =>
  place.program === OUR_ETCD ? [QUOTA_FLAG, "--self-care=off"] : [QUOTA_FLAG];

async function fill({ kv }: Client): Promise<void> {
  for (let put = 0; put < PUTS_MAX; put++) {
    try {
      await kv.put({ key: bytes("filled"), value: VALUE });
    } catch (error) {
      assert.equal((error as Error).message, "etcdserver: mvcc: database space exceeded");
      return;
    }
  }
  assert.fail("the quota is never reached");
}

async function isHealthy({ endpoint }: ClusterMember): Promise<boolean> {
  return (await fetch(`http://${endpoint}/health`)).ok;
}

for (const [name, third] of [
  ["ours", OUR_ETCD],
  ["a Go member", stockBinaries("3.7")["etcd"]!],
] as const) {
  test(`an alarm that came and went while a member was away (${name})`, async () => {
    const directory = mkdtempSync(join(root, "cluster-"));
    const cluster = await ProcessCluster.make(directory, [OUR_ETCD, OUR_ETCD, third]);
    const clients = cluster.members.map(({ endpoint }) => new Client({ endpoints: [endpoint] }));
    try {
      for (const member of cluster.members) member.start(flagsOf(member));
      await cluster.untilHealthy(HEALTHY_WITHIN_MS);
      const [one, two, away] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
      await away.stop();
      // It may have led.
      const deadline = performance.now() + HEALTHY_WITHIN_MS;
      for (const member of [one, two]) await member.untilHealthy(deadline);
      await fill(clients[0]!);
      const listed = await clients[1]!.maintenance.alarm({ action: AlarmAction.GET });
      assert.ok(listed.alarms.length > 0 && listed.alarms[0]!.alarm === AlarmType.NOSPACE);
      assert.equal(await isHealthy(two), false);

      const { header } = await clients[0]!.kv.range({ key: bytes("filled"), countOnly: true });
      await clients[0]!.kv.compact({ revision: header!.revision, physical: true });
      for (const client of clients.slice(0, 2)) await client.maintenance.defragment();
      for (const { memberID, alarm } of listed.alarms) {
        await clients[0]!.maintenance.alarm({ action: AlarmAction.DEACTIVATE, memberID, alarm });
      }
      assert.equal(await isHealthy(one), true);

      away.start(flagsOf(away));
      await away.untilHealthy(performance.now() + HEALTHY_WITHIN_MS);
      const { kvs } = await clients[2]!.kv.range({ key: bytes("filled") });
      assert.equal(kvs[0]!.value.length, VALUE.length);
      // Its file is as large as the others' was, and may raise the alarm with the next put.
      await clients[2]!.maintenance.defragment();
      await clients[2]!.kv.put({ key: bytes("after"), value: bytes("1") });
      const now = await clients[2]!.maintenance.alarm({ action: AlarmAction.GET });
      assert.deepEqual(now.alarms, []);
      for (const member of cluster.members) assert.equal(await isHealthy(member), true);
    } finally {
      for (const client of clients) client.close();
      await cluster.close();
    }
  });
}
