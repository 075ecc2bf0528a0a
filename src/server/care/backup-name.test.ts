import assert from "node:assert/strict";
import { test } from "node:test";
import { backupName, isBackupName, unixMsOf } from "./backup-name.ts";

test("a backup's name says whose it is and when it was made", () => {
  const unixMs = Date.UTC(2026, 10, 28, 3, 15, 7);
  const name = backupName("cdf8-8e9e-", unixMs, 4711);
  assert.equal(name, "cdf8-8e9e-20261128T031507Z-r4711.db");
  assert.equal(unixMsOf(name, "cdf8-8e9e-"), unixMs);
  assert.equal(unixMsOf("cdf8-8e9e-other.db", "cdf8-8e9e-"), undefined);
  for (const path of [name, `/backups/${name}`, `./${name}`]) assert.ok(isBackupName(path), path);
  for (const path of ["backup.db", `${name}.part`, `x${name}`, "20261128T031507Z-r1.db"]) {
    assert.ok(!isBackupName(path), path);
  }
});
