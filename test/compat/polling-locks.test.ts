// The story of a polling lock: two Go processes, one holds it, the other one calls TryLock again
// and again. Each TryLock in vain is a put and a deletion, so the log of an idle cluster grows. A
// waiter that watches instead costs nothing. And when the holder dies the waiter gets the lock,
// when its lease has ended and not before.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Mutex } from "../../src/client/mutex.ts";
import { Session } from "../../src/client/session.ts";
import { GoProgram, goProgram } from "./go-program.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";

/** The story has 5 s; what is counted is the polls, not the time. */
const POLL_EVERY_MS = 50;
const POLLS = 10;
/** Small, but so that it is renewed a few times: every third of it. */
const TTL_SECONDS = 3;

const root = mkdtempSync(join(tmpdir(), "quorate-polling-"));
const program = goProgram();
let member: MemberProcess;
let holder: GoProgram;
const waiters: GoProgram[] = [];
before(async () => {
  member = await MemberProcess.start(OUR_ETCD, join(root, "data"), await freePorts());
});
after(async () => {
  for (const waiter of [holder, ...waiters]) await waiter.kill();
  await member.stop();
  rmSync(root, { recursive: true, force: true });
});

async function appliedIndex(): Promise<number> {
  return (await member.client.maintenance.status()).raftAppliedIndex;
}

function leftOf(lease: string): Promise<number> {
  const request = { id: BigInt(`0x${lease}`) };
  return member.client.lease.leaseTimeToLive(request).then(({ ttl }) => ttl);
}

/** Resolves when the holder has renewed its lease: what is left has become more. */
async function untilRenewed(lease: string): Promise<void> {
  for (let left = await leftOf(lease), next = left; next <= left; ) {
    left = next;
    next = await leftOf(lease);
  }
}

test("every TryLock in vain of a Go program grows the log, by a put and a deletion", async () => {
  holder = await GoProgram.start(program, member.endpoint, TTL_SECONDS);
  assert.match(await holder.ask("lock story"), /^locked /);
  const poller = await GoProgram.start(program, member.endpoint, TTL_SECONDS);
  waiters.push(poller);
  const applied = await appliedIndex();
  poller.send(`poll story ${POLL_EVERY_MS}`);
  for (let poll = 1; poll <= POLLS; poll++) {
    assert.equal(await poller.next(), "polled");
    const now = await appliedIndex();
    assert.ok(now >= applied + 2 * poll, `${applied}, and after ${poll} polls ${now}`);
  }
  await poller.kill();
});

test("a waiter that watches does not make it grow, nor does our tryLock", async () => {
  const waiter = await GoProgram.start(program, member.endpoint, TTL_SECONDS);
  waiters.push(waiter);
  assert.equal(await waiter.ask("await story"), "waiting");
  const session = await Session.open(member.client);
  const ours = new Mutex(session, "story");
  const applied = await appliedIndex();
  for (let i = 0; i < POLLS; i++) assert.equal(await ours.tryLock(), false);
  // Time passes in which everybody lives: two renewals of the holder's lease.
  for (let i = 0; i < 2; i++) await untilRenewed(holder.lease);
  // The lease of the killed poller ends meanwhile, or has ended: one entry.
  assert.ok((await appliedIndex()) <= applied + 1);
  await session.close();
});

test("the waiter gets the lock when the holder is dead and its lease has ended", async () => {
  const [waiter] = waiters.slice(-1);
  let isLocked = false;
  const locked = waiter!.next().then((line) => {
    isLocked = true;
    return line;
  });
  await untilRenewed(holder.lease);
  await holder.kill();
  // Asked first, looked at afterwards: as long as the lease lives nobody else has the lock.
  for (let left = await leftOf(holder.lease); left > 0; left = await leftOf(holder.lease)) {
    const wasLocked: boolean = isLocked;
    if ((await leftOf(holder.lease)) > 0) assert.equal(wasLocked, false);
  }
  assert.match(await locked, new RegExp(`^locked story/${waiter!.lease} \\d+$`));
  assert.equal(await leftOf(holder.lease), -1);
});
