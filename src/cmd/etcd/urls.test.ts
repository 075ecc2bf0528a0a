import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClusterUrls, parseUniqueUrls, parseUrls, showClusterUrls } from "./urls.ts";

function fault(list: string): string {
  try {
    parseUrls(list.split(","));
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("urls keep their spelling, and lists are sorted and without repetitions", () => {
  const urls = parseUniqueUrls(" http://h:1 , http://a:2,HTTP://h:1,unix:///run/etcd.sock");
  assert.deepEqual(
    urls.map((url) => url.text),
    ["http://a:2", "http://h:1", "unix:///run/etcd.sock"],
  );
});

test("a url is taken apart", () => {
  const [url] = parseUrls(["https://[fe80::1%25eth0]:2379"]);
  assert.equal(url!.scheme, "https");
  assert.equal(url!.hostname, "fe80::1%25eth0");
  assert.equal(url!.port, "2379");
  const [socket] = parseUrls(["unix:etcd.sock"]);
  assert.deepEqual([socket!.host, socket!.path], ["", "etcd.sock"]);
});

test("what Go accepts is accepted", () => {
  for (const url of ["http://:", "http://h:", "http://u:p@h:1", "http://h:1?x", "http://h:1#f"]) {
    assert.equal(fault(url), "", url);
  }
  for (const url of ["HTTP://h:1", "http://h%e4:1", "unix://", "http://\u00e9:1", "http://@h:1"]) {
    assert.equal(fault(url), "", url);
  }
});

const faults: readonly (readonly [string, string])[] = [
  ["", "URL scheme must be http, https, unix, or unixs: "],
  ["foo", "URL scheme must be http, https, unix, or unixs: foo"],
  ["localhost:2379", "URL scheme must be http, https, unix, or unixs: localhost:2379"],
  ["//h:1", "URL scheme must be http, https, unix, or unixs: //h:1"],
  ["http://foo:1/a", "URL must not contain a path: http://foo:1/a"],
  ["http://foo", 'URL address does not have the form "host:port": http://foo'],
  ["http://[::1]", 'URL address does not have the form "host:port": http://[::1]'],
  ["http:foo", 'URL address does not have the form "host:port": http:foo'],
  ["127.0.0.1:1", 'parse "127.0.0.1:1": first path segment in URL cannot contain colon'],
  [":1", 'parse ":1": missing protocol scheme'],
  ["http://[::1", `parse "http://[::1": missing ']' in host`],
  ["http://a b:1", 'parse "http://a b:1": invalid character " " in host name'],
  ["http://a:x", 'parse "http://a:x": invalid port ":x" after host'],
  ["http://a:b:1", 'parse "http://a:b:1": invalid port ":b:1" after host'],
  ["http://[::1]x:1", 'parse "http://[::1]x:1": invalid port "x:1" after host'],
  ["http://a%zz:1", 'parse "http://a%zz:1": invalid URL escape "%zz"'],
  ["http://h%41:1", 'parse "http://h%41:1": invalid URL escape "%41"'],
  ["http://h%2:1", 'parse "http://h%2:1": invalid URL escape "%2:"'],
  ["http://h:1/%zz", 'parse "http://h:1/%zz": invalid URL escape "%zz"'],
  ["http://[fe80::1%eth0]:1", 'parse "http://[fe80::1%eth0]:1": invalid URL escape "%et"'],
  ["http://[foo]:1", 'parse "http://[foo]:1": invalid host: ParseAddr("foo"): unable to parse IP'],
  ["http://a b@h:1", 'parse "http://a b@h:1": net/url: invalid userinfo'],
  ["http://a\u0001:1", 'parse "http://a\\x01:1": net/url: invalid control character in URL'],
];

for (const [url, text] of faults) {
  test(`fault of ${JSON.stringify(url)}`, () => assert.equal(fault(url), text));
}

test("an initial cluster is a map from names to urls", () => {
  const cluster = parseClusterUrls("b=http://b:1,,a=http://a:2,a=http://a:1");
  assert.equal(showClusterUrls(cluster), "a=http://a:1,a=http://a:2,b=http://b:1");
  assert.throws(() => parseClusterUrls("foo"), /URL scheme must be/);
  assert.equal(parseClusterUrls("").size, 0);
});
