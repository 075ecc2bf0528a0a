import assert from "node:assert/strict";
import { test } from "node:test";
import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import { text } from "./bytes.ts";
import { type Isolation, type Stm, transact } from "./stm.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";

const UNAVAILABLE = new RpcError(Code.Unavailable, "error reading from server: EOF");

async function number(stm: Stm, key: string): Promise<number> {
  const value = await stm.get(key);
  return value === undefined ? 0 : Number(text(value));
}

async function increment(stm: Stm): Promise<void> {
  stm.put("n", String((await number(stm, "n")) + 1));
}

test("writes are made together, and are seen by later reads of the function", async () => {
  const cluster = new FakeCluster();
  cluster.put("old", "x");
  const { header, result } = await transact(cluster.client(), async (stm) => {
    stm.put("a", "1");
    stm.put("b", "2");
    stm.delete("old");
    assert.equal(await stm.get("old"), undefined);
    assert.deepEqual(
      (await stm.getMany(["a", "c"])).map((v) => v && text(v)),
      ["1", undefined],
    );
    return number(stm, "b");
  });
  assert.equal(result, 2);
  assert.equal(header.revision, cluster.revision);
  const revisions = ["a", "b"].map((key) => cluster.keys.get(key)?.modRevision);
  assert.deepEqual(revisions, [header.revision, header.revision]);
  assert.equal(cluster.keys.has("old"), false);
});

test("transactions side by side lose no update", async () => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  await Promise.all(Array.from({ length: 8 }, () => transact(client, increment)));
  assert.equal(cluster.value("n"), "8");
});

test("after a conflict the new values are at hand: two calls for one conflict", async () => {
  const cluster = new FakeCluster();
  let runs = 0;
  await transact(cluster.client(), async (stm) => {
    const seen = await number(stm, "n");
    if (runs++ === 0) cluster.put("n", "5");
    stm.put("n", String(seen + 1));
  });
  assert.deepEqual([runs, cluster.value("n")], [2, "6"]);
  assert.deepEqual(cluster.calls, ["Txn", "Txn", "Txn"]);
});

test("prefetching reads all keys with one call", async () => {
  const cluster = new FakeCluster();
  cluster.put("a", "1");
  const prefetch = ["a", "b"];
  const { result } = await transact(
    cluster.client(),
    async (stm) => [await number(stm, "a"), await number(stm, "b"), await stm.revision("a")],
    { prefetch },
  );
  assert.deepEqual(result, [1, 0, 2]);
  assert.deepEqual(cluster.calls, ["Txn", "Txn"]);
});

/** The sum of two keys that others change together, by transactions that keep it at 10. */
async function sum(isolation: Isolation): Promise<{ sums: number[]; runs: number }> {
  const cluster = new FakeCluster();
  cluster.put("a", "5");
  cluster.put("b", "5");
  const client = cluster.client();
  const sums: number[] = [];
  const apply = async (stm: Stm): Promise<void> => {
    const a = await number(stm, "a");
    if (sums.length === 0) {
      await transact(client, (other) => {
        other.put("a", "2");
        other.put("b", "8");
      });
    }
    sums.push(a + (await number(stm, "b")));
  };
  await transact(client, apply, { isolation });
  return { sums, runs: sums.length };
}

test("what each isolation lets a function see, and whether it runs again", async () => {
  assert.deepEqual(await sum("serializable snapshot"), { sums: [10, 10], runs: 2 });
  assert.deepEqual(await sum("serializable"), { sums: [10, 10], runs: 2 });
  assert.deepEqual(await sum("repeatable reads"), { sums: [13, 10], runs: 2 });
  assert.deepEqual(await sum("read committed"), { sums: [13], runs: 1 });
});

test("a blind write conflicts only in a snapshot", async () => {
  const runsOf = async (isolation: Isolation): Promise<number> => {
    const cluster = new FakeCluster();
    let runs = 0;
    const apply = async (stm: Stm): Promise<void> => {
      await stm.get("other");
      if (runs++ === 0) cluster.put("blind", "theirs");
      stm.put("blind", "ours");
    };
    await transact(cluster.client(), apply, { isolation });
    assert.equal(cluster.value("blind"), "ours");
    return runs;
  };
  assert.equal(await runsOf("serializable snapshot"), 2);
  assert.equal(await runsOf("serializable"), 1);
});

test("what the function throws ends it, and nothing is written", async () => {
  const cluster = new FakeCluster();
  const failure = new Error("no");
  const attempt = transact(cluster.client(), (stm) => {
    stm.put("a", "1");
    throw failure;
  });
  await assert.rejects(attempt, (error) => error === failure);
  assert.deepEqual(cluster.calls, []);
});

test("a commit of unknown outcome is not repeated", async () => {
  const cluster = new FakeCluster();
  const attempt = transact(cluster.client(), (stm) => {
    cluster.fail("Txn", UNAVAILABLE, { isDone: true });
    stm.put("a", "1");
  });
  await assert.rejects(attempt, (error) => error === UNAVAILABLE);
  assert.deepEqual([cluster.value("a"), cluster.calls.length], ["1", 1]);
});

test("a read in a compacted past begins anew", async () => {
  const cluster = new FakeCluster();
  let runs = 0;
  const { result } = await transact(cluster.client(), async (stm) => {
    const a = await number(stm, "a");
    if (runs++ === 0) {
      cluster.put("a", "1");
      cluster.fail("Txn", Errors.Compacted, { isDone: false });
    }
    return a + (await number(stm, "b"));
  });
  assert.deepEqual([runs, result], [2, 1]);
});
