// h2spec, an independent test of HTTP/2 servers, against ours: all of it, in its strict mode. It
// is a Go program, built from the module that h2spec/ pins into a cache outside the checkout.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { ClientServer } from "../../src/net/server.ts";

const SOURCES = join(process.cwd(), "test/compat/h2spec");
const PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec";
const TESTS = 146;
/** h2spec opens one stream more than it is allowed to; few make it quick. */
const STREAMS_MAX = 100;
const RUN_TIMEOUT_MS = 120_000;

/** Builds it if need be; a change of the pinned version builds anew. */
function buildH2spec(): string {
  const sums = readFileSync(join(SOURCES, "go.sum"));
  const digest = createHash("sha256").update(sums).digest("hex").slice(0, 12);
  const { QUORATE_STOCK_DIR = join(tmpdir(), "quorate-stock") } = process.env;
  const program = join(QUORATE_STOCK_DIR, `h2spec-${digest}`, "h2spec");
  if (existsSync(program)) return program;
  mkdirSync(dirname(program), { recursive: true });
  const partial = `${program}.${process.pid}`;
  const args = ["build", "-mod=readonly", "-buildvcs=false", "-o", partial, PACKAGE];
  const env = { ...process.env, GOWORK: "off" };
  const result = spawnSync("go", args, {
    cwd: SOURCES,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  assert.equal(result.status, 0, `go build failed: ${result.error ?? "see above"}`);
  renameSync(partial, program);
  return program;
}

/** What it printed, whatever its exit status. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: RUN_TIMEOUT_MS }, (_error, stdout) => resolve(stdout));
  });
}

test("h2spec --strict finds nothing", async () => {
  const program = buildH2spec();
  const server = new ClientServer({
    clock: new NodeClock(),
    log: silentLogger,
    methods: new Map(),
    http: () => undefined,
    limits: { concurrentStreamsMax: STREAMS_MAX },
  });
  await server.listen(["http://127.0.0.1:0"]);
  const port = server.addresses[0]!.split(":")[1]!;
  const output = await run(program, ["--strict", "-h", "127.0.0.1", "-p", port, "-o", "5"]);
  await server.close(0);
  const summary = `${TESTS} tests, ${TESTS} passed, 0 skipped, 0 failed`;
  assert.ok(output.includes(summary), output.slice(output.indexOf("Failures")));
});
