import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeConsole, encodeJson, timestamp } from "./log-encoding.ts";
import { createLogger, parseLevel } from "./logger.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-logger-"));
after(() => rmSync(root, { recursive: true }));

const line = {
  level: "info",
  wallMs: Date.UTC(2026, 0, 31, 12, 0, 0, 7),
  logger: "raft",
  caller: "raft/step.js:7",
  message: 'became "leader"',
  fields: { term: 2, id: 2n ** 64n - 1n, data: new Uint8Array([1, 2]), error: new Error("x") },
} as const;

test("json has zap's keys in zap's order", () => {
  assert.equal(
    encodeJson(line).replace(/"ts":"[^"]*"/, '"ts":T'),
    '{"level":"info","ts":T,"logger":"raft","caller":"raft/step.js:7",' +
      '"msg":"became \\"leader\\"","term":2,"id":18446744073709551615,"data":"AQI=","error":"x"}\n',
  );
  const bare = encodeJson({ ...line, logger: "", caller: "", message: "m", fields: undefined });
  assert.deepEqual(Object.keys(JSON.parse(bare)), ["level", "ts", "msg"]);
});

test("console separates by tabs, and spaces its fields", () => {
  const fields = { list: [1, "b"], nested: { a: true, none: undefined }, odd: Number.NaN };
  const parts = encodeConsole({ ...line, fields }).split("\t");
  assert.deepEqual(parts.slice(1), [
    "info",
    "raft",
    "raft/step.js:7",
    'became "leader"',
    '{"list": [1, "b"], "nested": {"a": true}, "odd": "NaN"}\n',
  ]);
});

test("any value of a field makes a line that parses", () => {
  const values = [null, undefined, "\u0000\n\u2028", [[]], new Map([["k", 1n]]), Symbol("s"), {}];
  for (const value of values) {
    const text = encodeJson({ ...line, fields: { value, after: 1 } });
    assert.equal(JSON.parse(text).after, 1);
  }
});

test("times have microseconds and the zone of the machine", () => {
  assert.match(timestamp(line.wallMs), /^2026-01-3\d?1?T\d\d:\d\d:00\.007000(Z|[+-]\d{4})$/);
  assert.equal(timestamp(line.wallMs + 0.25).slice(20, 26), "007250");
});

test("levels are names in any case", () => {
  assert.equal(parseLevel("INFO"), parseLevel(""));
  assert.ok(parseLevel("debug") < parseLevel("fatal"));
  assert.throws(() => parseLevel("loud"), { message: 'unrecognized level: "loud"' });
});

test("what cannot be opened is told in zap's words", () => {
  const open = (...outputs: string[]) => createLogger({ level: "", format: "json", outputs });
  assert.throws(() => open("default", "stderr"), /multi logoutput for "default" is not supported/);
  assert.throws(() => open("foo://x"), {
    message: 'open sink "foo://x": no sink found for scheme "foo"',
  });
  const path = join(root, "no", "such");
  assert.throws(() => open(path), {
    message: `open sink "${path}": open ${path}: no such file or directory`,
  });
  assert.throws(() => createLogger({ level: "", format: "xml", outputs: [] }), {
    message: "unknown log format: xml, supported values json, console",
  });
});

test("lines reach the file in order, below the level they do not", () => {
  const path = join(root, "ordered.log");
  const log = createLogger({ level: "warn", format: "json", outputs: [path] });
  log.info("no");
  log.warn("one", { n: 1 });
  log.named("a").named("b").error("two");
  log.flush();
  const lines = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  assert.deepEqual(
    lines.map(({ level, msg, logger, n }) => [level, msg, logger, n]),
    [
      ["warn", "one", undefined, 1],
      ["error", "two", "a.b", undefined],
    ],
  );
  assert.match(lines[0].caller, /^etcd\/logger\.test\.[jt]s:\d+$/);
});

test("more lines in one turn than may wait are all written", () => {
  const path = join(root, "many.log");
  const log = createLogger({ level: "info", format: "json", outputs: [path] });
  for (let n = 0; n < 60_000; n++) log.info("line", { n, filler: "x".repeat(40) });
  log.flush();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, 60_000);
  assert.equal(JSON.parse(lines.at(-1)!).n, 59_999);
});

/** Runs a script with this logger in a process of its own, on the same runtime and sources. */
function run(script: string): { status: number | null; stderr: string } {
  const source = new URL(
    import.meta.url.endsWith(".ts") ? "logger.ts" : "logger.js",
    import.meta.url,
  );
  const text = `import { createLogger } from ${JSON.stringify(source.href)};
    const log = createLogger({ level: "info", format: "json", outputs: ["stderr"] });
    ${script}`;
  const args = ["--input-type=module", "-e", text];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

test("a fatal line is the last one, and is written", () => {
  const { status, stderr } = run('log.info("a"); log.fatal("b", { n: 1 }); log.info("c");');
  assert.equal(status, 1);
  assert.deepEqual(
    stderr
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text).msg),
    ["a", "b"],
  );
});

test("lines of the turn in which the process dies are written", () => {
  const { status, stderr } = run('log.warn("last words"); throw new Error("bug");');
  assert.notEqual(status, 0);
  assert.match(stderr, /"msg":"last words"/);
});

test("a reader that has gone does not stop the process", () => {
  const { status } = run(`
    const { closeSync } = await import("node:fs");
    for (let n = 0; n < 3; n++) {
      log.info("line");
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (n === 0) try { closeSync(2); } catch {}
    }
    process.exitCode = 7;`);
  assert.equal(status, 7);
});
