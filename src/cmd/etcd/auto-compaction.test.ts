import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "../flags/go-text.ts";
import { autoCompaction, retentionNumber } from "./auto-compaction.ts";

const HOUR_MS = 3600_000;

test("a time: hours, if it is a plain number", () => {
  const cases: [string, number][] = [
    ["1", HOUR_MS],
    ["+10", 10 * HOUR_MS],
    ["010", 10 * HOUR_MS],
    ["10h", 10 * HOUR_MS],
    ["30m", HOUR_MS / 2],
    ["1h30m", 1.5 * HOUR_MS],
    ["0.5h", HOUR_MS / 2],
    ["90s", 90_000],
    ["100ms", 100],
  ];
  for (const [text, periodMs] of cases) {
    assert.deepEqual(autoCompaction("periodic", text), { mode: "periodic", periodMs }, text);
  }
});

test("a number of revisions; a time is one, too, in nanoseconds", () => {
  assert.deepEqual(autoCompaction("revision", "1000"), { mode: "revision", retention: 1000 });
  assert.deepEqual(autoCompaction("revision", "1us"), { mode: "revision", retention: 1000 });
});

test("off", () => {
  for (const mode of ["periodic", "revision"]) {
    for (const text of ["", "0", "-0", "00", "0s", "0h"]) {
      assert.equal(autoCompaction(mode, text), undefined);
    }
  }
});

test("what etcd says of wrong spellings", () => {
  const cases: [string, string][] = [
    ["foo", 'time: invalid duration "foo"'],
    ["1.5", 'time: missing unit in duration "1.5"'],
    ["-1", 'time: missing unit in duration "-1"'],
    ["1d", 'time: unknown unit "d" in duration "1d"'],
    ["1h 30m", 'time: unknown unit "h " in duration "1h 30m"'],
    [" ", 'time: invalid duration " "'],
    ["-1h", 'time: negative duration "-1h"'],
  ];
  for (const [text, reason] of cases) {
    const message = `error parsing CompactionRetention: ${reason}`;
    assert.throws(() => retentionNumber("periodic", text), new ParseError(message));
  }
});
