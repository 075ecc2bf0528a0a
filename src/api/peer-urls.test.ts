import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedPeerUrls } from "./peer-urls.ts";

test("addresses of members need scheme and port, and come in one order", () => {
  const given = [" http://b:2 ", "https://[::1]:2380", "http://a:1", "unix:///run/m.sock"];
  assert.deepEqual(checkedPeerUrls(given), [
    "http://a:1",
    "http://b:2",
    "https://[::1]:2380",
    "unix:///run/m.sock",
  ]);
});

test("what no member could listen on is refused", () => {
  const wrong = ["", "bad", "127.0.0.1:1", "http://127.0.0.1", "http://a:1/path", "ftp://a:1"];
  for (const url of [...wrong, "http://a:x", "http://a b:1"]) {
    assert.equal(checkedPeerUrls(["http://good:1", url]), undefined, url);
  }
  assert.equal(checkedPeerUrls([]), undefined);
});
