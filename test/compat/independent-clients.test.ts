// Clients of other people, as they come from their registries, against our process.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-clients-"));
let member: MemberProcess;
before(async () => {
  member = await MemberProcess.start(OUR_ETCD, join(root, "data"), await freePorts());
});
after(async () => {
  await member.stop();
  rmSync(root, { recursive: true, force: true });
});

function run(program: string, args: string[], cwd: string = root): string {
  const result = spawnSync(program, args, { cwd, encoding: "utf8", timeout: 120_000 });
  assert.equal(result.status, 0, `${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

const PYTHON = `
import sys
sys.path.insert(0, sys.argv[1])
import etcd3gw
c = etcd3gw.client(host="127.0.0.1", port=int(sys.argv[2]), api_path="/v3/")
assert c.put("py", "one")
assert c.get("py") == [b"one"]
assert c.create("py2", "x") and not c.create("py2", "x")
assert c.replace("py2", "x", "y") and c.get("py2") == [b"y"]
assert [kv["key"] for _, kv in c.get_prefix("py")] == [b"py", b"py2"]
assert c.delete("py") and c.get("py") == []
print(c.status()["version"])
`;

test("Python etcd3gw, over the JSON gateway", () => {
  const packages = join(root, "python");
  run("python3", ["-m", "pip", "install", "-q", "--target", packages, "etcd3gw"]);
  const script = join(root, "client.py");
  writeFileSync(script, PYTHON);
  const port = member.endpoint.split(":")[1]!;
  assert.equal(run("python3", [script, packages, port]).trim(), "3.7.3");
});

const NODE = `
const assert = require("node:assert/strict");
const { Etcd3 } = require("etcd3");
(async () => {
  const client = new Etcd3({ hosts: process.argv[2] });
  await client.put("js").value("one");
  assert.equal(await client.get("js").string(), "one");
  assert.deepEqual(await client.getAll().prefix("js").strings(), { js: "one" });
  const taken = await client.if("js", "Value", "==", "one").then(client.put("js").value("two"))
    .else(client.get("js")).commit();
  assert.equal(taken.succeeded, true);
  assert.equal(await client.get("js").string(), "two");
  await client.delete().key("js");
  assert.equal(await client.get("js"), null);
  console.log((await client.maintenance.status()).version);
  client.close();
})();
`;

test("npm etcd3, over gRPC", () => {
  writeFileSync(join(root, "package.json"), "{}");
  run("npm", ["install", "--no-audit", "--no-fund", "etcd3@1"]);
  writeFileSync(join(root, "client.cjs"), NODE);
  assert.equal(run(process.execPath, ["client.cjs", member.endpoint]).trim(), "3.7.3");
});
