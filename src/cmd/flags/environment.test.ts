import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEnvironment, variableOf } from "./environment.ts";
import { FlagSet } from "./flag-set.ts";

function define(words: string[] = []): FlagSet {
  const set = new FlagSet();
  set.string("write-out", "simple", "");
  set.durationNs("command-timeout", 5e9, "");
  set.parse(words);
  return set;
}

test("names of variables", () => {
  assert.equal(variableOf("ETCDCTL", "command-timeout"), "ETCDCTL_COMMAND_TIMEOUT");
});

test("a variable sets its flag; others are not looked at", () => {
  const set = define();
  const report = applyEnvironment("ETCDCTL", set, { ETCDCTL_WRITE_OUT: "json", HOME: "/" });
  assert.deepEqual(report, { conflicts: [], unknown: [] });
  assert.equal(set.lookup("write-out")?.value, "json");
});

test("a variable and its flag are a conflict, even when equal", () => {
  const set = define(["--write-out=json"]);
  const report = applyEnvironment("ETCDCTL", set, { ETCDCTL_WRITE_OUT: "json" });
  assert.deepEqual(report.conflicts, ["ETCDCTL_WRITE_OUT"]);
});

test("variables of no flag and empty ones are unknown, unless the command knows them", () => {
  const environment = { ETCDCTL_API: "3", ETCDCTL_WRITE_OUT: "", ETCDCTL_WATCH_KEY: "k" };
  const report = applyEnvironment("ETCDCTL", define(), environment, ["ETCDCTL_WATCH_KEY"]);
  assert.deepEqual(report.unknown, ["ETCDCTL_API=3", "ETCDCTL_WRITE_OUT="]);
});

test("a value that does not parse leaves the default", () => {
  const set = define();
  const report = applyEnvironment("ETCDCTL", set, { ETCDCTL_COMMAND_TIMEOUT: "abc" });
  assert.deepEqual(report, { conflicts: [], unknown: [] });
  assert.equal(set.lookup("command-timeout")?.value, 5e9);
});
