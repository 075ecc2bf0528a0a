// Members of ours and of Go's that show each other certificates.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeSelfCert } from "../../../src/net/self-cert.ts";
import { extent } from "../extent.ts";
import { runMixedLoad } from "../mixed-load.ts";
import { MixedCluster, SHORT_LOG } from "./mixed-cluster.ts";

const DAY_MS = 24 * 3600 * 1000;

const root = mkdtempSync(join(tmpdir(), "quorate-tls-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** One certificate, which is also its own authority, for all of them. */
function certificate(): { readonly certFile: string; readonly keyFile: string } {
  const nowMs = Date.now();
  const { cert, key } = makeSelfCert({
    hosts: ["127.0.0.1"],
    commonName: "member",
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + DAY_MS,
  });
  const [certFile, keyFile] = [join(root, "member.crt"), join(root, "member.key")];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  return { certFile, keyFile };
}

const { certFile, keyFile } = certificate();
const settings: readonly (readonly [string, readonly string[]])[] = [
  [
    "certificates that all must show, with an allowed name",
    [
      ...["--peer-cert-file", certFile, "--peer-key-file", keyFile],
      ...["--peer-trusted-ca-file", certFile, "--peer-client-cert-auth"],
      ...["--peer-cert-allowed-cn", "member"],
    ],
  ],
  ["certificates that they made themselves", ["--peer-auto-tls"]],
];

for (const [name, flags] of extent(settings, 1)) {
  test(`${name}: each leads once, and sends a snapshot`, { timeout: 300_000 }, async () => {
    const directory = mkdtempSync(join(root, "c-"));
    const makes = ["ours", "3.7", "3.6"] as const;
    const cluster = await MixedCluster.start(directory, makes, [...SHORT_LOG, ...flags]);
    try {
      for (const [at, member] of cluster.members.entries()) {
        await cluster.makeLeader(member);
        const away = cluster.members[(at + 1) % makes.length]!;
        await away.stop();
        const client = cluster.connect();
        await runMixedLoad(client, at, 400);
        client.close();
        await cluster.restart(away);
        await cluster.assertEqual();
      }
    } finally {
      await cluster.close();
    }
  });
}
