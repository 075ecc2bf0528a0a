// Our client through the restart of its member: watches go on where they were, the session and its
// lock live, and calls find the member again by themselves.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bytes, text } from "../../src/client/bytes.ts";
import { Client } from "../../src/client/client.ts";
import { Mutex } from "../../src/client/mutex.ts";
import { Session } from "../../src/client/session.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

const servers = { ours: OUR_ETCD, stock: stockBinaries("3.7")["etcd"]! };
for (const [name, etcd] of Object.entries(servers)) {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`${name}, restarted after ${signal}`, async (t) => {
      const root = mkdtempSync(join(tmpdir(), "quorate-restart-"));
      const ports = await freePorts();
      let member = await MemberProcess.start(etcd, join(root, "data"), ports);
      const client = new Client({ endpoints: [member.endpoint] });
      t.after(async () => {
        client.close();
        await member.stop();
        rmSync(root, { recursive: true, force: true });
      });
      const put = (value: string): Promise<unknown> =>
        client.kv.put({ key: bytes("k"), value: bytes(value) });
      const session = await Session.open(client, { ttlSeconds: 60 });
      const mutex = new Mutex(session, "lock");
      await mutex.lock();
      const watcher = client.watcher({ key: bytes("k"), startRevision: mutex.revision + 1 });
      await put("1");
      const seen = async (): Promise<string[]> =>
        (await watcher.next())!.events.map(({ kv }) => text(kv!.value));
      assert.deepEqual(await seen(), ["1"]);
      await put("2");

      await member.stop(signal);
      member = await MemberProcess.start(etcd, join(root, "data"), ports);

      await put("3");
      const rest: string[] = [];
      while (rest.length < 2) rest.push(...(await seen()));
      assert.deepEqual(rest, ["2", "3"]);
      watcher.close();
      const success = [{ requestPut: { key: bytes("owned"), value: bytes("x") } }];
      const owned = await client.kv.txn({ compare: [mutex.isOwner()], success });
      assert.equal(owned.succeeded, true);
      assert.equal(session.signal.aborted, false);
      await mutex.unlock();
      await session.close();
    });
  }
}
