// Records what stock etcd has on /metrics: node dist/test/compat/metrics/record.js

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRoot } from "../../tidy/source-file.ts";
import { freePorts, MemberProcess } from "../member-process.ts";
import { stockPrograms } from "../stock-etcd.ts";
import { metricRows, scrape, use } from "./use.ts";

const HEAD = `# What etcd 3.7.3 has on /metrics, but what is Go's own: recorded by record.ts.
# name | type | labels | bounds of the histogram
`;
const directory = mkdtempSync(join(tmpdir(), "metrics-"));
for (const mode of ["basic", "extensive"]) {
  const flags = ["--metrics", mode];
  const dataDir = join(directory, mode);
  const member = await MemberProcess.start(
    stockPrograms("3.7").etcd,
    dataDir,
    await freePorts(),
    flags,
  );
  await use(member);
  const rows = metricRows(await scrape(member.endpoint));
  await member.stop();
  const path = join(findRoot(), "test", "compat", "metrics", `${mode}.txt`);
  writeFileSync(path, `${HEAD}\n${rows.join("\n")}\n`);
  console.log(`${mode}: ${rows.length} metrics`);
}
rmSync(directory, { recursive: true });
