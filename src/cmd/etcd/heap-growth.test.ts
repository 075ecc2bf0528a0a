import assert from "node:assert/strict";
import { test } from "node:test";
import { heapGrowthPercent } from "./heap-growth.ts";

test("garbage may come for as much as is in use, and for 64 MB in any case", () => {
  const mebibyte = 1024 * 1024;
  assert.equal(heapGrowthPercent(1000 * mebibyte), 100);
  assert.equal(heapGrowthPercent(64 * mebibyte), 100);
  assert.equal(heapGrowthPercent(32 * mebibyte), 200);
  assert.equal(heapGrowthPercent(8 * mebibyte), 800);
});
