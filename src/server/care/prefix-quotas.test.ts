import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { decodeTxnRequest, encodeTxnRequest } from "../../wire/messages/rpc-kv.ts";
import { PrefixQuotas } from "./prefix-quotas.ts";

const NONE = Number.POSITIVE_INFINITY;

test("keys: a new one too many is refused by name, known ones may change", () => {
  const applied = new AppliedState();
  const quotas = new PrefixQuotas(applied.state.mvcc, [
    { prefix: "/jobs/", bytesMax: NONE, keysMax: 2 },
  ]);
  applied.put("/jobs/a", "1");
  assert.equal(quotas.refusePut("/jobs/b/c", 1, 0), null);
  applied.put("/jobs/b/c", "1");
  assert.equal(
    quotas.refusePut("/jobs/d", 1, 0)?.message,
    'etcdserver: quota of prefix "/jobs/" exceeded: 2 of 2 keys',
  );
  assert.equal(quotas.refusePut("/jobs/a", 1000, 0), null);
  assert.equal(quotas.refusePut("/jobs", 1, 0), null, "not below the prefix");
  applied.delete("/jobs/a");
  assert.equal(quotas.refusePut("/jobs/d", 1, 0), null);
});

test("bytes: of the newest records, wherever below the prefix, history apart", () => {
  const applied = new AppliedState({ pinnedPrefixes: ["/t/x/"] });
  const { mvcc } = applied.state;
  const quotas = new PrefixQuotas(mvcc, [{ prefix: "/t/x/", bytesMax: 2000, keysMax: NONE }]);
  for (let i = 0; i < 20; i++) applied.put("/t/x/deep/k", "v".repeat(900));
  applied.put("/t/other", "v".repeat(5000));
  assert.equal(quotas.refusePut("/t/x/l", 900, 1000), null);
  // What was let in counts, although it is not applied yet.
  assert.match(
    quotas.refusePut("/t/x/m", 900, 1000)?.message ?? "",
    /quota of prefix "\/t\/x\/" exceeded: \d+ of 2000 bytes/,
  );
  assert.equal(quotas.refusePut("/t/x/deep/k", 900, 1000), null, "the same again needs no more");
  // It was not applied after all.
  assert.equal(quotas.refusePut("/t/x/m", 900, 2000), null);
});

test("a prefix with a quota keeps its account, however many others there are", () => {
  const applied = new AppliedState({ pinnedPrefixes: ["/tenant/a/"] });
  const { mvcc } = applied.state;
  const quotas = new PrefixQuotas(mvcc, [{ prefix: "/tenant/a/", bytesMax: 200, keysMax: NONE }]);
  for (let i = 0; i < 6000; i++) applied.put(`/tenant/t${i}/k`, "v".repeat(50));
  applied.put("/tenant/a/k", "v".repeat(150));
  assert.ok(mvcc.space.tree.isClosed(mvcc.space.tree.at("/tenant/")!));
  assert.notEqual(quotas.refusePut("/tenant/a/l", 10, 0), null);
  assert.equal(quotas.refusePut("/tenant/b/l", 10, 0), null);
});

test("the puts of transactions, nested ones too", () => {
  const applied = new AppliedState();
  const quotas = new PrefixQuotas(applied.state.mvcc, [
    { prefix: "q/", bytesMax: NONE, keysMax: 0 },
  ]);
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
});
