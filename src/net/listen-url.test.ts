import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointsOf, parseListenUrl } from "./listen-url.ts";

test("URLs of every kind", () => {
  const parts = (text: string): unknown[] => {
    const { isSecure, path, host, port } = parseListenUrl(text);
    return [isSecure, path, host, port];
  };
  assert.deepEqual(parts("http://127.0.0.1:2379"), [false, null, "127.0.0.1", 2379]);
  assert.deepEqual(parts("https://0.0.0.0:0/"), [true, null, "0.0.0.0", 0]);
  assert.deepEqual(parts("http://[::1]:2379"), [false, null, "::1", 2379]);
  assert.deepEqual(parts("http://:2379"), [false, null, "", 2379]);
  assert.deepEqual(parts("unix:///run/etcd.sock"), [false, "/run/etcd.sock", "", 0]);
  assert.deepEqual(parts("unixs://etcd.sock:1"), [true, "etcd.sock:1", "", 0]);
});

test("what is wrong with a URL is said as etcd says it", () => {
  const wrong: Record<string, string> = {
    "127.0.0.1:2379": "URL scheme must be http, https, unix, or unixs: 127.0.0.1:2379",
    "tcp://a:1": "URL scheme must be http, https, unix, or unixs: tcp://a:1",
    "http://a": 'URL address does not have the form "host:port": http://a',
    "http://::1:2379": 'URL address does not have the form "host:port": http://::1:2379',
    "http://a:1/b": "URL must not contain a path: http://a:1/b",
  };
  for (const [url, message] of Object.entries(wrong)) {
    assert.throws(() => parseListenUrl(url), { message });
  }
});

test("URLs of one address share it", () => {
  const endpoints = endpointsOf([
    "http://localhost:1",
    "https://127.0.0.1:1",
    "https://127.0.0.1:2",
    "unix://a",
  ]);
  const kinds = endpoints.map((one) => [one.path ?? one.host, one.acceptsPlain, one.acceptsTls]);
  assert.deepEqual(kinds, [
    ["127.0.0.1", true, true],
    ["127.0.0.1", false, true],
    ["a", true, false],
  ]);
});
