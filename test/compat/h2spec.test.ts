// h2spec, an independent test of HTTP/2 servers, against ours: all of it, in its strict mode. It
// is a Go program, built from the module that h2spec/ pins.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { ClientServer } from "../../src/net/server.ts";
import { stockBinaries } from "./stock-binaries.ts";

const TESTS = 146;
/** h2spec opens one stream more than it is allowed to; few make it quick. */
const STREAMS_MAX = 100;
const RUN_TIMEOUT_MS = 120_000;

/** What it printed, whatever its exit status. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: RUN_TIMEOUT_MS }, (_error, stdout) => resolve(stdout));
  });
}

test("h2spec --strict finds nothing", async () => {
  const program = stockBinaries("h2spec")["h2spec"]!;
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
