import assert from "node:assert/strict";
import { test } from "node:test";
import { FileError, fileErrorText } from "./file-error.ts";

const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });

test("an error of a file says what was tried, where and why", () => {
  const error = new FileError("write", "/data/0.wal", full);
  assert.equal(error.message, "write /data/0.wal: no space left on device");
  assert.equal(error.code, "ENOSPC");
  assert.equal(error.path, "/data/0.wal");
  assert.equal(error.cause, full);
});

test("what has no name in Go keeps Node's words", () => {
  const error = Object.assign(new Error("EXYZ: strange"), { code: "EXYZ" });
  assert.equal(fileErrorText("open", "a", error), "open a: EXYZ: strange");
  assert.equal(fileErrorText("open", "a", new Error("no code")), "open a: no code");
});
