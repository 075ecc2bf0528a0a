import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { openSslCiphers } from "./cipher-suites.ts";
import { makeSelfCert } from "./self-cert.ts";
import { goText } from "./tls.ts";

function error(code: string, message: string): Error & { code: string } {
  return Object.assign(new Error(message), { code });
}

test("alerts and errors of OpenSSL in Go's words", () => {
  const alert = (number: number): string =>
    goText(
      error("ERR_SSL_X", `1234:error:0A:SSL routines:x:y:z.c:918:SSL alert number ${number}\n`),
    );
  assert.equal(alert(42), "remote error: tls: bad certificate");
  assert.equal(alert(48), "remote error: tls: unknown certificate authority");
  const notTls = error("ERR_SSL_HTTP_REQUEST", "http request");
  assert.equal(goText(notTls), "tls: first record does not look like a TLS handshake");
  assert.equal(goText(error("ECONNRESET", "socket hang up")), "EOF");
  assert.equal(goText(error("ERR_OTHER", "something else\n")), "something else");
});

test("Go's cipher names become OpenSSL's, in order", () => {
  const list = openSslCiphers([
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
  ]);
  assert.match(list, /^TLS_AES_128[^:]*:[^:]*:[^:]*:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHA/);
  assert.throws(() => openSslCiphers(["TLS_X"]), /unexpected TLS cipher suite "TLS_X"/);
});

test("a certificate of our own is a good one", () => {
  const notBeforeMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  const notAfterMs = Date.UTC(2066, 11, 31);
  const hosts = ["127.0.0.1", "::1", "2001:db8::ff00:42:8329", "etcd.example", "*.nodes.local"];
  const organization = "etcd";
  const { cert, key } = makeSelfCert({ hosts, notBeforeMs, notAfterMs, organization });
  const parsed = new X509Certificate(cert);
  assert.equal(parsed.subject, "O=etcd");
  assert.ok(parsed.verify(parsed.publicKey));
  assert.ok(parsed.ca);
  assert.equal(Date.parse(parsed.validFrom), notBeforeMs);
  assert.equal(Date.parse(parsed.validTo), notAfterMs);
  assert.ok(parsed.checkIP("127.0.0.1"));
  assert.ok(parsed.checkIP("2001:db8::ff00:42:8329"));
  assert.ok(parsed.checkIP("::1"));
  assert.equal(parsed.checkIP("127.0.0.2"), undefined);
  assert.ok(parsed.checkHost("etcd.example"));
  assert.ok(parsed.checkHost("a.nodes.local"));
  assert.match(key, /PRIVATE KEY/);
});
