import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEndpoint } from "./endpoint.ts";

const tcp = (host: string, port: number): object => ({ kind: "tcp", host, port });

test("endpoints in all spellings", () => {
  const cases: [string, object, string, string][] = [
    ["127.0.0.1:2379", tcp("127.0.0.1", 2379), "127.0.0.1:2379", "configured"],
    [":2379", tcp("localhost", 2379), ":2379", "configured"],
    ["[::1]:2379", tcp("::1", 2379), "[::1]:2379", "configured"],
    ["http://a.b:1", tcp("a.b", 1), "a.b:1", "never"],
    ["https://a.b:1/path?x", tcp("a.b", 1), "a.b:1", "always"],
    ["https://user@a.b:1", tcp("a.b", 1), "a.b:1", "always"],
    ["unix:///run/etcd.sock", { kind: "unix", path: "/run/etcd.sock" }, "localhost", "configured"],
    ["unix:etcd.sock", { kind: "unix", path: "etcd.sock" }, "localhost", "configured"],
    ["unixs://etcd.sock", { kind: "unix", path: "etcd.sock" }, "localhost", "always"],
  ];
  for (const [text, address, authority, tls] of cases) {
    assert.deepEqual(parseEndpoint(text), { text, address, authority, tls });
  }
});

test("what makes no sense is an address that cannot be reached", () => {
  for (const text of ["", " ", "nonsense", "host:port", "127.0.0.1", "127.0.0.1:1/", "a:99999"]) {
    assert.equal(parseEndpoint(text).address.kind, "bad", text);
  }
  assert.equal(parseEndpoint("ftp://127.0.0.1:1").address.kind, "bad");
});
