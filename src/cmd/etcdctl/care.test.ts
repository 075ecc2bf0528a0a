// Commands about the store's care: what they show, what they ask, and servers that are not ours.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../client/bytes.ts";
import {
  encodeActionsResponse,
  encodeForecastResponse,
  encodeUsageResponse,
  encodeWritersResponse,
  newPrefixUsage,
} from "../../wire/messages/quorate.ts";
import { encodeMemberListResponse } from "../../wire/messages/rpc-cluster.ts";
import { encodeRangeResponse } from "../../wire/messages/rpc-kv.ts";
import {
  AlarmType,
  encodeAlarmResponse,
  encodeStatusResponse,
} from "../../wire/messages/rpc-maintenance.ts";
import { Code, RpcError } from "../../wire/status.ts";
import { foldTree } from "./du.ts";
import { type FakeSetup, plainErrors, run } from "./testing/fake-world.ts";

const header = { clusterId: 1n, memberId: 0xa1n, revision: 50, raftTerm: 2 };

function byMethod(answers: Record<string, () => Uint8Array>): FakeSetup {
  const unknown = (): never => {
    throw new RpcError(Code.Unimplemented, "unknown service quoratepb.Care");
  };
  return { answer: ({ path }) => (answers[path.split("/").at(-1)!] ?? unknown)() };
}

const usage = byMethod({
  Usage: () =>
    encodeUsageResponse({
      header,
      uptimeMs: 60_000,
      prefixes: [
        { depth: 0, keys: 3, liveBytes: 3000, historyBytes: 900, historyRecords: 9 },
        { prefix: bytes("/a/"), depth: 1, keys: 1, liveBytes: 100, historyBytes: 0 },
        {
          prefix: bytes("/b/"),
          depth: 1,
          keys: 2,
          liveBytes: 2900,
          historyBytes: 900,
          coarse: true,
        },
      ],
      findings: [
        {
          pattern: "polled-lock",
          subject: bytes("/b/"),
          text: "keys came and went",
          advice: "wait",
        },
      ],
      dbSize: 8192,
      dbSizeInUse: 4096,
      dbSizeQuota: 2147483648,
    }),
  Writers: () =>
    encodeWritersResponse({
      header,
      uptimeMs: 10_000,
      writers: [
        { address: "10.0.0.1", agent: "etcdctl", puts: 30, deletes: 5, bytes: 3500 },
        { certificateName: "api", address: "10.0.0.2", txns: 10, bytes: 100, uncertain: 2 },
      ],
      writes: 50,
      bytes: 4000,
      leases: [{ lease: 0x6f1an, ttl: 30, keys: 1, writes: 7, bytes: 70 }],
      leaseCount: 4,
      emptyLeaseCount: 3,
    }),
  Forecast: () =>
    encodeForecastResponse({
      header,
      windowMs: 3600_000,
      dbSize: 8192,
      dbSizeInUse: 4096,
      dbSizeQuota: 1_000_000,
      liveBytes: 100,
      historyBytes: 50,
      inUseBytesPerHour: 2048,
      quotaInMs: 100 * 3600_000,
      quotaOfLiveInMs: -1,
      selfCare: "on",
    }),
  Actions: () =>
    encodeActionsResponse({
      header,
      selfCare: "on",
      actions: [
        {
          ...{ unixMs: 1_700_000_000_000, action: "compact", revision: 40, result: "done" },
          ...{
            reason: "50 % of the quota is in use",
            bytesBefore: 9000,
            bytesAfter: 1000,
            tookMs: 12,
          },
        },
      ],
    }),
});

test("du: larger children first, then the file, then what explains it", async () => {
  const { out, code } = await run(["du"], usage);
  assert.equal(code, 0);
  assert.equal(
    out,
    "   3.9 kB    3.0 kB live     900 B history        3 keys  (all)\n" +
      "   3.8 kB    2.9 kB live     900 B history        2 keys  · /b/ …\n" +
      "    100 B     100 B live       0 B history        1 keys  · /a/\n" +
      "file 8.2 kB, in use 4.1 kB, quota 2.1 GB, compacted at revision 0\n" +
      "polled-lock /b/: keys came and went\n  → wait\n",
  );
  const json = JSON.parse((await run(["du", "-w", "json"], usage)).out);
  assert.equal(json.prefixes.length, 3);
  assert.match((await run(["du", "-w", "table"], usage)).out, /│ 3\.8 kB │ 2\.9 kB │ {3}900 B │/);
  assert.equal((await run(["du", "a", "b"], usage)).code, 128);
});

test("du: what holds nothing but one other prefix is left out", () => {
  const row = (prefix: string, depth: number, liveBytes: number, keys: number) =>
    Object.assign(newPrefixUsage(), { prefix: Buffer.from(prefix), depth, liveBytes, keys });
  const rows = [
    row("", 0, 900, 9),
    row("/", 1, 900, 9),
    row("/registry/", 2, 900, 9),
    row("/registry/pods/", 3, 800, 8),
    row("/registry/pods/a/", 4, 500, 5),
    row("/registry/pods/b/", 4, 300, 3),
    row("/registry/leases/", 3, 100, 1),
    row("/registry/leases/kube-system/", 4, 100, 1),
  ];
  const folded = (levels: number): [string, number][] =>
    foldTree(rows, levels).map(({ prefix, depth }) => [Buffer.from(prefix).toString(), depth]);
  assert.deepEqual(folded(1), [
    ["", 0],
    ["/registry/", 1],
  ]);
  assert.deepEqual(folded(2), [
    ["", 0],
    ["/registry/", 1],
    ["/registry/pods/", 2],
    ["/registry/leases/kube-system/", 2],
  ]);
  assert.equal(folded(3).length, 6);
});

