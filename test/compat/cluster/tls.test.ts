// Members of ours and of Go's that show each other certificates.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeSelfCert } from "../../../src/net/self-cert.ts";
import { extent } from "../extent.ts";
import { SHORT_LOG, withCluster } from "./mixed-cluster.ts";

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
    const makes = ["ours", "3.7", "3.6"] as const;
    await withCluster(root, makes, [...SHORT_LOG, ...flags], async (cluster) => {
      for (const [at, member] of cluster.members.entries()) {
        await cluster.makeLeader(member);
        const away = cluster.members[(at + 1) % makes.length]!;
        await away.stop();
        await cluster.load(at, 400);
        await cluster.restart(away);
        await cluster.assertEqual();
      }
    });
  });
}
