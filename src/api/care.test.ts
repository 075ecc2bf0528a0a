import assert from "node:assert/strict";
import { test } from "node:test";
import { SimWorld } from "../../test/simulation/world.ts";
import { memberOptions, ServedMember } from "../../test/watch/served-member.ts";
import type { MemberOptions } from "../server/options.ts";
import {
  decodeActionsResponse,
  decodeForecastResponse,
  decodeQuotasResponse,
  decodeUsageResponse,
  decodeWritersResponse,
  encodeUsageRequest,
} from "../wire/messages/quorate.ts";
import {
  decodeDeleteRangeResponse,
  decodePutResponse,
  encodeDeleteRangeRequest,
  encodePutRequest,
} from "../wire/messages/rpc-kv.ts";
import { decodeLeaseGrantResponse, encodeLeaseGrantRequest } from "../wire/messages/rpc-lease.ts";
import { renderMetrics } from "./exposition.ts";
import { careMetrics } from "./metrics-care.ts";

const NOTHING = new Uint8Array(0);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

class Bench {
  readonly world = new SimWorld(1);
  readonly served: ServedMember;

  constructor(options: Partial<MemberOptions> = {}) {
    const io = this.world.machine(1n).start();
    this.served = new ServedMember(this.world, io, memberOptions(options)).start();
  }

  put(key: string, value: string, lease = 0n): void {
    const request = encodePutRequest({ key: Buffer.from(key), value: Buffer.from(value), lease });
    this.served.ask("/etcdserverpb.KV/Put", request, decodePutResponse);
  }

  delete(key: string): void {
    const request = encodeDeleteRangeRequest({ key: Buffer.from(key) });
    this.served.ask("/etcdserverpb.KV/DeleteRange", request, decodeDeleteRangeResponse);
  }

  grant(id: bigint): void {
    const request = encodeLeaseGrantRequest({ id, ttl: 600 });
    this.served.ask("/etcdserverpb.Lease/LeaseGrant", request, decodeLeaseGrantResponse);
  }

  usage(prefix = "", depth = 0) {
    const request = encodeUsageRequest({ prefix: Buffer.from(prefix), depth });
    // A survey of before would be good for some seconds.
    this.world.runFor(6000);
    return this.served.ask("/quoratepb.Care/Usage", request, decodeUsageResponse);
  }
}

test("what lies where, the largest values and the most written keys", () => {
  const bench = new Bench();
  for (let i = 0; i < 5; i++) bench.put(`/registry/pods/p${i}`, "x".repeat(100 * (i + 1)));
  for (let i = 0; i < 20; i++) bench.put("/status", `${i}`);
  bench.delete("/registry/pods/p0");
  const all = bench.usage();
  const rows = new Map(all.prefixes.map((row) => [text(row.prefix), row]));
  assert.deepEqual([...rows.keys()], ["", "/", "/registry/", "/registry/pods/"]);
  const pods = rows.get("/registry/pods/")!;
  assert.equal(pods.keys, 4);
  assert.equal(pods.tombstones, 1);
  assert.equal(pods.historyRecords, 2);
  assert.equal(text(pods.largestKey), "/registry/pods/p4");
  assert.ok(pods.largestBytes > 500 && pods.largestBytes < 560);
  const root = rows.get("")!;
  assert.equal(root.keys, 5);
  assert.equal(root.creates, 6);
  assert.equal(root.updates, 19);
  assert.equal(root.deletes, 1);
  assert.ok(root.liveBytes > pods.liveBytes);
  assert.equal(text(all.largest[0]!.key), "/registry/pods/p4");
  assert.equal(text(all.mostWritten[0]!.key), "/status");
  assert.equal(all.mostWritten[0]!.version, 20);
  assert.equal(bench.usage("", 1).prefixes.length, 2);
  assert.equal(bench.usage("/registry/").prefixes[0]!.keys, 4);
  assert.equal(
    bench.served.refusal(
      "/quoratepb.Care/Usage",
      encodeUsageRequest({ prefix: Buffer.from("/registry/pods/p") }),
    ),
    '5 etcdserver: no account is kept of "/registry/pods/p" by itself: it is counted in "/registry/pods/"',
  );
});

test("a lock that is polled and a key that is rewritten are named", () => {
  const bench = new Bench();
  bench.grant(0x6f1an);
  for (let i = 0; i < 150; i++) {
    bench.put("my-lock/6f1a", "", 0x6f1an);
    bench.delete("my-lock/6f1a");
  }
  for (let i = 0; i < 1100; i++) bench.put("/service/batman/status", `${i}`);
  const found = bench.usage().findings.map(({ pattern, subject }) => [pattern, text(subject)]);
  assert.deepEqual(found, [
    ["rewritten-key", "/service/batman/status"],
    ["polled-lock", "my-lock/"],
  ]);
});

