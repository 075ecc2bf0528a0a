import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuota } from "./quota-keys.ts";

test("bytes, keys or both", () => {
  const none = Number.POSITIVE_INFINITY;
  const limits = (text: string) => {
    const quota = parseQuota("/a/", text);
    assert.ok(typeof quota !== "string", text);
    return [quota.prefix, quota.bytesMax, quota.keysMax];
  };
  assert.deepEqual(limits("200M:50000"), ["/a/", 200 * 1024 ** 2, 50_000]);
  assert.deepEqual(limits(":10"), ["/a/", none, 10]);
  assert.deepEqual(limits("1K"), ["/a/", 1024, none]);
  assert.deepEqual(limits("0:0"), ["/a/", 0, 0]);
});

test("what is none says why", () => {
  for (const text of ["", ":", "3X", "-1", "1M:x", "1:2:3", "1.5G", "9".repeat(16)]) {
    assert.equal(parseQuota("/a/", text), "a quota is BYTES[K|M|G][:KEYS] or :KEYS", text);
  }
  for (const prefix of ["", "/a"]) {
    assert.equal(parseQuota(prefix, "1"), "a prefix with a quota ends with a slash");
  }
});
