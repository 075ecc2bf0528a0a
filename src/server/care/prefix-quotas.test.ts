import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { silentLogger } from "../../base/log.ts";
import { decodeTxnRequest, encodeTxnRequest } from "../../wire/messages/rpc-kv.ts";
import { PrefixQuotas } from "./prefix-quotas.ts";
import { QUOTA_KEYS, QUOTAS_MAX } from "./quota-keys.ts";

class Bench {
  readonly applied = new AppliedState({ pinnedPrefixes: [QUOTA_KEYS] });
  readonly quotas = new PrefixQuotas(this.applied.state.mvcc, silentLogger);

  constructor(limits: Readonly<Record<string, string>> = {}) {
    for (const [prefix, limit] of Object.entries(limits)) this.limit(prefix, limit);
  }

  put(key: string, value = ""): void {
    this.applied.put(key, value);
    this.quotas.applied();
  }

  limit(prefix: string, limits: string): void {
    this.put(QUOTA_KEYS + prefix, limits);
  }

  delete(key: string, rangeEnd = ""): void {
    this.applied.delete(key, rangeEnd);
    this.quotas.applied();
  }

  refusal(key: string, valueBytes = 1, nowMs = 0): string | undefined {
    return this.quotas.refusePut(key, valueBytes, nowMs)?.message;
  }
}

test("keys: a new one too many is refused by name, known ones may change", () => {
  const bench = new Bench({ "/jobs/": ":2" });
  bench.put("/jobs/a", "1");
  assert.equal(bench.refusal("/jobs/b/c"), undefined);
  bench.put("/jobs/b/c", "1");
  assert.equal(
    bench.refusal("/jobs/d"),
    'etcdserver: quota of prefix "/jobs/" exceeded: 2 of 2 keys',
  );
  assert.equal(bench.refusal("/jobs/a", 1000), undefined);
  assert.equal(bench.refusal("/jobs"), undefined, "not below the prefix");
  bench.delete("/jobs/a");
  assert.equal(bench.refusal("/jobs/d"), undefined);
});

test("keys that were let in count before they are applied, until it is clear that they fail", () => {
  const bench = new Bench({ "/jobs/": ":3" });
  for (const key of ["/jobs/a", "/jobs/b", "/jobs/c"]) {
    assert.equal(bench.refusal(key, 1, 1000), undefined);
  }
  assert.match(bench.refusal("/jobs/d", 1, 1000) ?? "", /exceeded: 0 of 3 keys/);
  assert.equal(bench.refusal("/jobs/a", 1, 1000), undefined, "the same again");
  bench.put("/jobs/a");
  assert.match(bench.refusal("/jobs/d", 1, 1000) ?? "", /exceeded: 1 of 3 keys/);
  assert.equal(bench.refusal("/jobs/d", 1, 20_000), undefined);
});

test("bytes: of the newest records, wherever below the prefix, history apart", () => {
  const bench = new Bench({ "/t/x/": "2000" });
  for (let i = 0; i < 20; i++) bench.put("/t/x/deep/k", "v".repeat(900));
  bench.put("/t/other", "v".repeat(5000));
  assert.equal(bench.refusal("/t/x/l", 900, 1000), undefined);
  // What was let in counts, although it is not applied yet.
  assert.match(
    bench.refusal("/t/x/m", 900, 1000) ?? "",
    /quota of prefix "\/t\/x\/" exceeded: \d+ of 2000 bytes/,
  );
  assert.equal(bench.refusal("/t/x/deep/k", 900, 1000), undefined, "the same needs no more");
  // It was not applied after all.
  assert.equal(bench.refusal("/t/x/m", 900, 2000), undefined);
});

test("a prefix of which the account keeps nothing by itself is added up", () => {
  const bench = new Bench();
  for (let i = 0; i < 20; i++) bench.put(`/tenant/a/k${i}`, "v");
  for (let i = 0; i < 6000; i++) bench.put(`/tenant/t${i}/k`, "v".repeat(5000));
  const { space } = bench.applied.state.mvcc;
  assert.equal(space.tree.at("/tenant/a/"), undefined, "it was folded");
  bench.limit("/tenant/a/", "1M");
  const [state] = bench.quotas.states;
  assert.equal(state?.room.keys(), 20);
  const bytesBefore = state?.room.bytes() ?? 0;
  assert.ok(bytesBefore > 20 * 12 && bytesBefore < 20 * 60, `${bytesBefore}`);
  bench.delete("/tenant/a/k0", "/tenant/a/k1");
  assert.ok(state!.room.bytes() < bytesBefore);
  bench.limit("/tenant/a/", "300");
  assert.match(bench.refusal("/tenant/a/new") ?? "", /"\/tenant\/a\/" exceeded: \d+ of 300 bytes/);
});

