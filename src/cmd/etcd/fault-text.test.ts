import assert from "node:assert/strict";
import { test } from "node:test";
import { FileError } from "../../base/file-error.ts";
import { faultText, isFileFault } from "./fault-text.ts";

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

test("an error of a file, also within another, comes with what to do", () => {
  const full = new FileError("write", "/d/0.wal", errno("ENOSPC"));
  const text = "write /d/0.wal: no space left on device; make room and start the member again";
  assert.equal(faultText(full), text);
  const outer = new Error(`cannot use data directory /d: ${full.message}`, { cause: full });
  assert.equal(faultText(outer), `cannot use data directory /d: ${text}`);
  assert.ok(isFileFault(outer));
});

test("other errors are told as they are", () => {
  assert.equal(faultText(new Error("broken")), "broken");
  assert.equal(
    faultText(new FileError("open", "/d", errno("ENOENT"))),
    "open /d: no such file or directory",
  );
  assert.ok(!isFileFault(new Error("broken", { cause: "a text" })));
});