test("writers, forecast and care", async () => {
  const writers = await run(["writers"], usage);
  assert.equal(
    writers.out,
    "35, 3.5, 30, 0, 5, 0, 3.5 kB, 0, 10.0.0.1 etcdctl\n" +
      "≥10, 1.0, 0, 10, 0, 0, 100 B, 0, CN=api 10.0.0.2 (no agent)\n" +
      "lease 0000000000006f1a, 30s, 1, 7, 70 B\n" +
      "50 writes, 4.0 kB in 10 s; 5 of callers not listed; 4 leases, 3 without keys\n",
  );
  const forecast = await run(["forecast"], usage);
  assert.match(forecast.out, /^quota reached: +in 4 days 4 h$/m);
  assert.match(forecast.out, /^… by live data alone: +not at this rate$/m);
  const care = await run(["care"], usage);
  assert.match(care.out, /^2023-11-14T22:13:20, compact 40, done, 9\.0 kB, 1\.0 kB, 12ms, 50 % of/);
});

test("top shows what has changed between two looks", async () => {
  const { out, sleptMs } = await run(["top", "--interval=1s", "--count=2"], usage);
  assert.equal(sleptMs, 2000);
  assert.equal(out.match(/revisions\/s {3}file 8\.2 kB/g)?.length, 2);
  assert.match(out, /polled-lock/);
});

test("a server that is not ours is told from one that is down", async () => {
  for (const command of ["du", "top", "writers", "forecast", "care", "quota list"]) {
    const ran = await run(command.split(" "), byMethod({}));
    assert.equal(ran.code, 4, command);
    assert.match(plainErrors(ran), /^Error: the server at \S+ keeps no account of its store: /);
  }
});

/** Two members, m2 leads; what is asked is noted by the test through `calls`. */
function cluster(more: { errors?: string[]; sizeAfter?: number } = {}): FakeSetup {
  let defragmented = 0;
  const status = (): Uint8Array =>
    encodeStatusResponse({
      header: { ...header, memberId: 0xa2n },
      version: "3.7.3",
      dbSize: defragmented > 0 ? (more.sizeAfter ?? 1000) : 9900,
      dbSizeInUse: 1000,
      dbSizeQuota: 10_000,
      leader: 0xa2n,
      raftAppliedIndex: 9,
      errors: more.errors ?? ["memberID:161  alarm:NOSPACE"],
    });
  return byMethod({
    MemberList: () =>
      encodeMemberListResponse({
        header,
        members: [{ id: 0xa2n, name: "m2", clientURLs: ["http://c:2"] }],
      }),
    Status: status,
    Compact: () => new Uint8Array(0),
    Defragment: () => {
      defragmented++;
      return new Uint8Array(0);
    },
    Alarm: () =>
      encodeAlarmResponse({ header, alarms: [{ memberID: 0xa2n, alarm: AlarmType.NOSPACE }] }),
    Range: () => encodeRangeResponse({ header, count: 0 }),
    Put: () => new Uint8Array(0),
    DeleteRange: () => new Uint8Array(0),
  });
}

const namesOf = (calls: readonly { path: string }[]): string[] =>
  calls.map(({ path }) => path.split("/").at(-1)!);

test("recover --dry-run only looks", async () => {
  const { out, code, calls } = await run(["recover", "--dry-run"], cluster());
  assert.equal(code, 0, out);
  assert.deepEqual([...new Set(namesOf(calls))].sort(), ["Alarm", "MemberList", "Status"]);
  assert.match(out, /4\. defragment m2 \(leader\)/);
  assert.match(out, /dry run: nothing was changed\n$/);
});

test("recover does one thing after the other", async () => {
  const { out, calls } = await run(["recover", "--snapshot="], cluster());
  assert.match(out, /9\.9 kB → 1\.0 kB/);
  assert.match(out, /recovered\n$/);
  const steps = out.split("\n").filter((line) => /^\d\./.test(line));
  assert.deepEqual(steps, [
    "1. look at all members",
    "2. no snapshot, as asked",
    "3. compact the history below revision 50 (now is 50)",
    "4. defragment m2 (leader)",
    "5. disarm NOSPACE",
    "6. test: write and delete /quorate/recover-test",
  ]);
  assert.deepEqual(namesOf(calls).sort(), [
    ...["Alarm", "Alarm", "Compact", "Defragment", "DeleteRange", "MemberList", "Put", "Range"],
    ...["Status", "Status"],
  ]);
});

test("recover stops at the first doubt", async () => {
  const corrupt = await run(["recover", "--snapshot="], cluster({ errors: ["alarm:CORRUPT"] }));
  assert.equal(corrupt.code, 1);
  assert.match(plainErrors(corrupt), /stopped at step 1: member m2 has an alarm: alarm:CORRUPT/);
  assert.ok(!namesOf(corrupt.calls).includes("Compact"));
  const full = await run(["recover", "--snapshot="], cluster({ sizeAfter: 9500 }));
  assert.match(plainErrors(full), /stopped at step 5: m2 still has 9\.5 kB of 10 kB: delete keys/);
  assert.ok(!namesOf(full.calls).includes("Put"));
});