test("many leases without keys, and events that only come, are named", () => {
  const bench = new Bench();
  for (let i = 1n; i <= 120n; i++) bench.grant(i);
  for (let minute = 0; minute < 50; minute++) {
    for (let i = 0; i < 30; i++) bench.put(`/events/e${minute}.${i}`, "event");
    bench.world.runFor(60_000);
    if (minute < 10) {
      const early = bench.usage().findings.map(({ pattern }) => pattern);
      assert.ok(!early.includes("unexpired-events"), "a store that is filled once is no stream");
    }
  }
  for (let i = 1000n; i <= 1120n; i++) bench.grant(i);
  const found = bench.usage().findings.map(({ pattern, subject }) => [pattern, text(subject)]);
  assert.deepEqual(found, [
    ["unexpired-events", "/events/"],
    ["empty-leases", ""],
  ]);
});

test("who writes, and with which lease", () => {
  const bench = new Bench();
  bench.grant(5n);
  for (let i = 0; i < 3; i++) bench.put("a", "value", 5n);
  bench.put("b", "value");
  bench.delete("b");
  const answer = bench.served.ask("/quoratepb.Care/Writers", NOTHING, decodeWritersResponse);
  const sums = { puts: 0, deletes: 0, leases: 0 };
  for (const { address, puts, deletes, leases } of answer.writers) {
    assert.equal(address, "127.0.0.1");
    sums.puts += puts;
    sums.deletes += deletes;
    sums.leases += leases;
  }
  assert.deepEqual(sums, { puts: 4, deletes: 1, leases: 1 });
  assert.equal(answer.writes, 6);
  assert.equal(answer.writers.length, 1, "connections of one caller are one row");
  assert.deepEqual(
    answer.leases.map(({ lease, keys, writes }) => [lease, keys, writes]),
    [[5n, 1, 3]],
  );
});

test("the forecast: at the rate of the last hour", () => {
  const bench = new Bench({ quotaBackendBytes: 100 << 20 });
  for (let minute = 0; minute < 30; minute++) {
    for (let i = 0; i < 10; i++) bench.put(`/data/${minute}.${i}`, "x".repeat(10_000));
    bench.world.runFor(60_000);
  }
  const answer = bench.served.ask("/quoratepb.Care/Forecast", NOTHING, decodeForecastResponse);
  // 100 KB a minute of 100 MiB: some seventeen hours.
  const hours = answer.quotaInMs / 3600_000;
  assert.ok(hours > 10 && hours < 18, `${hours}`);
  const liveHours = answer.quotaOfLiveInMs / 3600_000;
  assert.ok(liveHours > 10 && liveHours < 18, `${liveHours}`);
  assert.equal(answer.historyBytesPerHour, 0);
  assert.equal(answer.selfCare, "off");
});

test("what self-care did can be asked", () => {
  const bench = new Bench({ selfCare: "on", quotaBackendBytes: 2 << 20 });
  for (let i = 0; i < 400; i++) {
    bench.put("key", `${i}`.padEnd(10_000, "v"));
    bench.world.runFor(50);
  }
  bench.world.runFor(60_000);
  const answer = bench.served.ask("/quoratepb.Care/Actions", NOTHING, decodeActionsResponse);
  assert.equal(answer.selfCare, "on");
  const [first] = answer.actions;
  assert.equal(first?.action, "compact");
  assert.equal(first?.result, "done");
  assert.ok(first!.bytesAfter < first!.bytesBefore);
  assert.match(first!.reason, /of the quota is in use/);
});

test("a quota of a prefix refuses by name, over the API", () => {
  const bench = new Bench();
  bench.put("quorate.io/quotas//jobs/", ":1");
  bench.put("quorate.io/quotas//none/", "all");
  bench.put("/jobs/1", "");
  const request = encodePutRequest({ key: Buffer.from("/jobs/2") });
  assert.equal(
    bench.served.refusal("/etcdserverpb.KV/Put", request),
    '8 etcdserver: quota of prefix "/jobs/" exceeded: 1 of 1 keys',
  );
  bench.put("/other", "");
  const { quotas } = bench.served.ask("/quoratepb.Care/Quotas", NOTHING, decodeQuotasResponse);
  assert.deepEqual(
    quotas.map(({ prefix, bytesMax, keysMax, keys, problem }) => [
      ...[text(prefix), bytesMax, keysMax, keys, problem],
    ]),
    [
      ["/jobs/", -1, 1, 1, ""],
      ["/none/", 0, 0, 0, "a quota is BYTES[K|M|G][:KEYS] or :KEYS"],
    ],
  );
});

test("labels of metrics are capped, and what is not shown is summed", () => {
  const bench = new Bench();
  for (let i = 0; i < 50; i++) bench.put(`/dir-${i}/key`, "x".repeat(i));
  const lines = renderMetrics(careMetrics(bench.served.member)).split("\n");
  const keys = lines.filter((line) => line.startsWith("quorate_prefix_keys{"));
  assert.equal(keys.length, 21);
  const sum = keys.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  assert.equal(sum, 50);
  assert.ok(keys.includes('quorate_prefix_keys{prefix="(other)"} 30'));
  assert.ok(lines.some((line) => /^quorate_writer_requests_total\{.*\} 50$/.test(line)));
});
