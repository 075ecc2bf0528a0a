// Go's concurrency package and ours stand in the same lines: both compete for a lock, an election
// and the keys of transactions, on our server and on etcd's.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { bytes, text } from "../../src/client/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { Election, observeElection } from "../../src/client/election.ts";
import { Mutex } from "../../src/client/mutex.ts";
import { Session } from "../../src/client/session.ts";
import { transact } from "../../src/client/stm.ts";
import { GoProgram, goProgram } from "./go-program.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

const TTL_SECONDS = 30;
const TIMES = 20;

const root = mkdtempSync(join(tmpdir(), "quorate-concurrency-"));
const program = goProgram();
const cleanUp: (() => Promise<void>)[] = [];
after(async () => {
  for (const task of cleanUp.reverse()) await task();
  rmSync(root, { recursive: true, force: true });
});

async function startGo(member: MemberProcess): Promise<GoProgram> {
  const started = await GoProgram.start(program, member.endpoint, TTL_SECONDS);
  cleanUp.push(() => started.kill());
  return started;
}

async function open(client: Client): Promise<Session> {
  const session = await Session.open(client, { ttlSeconds: TTL_SECONDS });
  cleanUp.push(async () => session.orphan());
  return session;
}

async function numberAt(client: Client, key: string): Promise<number> {
  const { kvs } = await client.kv.range({ key: bytes(key) });
  return kvs[0] === undefined ? 0 : Number(text(kvs[0].value));
}

/** Resolves when somebody stands behind the first in line. */
async function untilTwo(client: Client, prefix: string): Promise<void> {
  const range = { key: bytes(`${prefix}/`), rangeEnd: bytes(`${prefix}0`), countOnly: true };
  while ((await client.kv.range(range)).count < 2);
}

const servers = { ours: OUR_ETCD, stock: stockBinaries("3.7")["etcd"]! };
for (const [name, etcd] of Object.entries(servers)) {
  describe(`on ${name}`, async () => {
    const member = await MemberProcess.start(etcd, join(root, name), await freePorts());
    cleanUp.push(() => member.stop());
    const { client } = member;

    test("a lock of one is held for the other, and handed over", async () => {
      const go = await startGo(member);
      const session = await open(client);
      const mutex = new Mutex(session, "lock");
      const [said, key, revision] = (await go.ask("lock lock")).split(" ");
      assert.deepEqual([said, key], ["locked", `lock/${go.lease}`]);
      assert.equal(await mutex.tryLock(), false);
      const ours = mutex.lock();
      await untilTwo(client, "lock");
      assert.equal(await go.ask("unlock"), "unlocked");
      await ours;
      assert.equal(text(mutex.key), `lock/${session.name}`);
      assert.ok(mutex.revision > Number(revision));
      assert.equal(await go.ask("trylock lock"), "held");
      go.send("lock lock");
      await untilTwo(client, "lock");
      const before = mutex.revision;
      await mutex.unlock();
      const [, , again] = (await go.next()).split(" ");
      assert.ok(Number(again) > before);
      await go.ask("unlock");
    });

    test("under contention never two have the lock", async () => {
      const programs = [await startGo(member), await startGo(member)];
      const sessions = [await open(client), await open(client)];
      const go = programs.map((one) => one.ask(`contend busy counter ${TIMES}`));
      const ours = sessions.map(async (session) => {
        const mutex = new Mutex(session, "busy");
        for (let i = 0; i < TIMES; i++) {
          await mutex.lock();
          const value = bytes(String((await numberAt(client, "counter")) + 1));
          const success = [{ requestPut: { key: bytes("counter"), value } }];
          const { succeeded } = await client.kv.txn({ compare: [mutex.isOwner()], success });
          assert.ok(succeeded);
          await mutex.unlock();
        }
      });
      await Promise.all(ours);
      assert.deepEqual(await Promise.all(go), ["done", "done"]);
      assert.equal(await numberAt(client, "counter"), 4 * TIMES);
    });

    test("both lead in turn, and each sees the other lead", async () => {
      const [go, watching] = [await startGo(member), await startGo(member)];
      const election = new Election(await open(client), "election");
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const leaders = observeElection(client, "election", options);
      const seen = async (): Promise<string> => text((await leaders.next()).value!.kv.value);
      watching.send("observe election");
      const goSees = async (): Promise<string> => (await watching.next()).split(" ")[2]!;

      assert.match(await go.ask("campaign election go"), /^leads election\/[0-9a-f]+ \d+$/);
      assert.deepEqual([await seen(), await goSees()], ["go", "go"]);
      assert.equal(text((await election.leader()).kv.value), "go");
      assert.equal(await go.ask("proclaim go2"), "ok");
      assert.deepEqual([await seen(), await goSees()], ["go2", "go2"]);
      const campaign = election.campaign(bytes("ours"));
      await untilTwo(client, "election");
      assert.equal(await go.ask("resign"), "ok");
      await campaign;
      assert.deepEqual([await seen(), await goSees()], ["ours", "ours"]);
      await election.proclaim(bytes("ours2"));
      assert.deepEqual([await seen(), await goSees()], ["ours2", "ours2"]);
      go.send("campaign election go3");
      await untilTwo(client, "election");
      await election.resign();
      assert.match(await go.next(), /^leads /);
      assert.deepEqual([await seen(), await goSees()], ["go3", "go3"]);
      controller.abort();
      assert.equal((await leaders.next()).done, true);
    });

    test("transactions of both lose no update", async () => {
      const programs = [await startGo(member), await startGo(member)];
      const go = programs.map((one) => one.ask(`increment stm ${TIMES}`));
      const ours = [0, 1].map(async () => {
        for (let i = 0; i < TIMES; i++) {
          await transact(client, async (stm) => {
            const value = await stm.get("stm");
            stm.put("stm", String(Number(value === undefined ? 0 : text(value)) + 1));
          });
        }
      });
      await Promise.all([...ours, ...go]);
      assert.equal(await numberAt(client, "stm"), 4 * TIMES);
    });
  });
}
