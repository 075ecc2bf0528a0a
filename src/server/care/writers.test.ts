import assert from "node:assert/strict";
import { test } from "node:test";
import { Origin } from "../../wire/rpc.ts";
import { WriteKind, Writers } from "./writers.ts";

test("a caller is certificate, address and agent, whatever its ports", () => {
  const writers = new Writers();
  for (let port = 1; port <= 5; port++) {
    const origin = new Origin(`10.0.0.1:${port}`, "", "etcdctl");
    writers.note(origin, WriteKind.Put, 100, port);
    writers.note(origin, WriteKind.Txn, 10, port);
  }
  const other = new Origin("10.0.0.1:9", "kube-apiserver", "etcdctl");
  writers.note(other, WriteKind.Delete, 7, 6);
  writers.refused(other);
  assert.deepEqual(
    writers.top(9).map(({ address, certificateName, counts, bytes, refused, lastMs }) => ({
      ...{ address, certificateName, counts, bytes, refused, lastMs },
    })),
    [
      {
        address: "10.0.0.1",
        certificateName: "",
        counts: [5, 5, 0, 0],
        bytes: 550,
        refused: 0,
        lastMs: 5,
      },
      {
        address: "10.0.0.1",
        certificateName: "kube-apiserver",
        counts: [0, 0, 1, 0],
        bytes: 7,
        refused: 1,
        lastMs: 6,
      },
    ],
  );
  assert.equal(writers.writes, 11);
  assert.equal(writers.bytes, 557);
});

test("of many who come and go, those who write most stay, and none counts for more than it did", () => {
  const writers = new Writers(10);
  const heavy = new Origin("1.1.1.1:1", "", "heavy");
  let heavyWrites = 0;
  for (let i = 0; i < 5000; i++) {
    writers.note(new Origin(`2.0.${i >> 8}.${i & 255}:1`, "", "passer-by"), WriteKind.Put, 1, i);
    // It comes late, when all rows are taken, and again over new connections.
    if (i < 1000 || i % 4 !== 0) continue;
    writers.note(i % 8 === 0 ? heavy : new Origin("1.1.1.1:7", "", "heavy"), WriteKind.Put, 1, i);
    heavyWrites++;
  }
  const row = writers.top(10).find(({ agent }) => agent === "heavy");
  assert.ok(row !== undefined, "a caller of a fifth of all writes is listed");
  assert.ok(row.writes <= heavyWrites);
  assert.ok(row.writes + row.uncertain >= heavyWrites);
  assert.equal(writers.writes, 5000 + heavyWrites);
  assert.ok(writers.top(99).length <= 10);
});
