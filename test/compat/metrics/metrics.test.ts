// Dashboards and alerts know etcd's metrics by name, type, labels and bounds: every one of stock
// etcd's is on our /metrics, but Go's own, and no other that begins like etcd's. What stock has is
// recorded in basic.txt and extensive.txt (record.ts).

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../../src/client/bytes.ts";
import { findRoot } from "../../tidy/source-file.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "../member-process.ts";
import { metricRows, scrape, use } from "./use.ts";

/**
 * What the rules of contrib/mixin need, with the labels by which they sum. Two more are of
 * connections to peers, which a member alone has none of.
 */
const ALERT_METRICS: Readonly<Record<string, readonly string[]>> = {
  etcd_server_has_leader: [],
  etcd_server_leader_changes_seen_total: [],
  grpc_server_handled_total: ["grpc_code", "grpc_method", "grpc_service"],
  grpc_server_handling_seconds: ["grpc_method", "grpc_service", "grpc_type"],
  etcd_server_proposals_failed_total: [],
  etcd_disk_wal_fsync_duration_seconds: [],
  etcd_disk_backend_commit_duration_seconds: [],
  etcd_mvcc_db_total_size_in_bytes: [],
  etcd_mvcc_db_total_size_in_use_in_bytes: [],
  etcd_server_quota_backend_bytes: [],
};

const root = mkdtempSync(join(tmpdir(), "quorate-metrics-"));
after(() => rmSync(root, { recursive: true, force: true }));

function recorded(mode: string): string[] {
  const path = join(findRoot(), "test", "compat", "metrics", `${mode}.txt`);
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

for (const mode of ["basic", "extensive"]) {
  test(`every metric of etcd, --metrics ${mode}`, async () => {
    const flags = ["--metrics", mode, "--self-care=off"];
    const member = await MemberProcess.start(OUR_ETCD, join(root, mode), await freePorts(), flags);
    try {
      await use(member);
      assert.deepEqual(metricRows(await scrape(member.endpoint)), recorded(mode));
    } finally {
      await member.stop();
    }
  });
}

test("the rules of the stock alerts have all they need", () => {
  const rows = new Map(recorded("extensive").map((row) => [row.split(" | ")[0], row.split(" | ")]));
  for (const [name, labels] of Object.entries(ALERT_METRICS)) {
    const row = rows.get(name);
    assert.ok(row !== undefined, name);
    for (const label of labels) assert.ok(row[2]!.split(",").includes(label), `${name} ${label}`);
  }
});

async function sizes(endpoint: string): Promise<{ total: number; inUse: number }> {
  const text = await scrape(endpoint);
  const value = (name: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    total: value("etcd_mvcc_db_total_size_in_bytes"),
    inUse: value("etcd_mvcc_db_total_size_in_use_in_bytes"),
  };
}

test("the sizes grow when it is filled, fall in use by compaction, in total by defragmentation", async () => {
  const flags = ["--backend-batch-interval", "10ms", "--self-care=off"];
  const member = await MemberProcess.start(OUR_ETCD, join(root, "sizes"), await freePorts(), flags);
  try {
    const { kv, maintenance } = member.client;
    const key = bytes("key");
    for (let put = 0; put < 64; put++) await kv.put({ key, value: Buffer.alloc(100_000, put) });
    const revision = (await kv.range({ key })).header!.revision;
    const filled = await sizes(member.endpoint);
    assert.ok(filled.total > 6e6 && filled.inUse > 6e6, JSON.stringify(filled));
    await kv.compact({ revision, physical: true });
    const compacted = await sizes(member.endpoint);
    assert.ok(compacted.total >= filled.total, JSON.stringify(compacted));
    assert.ok(compacted.inUse < 1e6, JSON.stringify(compacted));
    const status = await maintenance.status();
    assert.deepEqual([status.dbSize, status.dbSizeInUse], [compacted.total, compacted.inUse]);
    await maintenance.defragment();
    const defragmented = await sizes(member.endpoint);
    assert.ok(defragmented.total < 1e6, JSON.stringify(defragmented));
    assert.ok(defragmented.inUse <= defragmented.total);
  } finally {
    await member.stop();
  }
});
