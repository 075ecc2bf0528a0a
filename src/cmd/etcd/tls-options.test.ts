import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecureContext } from "node:tls";
import { humanSize } from "../../base/human-size.ts";
import { defaultInterface } from "./default-host.ts";
import { cipherNames } from "./tls-options.ts";

test("Go's cipher suites are translated, and TLS 1.3 stays possible", () => {
  const names = cipherNames(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])!;
  assert.match(names, /^TLS_AES_128_GCM_SHA256:.*:ECDHE-RSA-AES128-GCM-SHA256$/);
  createSecureContext({ ciphers: names });
  assert.equal(cipherNames([]), undefined);
  assert.throws(() => cipherNames(["FOO"]), { message: 'unexpected TLS cipher suite "FOO"' });
});

test("sizes are shown as etcd shows them", () => {
  const shown = [0, 9, 10, 512, 999, 1000, 20_480, 1_572_864, 2147483648, 8589934592, 1e10];
  assert.deepEqual(shown.map(humanSize), [
    ...["0 B", "9 B", "10 B", "512 B", "999 B", "1.0 kB", "20 kB"],
    ...["1.6 MB", "2.1 GB", "8.6 GB", "10 GB"],
  ]);
});

test("the interface of the default route", () => {
  const table = [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0",
    "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0",
    "",
  ].join("\n");
  assert.equal(defaultInterface(table), "eth0");
  assert.equal(defaultInterface("Iface\tDestination\n"), undefined);
});