test("a prefix with a quota keeps its account, however many others there are", () => {
  const bench = new Bench({ "/tenant/a/": "200" });
  for (let i = 0; i < 6000; i++) bench.put(`/tenant/t${i}/k`, "v".repeat(50));
  bench.put("/tenant/a/k", "v".repeat(150));
  const { tree } = bench.applied.state.mvcc.space;
  assert.ok(tree.isClosed(tree.at("/tenant/")!));
  assert.notEqual(tree.at("/tenant/a/"), undefined);
  assert.notEqual(bench.refusal("/tenant/a/l", 10), undefined);
  assert.equal(bench.refusal("/tenant/b/l", 10), undefined);
});

test("a quota comes, changes and goes with its key; one that is none is told", () => {
  const bench = new Bench();
  assert.equal(bench.refusal("/a/k"), undefined);
  bench.limit("/a/", ":0");
  assert.notEqual(bench.refusal("/a/k"), undefined);
  bench.limit("/a/", ":1");
  assert.equal(bench.refusal("/a/k"), undefined);
  bench.limit("/a/", "much");
  bench.limit("/b", "1");
  assert.deepEqual(
    bench.quotas.states.map(({ prefix, quota }) => [prefix, typeof quota]),
    [
      ["/a/", "string"],
      ["/b", "string"],
    ],
  );
  assert.equal(bench.refusal("/a/k"), undefined);
  bench.delete(QUOTA_KEYS, "quorate.io/quotas0");
  assert.deepEqual(bench.quotas.states, []);
});

test("a quota does not count quotas: it could never be raised again", () => {
  const bench = new Bench({ "quorate.io/": "0:0" });
  assert.equal(bench.refusal(`${QUOTA_KEYS}quorate.io/`), undefined);
  assert.notEqual(bench.refusal("quorate.io/other"), undefined);
});

test("a member that starts has the quotas of before", () => {
  const { applied } = new Bench({ "/a/": ":0" });
  const again = applied.restarted({ pinnedPrefixes: [QUOTA_KEYS] });
  const quotas = new PrefixQuotas(again.state.mvcc, silentLogger);
  quotas.applied();
  assert.notEqual(quotas.refusePut("/a/k", 1, 0), null);
});

test("not more of them than a put can be checked against", () => {
  const bench = new Bench();
  for (let i = 0; i < QUOTAS_MAX + 3; i++) bench.limit(`/q${1000 + i}/`, ":0");
  const [last, behind] = [`/q${1000 + QUOTAS_MAX - 1}/k`, `/q${1000 + QUOTAS_MAX}/k`];
  assert.notEqual(bench.refusal(last), undefined);
  assert.equal(bench.refusal(behind), undefined);
  assert.match(String(bench.quotas.states.at(-1)?.quota), /more than 64/);
});

test("the puts of transactions, nested ones too", () => {
  const { quotas } = new Bench({ "q/": ":0" });
  const put = (key: string) => ({ requestPut: { key: bytes(key), value: bytes("") } });
  const decode = (request: Parameters<typeof encodeTxnRequest>[0]) =>
    decodeTxnRequest(encodeTxnRequest(request));
  assert.equal(quotas.refuseTxn(decode({ success: [put("p/a")] }), 0), null);
  assert.notEqual(
    quotas.refuseTxn(decode({ success: [put("p/a")], failure: [put("q/a")] }), 0),
    null,
  );
  const nested = { requestTxn: { success: [put("q/b")] } };
  assert.notEqual(quotas.refuseTxn(decode({ success: [nested] }), 0), null);
  assert.notEqual(quotas.refuseTxnBytes(encodeTxnRequest({ success: [nested] }), 0), null);
});
