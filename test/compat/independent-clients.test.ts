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

// Keys, a lease that takes its key along, a watch, a lock that another one does not get.
const ETCD3GW = `
import sys, threading
sys.path.insert(0, sys.argv[1])
import etcd3gw
from etcd3gw.lock import Lock
c = etcd3gw.client(host="127.0.0.1", port=int(sys.argv[2]), api_path="/v3/")
assert c.put("py", "one")
assert c.get("py") == [b"one"]
assert c.create("py2", "x") and not c.create("py2", "x")
assert c.replace("py2", "x", "y") and c.get("py2") == [b"y"]
assert [kv["key"] for _, kv in c.get_prefix("py")] == [b"py", b"py2"]
assert c.delete("py") and c.get("py") == []
lease = c.lease(30)
assert c.put("gw/leased", "x", lease=lease)
assert lease.keys() == [b"gw/leased"] and 0 < lease.ttl() <= 30
assert lease.refresh() == 30
assert lease.revoke() and c.get("gw/leased") == []
events, cancel = c.watch_prefix("gw/watched/")
c.put("gw/watched/a", "1")
c.delete("gw/watched/a")
first, second = next(events), next(events)
assert first["kv"]["value"] == b"1" and second["type"] == "DELETE", (first, second)
cancel()
one, two = Lock("l", ttl=30, client=c), Lock("l", ttl=30, client=c)
assert one.acquire() and one.is_acquired()
assert not two.acquire()
assert one.release() and two.acquire() and two.release()
print(c.status()["version"])
`;

// It was written for an older protobuf and an older tenacity.
const ETCD3 = `
import sys, threading
sys.path.insert(0, sys.argv[1])
import etcd3
c = etcd3.client(host="127.0.0.1", port=int(sys.argv[2]))
c.put("pg", "one")
value, meta = c.get("pg")
assert value == b"one" and meta.version == 1
done, _ = c.transaction([c.transactions.value("pg") == "one"], [c.transactions.put("pg", "2")], [])
assert done
lease = c.lease(30)
c.put("pg/leased", "x", lease=lease)
assert list(lease.keys) == [b"pg/leased"] and 0 < lease.remaining_ttl <= 30
assert [r.TTL for r in lease.refresh()] == [30]
lease.revoke()
assert c.get("pg/leased")[0] is None
events, cancel = c.watch_prefix("pg/watched/")
c.put("pg/watched/a", "1")
c.delete("pg/watched/a")
first, second = next(events), next(events)
assert isinstance(first, etcd3.events.PutEvent) and first.value == b"1"
assert isinstance(second, etcd3.events.DeleteEvent)
cancel()
one, two = c.lock("l", ttl=30), c.lock("l", ttl=30)
assert one.acquire() and one.is_acquired()
assert not two.acquire(timeout=0.1)
got = threading.Thread(target=lambda: two.acquire(timeout=20))
got.start()
assert one.release()
got.join()
assert two.is_acquired() and two.release()
print(c.status().version)
`;

/** @returns what it printed */
function runPython(name: string, packages: readonly string[], script: string): string {
  const folder = join(root, name);
  run("python3", ["-m", "pip", "install", "-q", "--target", folder, ...packages]);
  writeFileSync(join(root, `${name}.py`), script);
  const port = member.endpoint.split(":")[1]!;
  return run("python3", [`${name}.py`, folder, port]).trim();
}

test("Python etcd3gw, over the JSON gateway", () => {
  assert.equal(runPython("gateway", ["etcd3gw"], ETCD3GW), "3.7.3");
});

test("Python etcd3, over gRPC", () => {
  assert.equal(runPython("grpc", ["etcd3", "protobuf<3.21", "tenacity<7"], ETCD3), "3.7.3");
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

  const lease = client.lease(30);
  await lease.put("js/leased").value("x");
  assert.equal(await client.get("js/leased").string(), "x");
  const renewed = new Promise((resolve) => lease.once("keepaliveSucceeded", resolve));
  await Promise.all([renewed, lease.keepaliveOnce()]);
  await lease.revoke();
  assert.equal(await client.get("js/leased"), null);

  const watcher = await client.watch().prefix("js/watched/").create();
  const seen = [];
  const both = new Promise((resolve) => {
    watcher.on("put", (kv) => seen.push(kv.value.toString()));
    watcher.on("delete", (kv) => resolve(seen.push("gone")));
  });
  await client.put("js/watched/a").value("1");
  await client.delete().key("js/watched/a");
  await both;
  assert.deepEqual(seen, ["1", "gone"]);
  await watcher.cancel();

  const lock = client.lock("js/lock").ttl(30);
  await lock.acquire();
  await assert.rejects(client.lock("js/lock").acquire());
  await lock.release();
  await client.lock("js/lock").do(async () => {});

  const election = client.election("js/election", 30);
  const campaign = election.campaign("me");
  await new Promise((resolve) => campaign.once("elected", resolve));
  assert.equal(await election.leader(), "me");
  await campaign.resign();
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
