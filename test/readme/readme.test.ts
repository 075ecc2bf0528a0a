// The example of the README, as a user runs it: the package installed, a member at the default port
// replaced by one of ours.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts, MemberProcess, OUR_ETCD } from "../compat/member-process.ts";
import { findRoot } from "../tidy/source-file.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-readme-"));
let member: MemberProcess;
before(async () => {
  member = await MemberProcess.start(OUR_ETCD, join(root, "data"), await freePorts());
});
after(async () => {
  await member.stop();
  rmSync(root, { recursive: true, force: true });
});

test("the example of the README runs", () => {
  const readme = readFileSync(join(findRoot(), "README.md"), "utf8");
  const [, example] = /```js\n(.*?)```/s.exec(readme)!;
  mkdirSync(join(root, "node_modules"));
  symlinkSync(findRoot(), join(root, "node_modules", "quorate"));
  writeFileSync(join(root, "example.mjs"), example!.replace("127.0.0.1:2379", member.endpoint));
  const output = execFileSync(process.execPath, ["example.mjs"], { cwd: root, encoding: "utf8" });
  assert.match(output, /^hello\nrevision \d+ is mine\n$/);
});

test("every entry of the package has its file and its types", () => {
  const text = readFileSync(join(findRoot(), "package.json"), "utf8");
  const { exports } = JSON.parse(text) as { exports: Record<string, Record<string, string>> };
  const names = Object.keys(exports);
  assert.ok(names.includes(".") && names.includes("./mutex"));
  for (const name of names) {
    for (const path of Object.values(exports[name]!)) readFileSync(join(findRoot(), path));
  }
});
