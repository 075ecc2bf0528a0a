import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefixQuotas } from "./prefix-quota.ts";

test("prefixes with bytes, keys or both", () => {
  const none = Number.POSITIVE_INFINITY;
  assert.deepEqual(parsePrefixQuotas(""), []);
  assert.deepEqual(parsePrefixQuotas("/events/=200M:50000,/jobs/=:10,a/=3,b=c/=1K"), [
    { prefix: "/events/", bytesMax: 200 * 1024 ** 2, keysMax: 50_000 },
    { prefix: "/jobs/", bytesMax: none, keysMax: 10 },
    { prefix: "a/", bytesMax: 3, keysMax: none },
    { prefix: "b=c/", bytesMax: 1024, keysMax: none },
  ]);
});

test("what is no quota is named", () => {
  for (const text of ["/jobs/", "/jobs=3", "/jobs/=", "/jobs/=:", "/jobs/=3X", "=3", "/a/=1,"]) {
    assert.throws(() => parsePrefixQuotas(text), /invalid prefix quota "/, text);
  }
});
