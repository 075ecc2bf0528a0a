import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CONTEXT_CANCELED } from "../net/grpc-client-call.ts";
import { bytes, text } from "./bytes.ts";
import type { Client } from "./client.ts";
import { Election, type Leadership, NO_LEADER, NOT_LEADER, observeElection } from "./election.ts";
import { Session } from "./session.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";

async function candidate(t: TestContext, client: Client): Promise<Election> {
  const session = await Session.open(client, { ttlSeconds: 1e9 });
  t.after(() => session.orphan());
  return new Election(session, "e");
}

function said({ kv }: Leadership): string {
  return `${text(kv.key)}=${text(kv.value)}`;
}

test("candidates lead in turn, and say who they are", async (t) => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const [a, b] = [await candidate(t, client), await candidate(t, client)];
  await assert.rejects(a.leader(), (error) => error === NO_LEADER);
  await a.campaign(bytes("a"));
  const second = b.campaign(bytes("b"));
  await cluster.until(() => cluster.watched.length === 1);
  assert.equal(said(await b.leader()), "e/10=a");
  const first = a.revision;
  await a.resign();
  await second;
  assert.equal(said(await a.leader()), "e/11=b");
  assert.ok(first > 0 && b.revision > first);
  assert.equal(a.revision, 0);
  await a.resign();
});

test("a candidate that campaigns again keeps its place and says the new value", async (t) => {
  const cluster = new FakeCluster();
  const election = await candidate(t, cluster.client());
  await election.campaign(bytes("one"));
  const { revision } = election;
  await election.campaign(bytes("two"));
  assert.deepEqual([election.revision, cluster.value("e/10")], [revision, "two"]);
});

test("a candidate that gives up leaves the line", async (t) => {
  const cluster = new FakeCluster();
  cluster.put("e/x", "");
  const election = await candidate(t, cluster.client());
  const controller = new AbortController();
  const campaign = election.campaign(bytes("a"), { signal: controller.signal });
  await cluster.until(() => cluster.watched.length === 1);
  controller.abort();
  await assert.rejects(campaign, (error) => error === CONTEXT_CANCELED);
  assert.deepEqual([...cluster.keys.keys()], ["e/x"]);
});

test("only the leader may proclaim", async (t) => {
  const cluster = new FakeCluster();
  const election = await candidate(t, cluster.client());
  const isRefused = (error: unknown): boolean => error === NOT_LEADER;
  await assert.rejects(election.proclaim(bytes("x")), isRefused);
  await election.campaign(bytes("a"));
  await election.proclaim(bytes("b"));
  assert.equal(cluster.value("e/10"), "b");
  assert.equal(cluster.keys.get("e/10")?.lease, 0x10n);
  assert.equal(election.header?.revision, cluster.revision);
  cluster.delete("e/10");
  await assert.rejects(election.proclaim(bytes("c")), isRefused);
  assert.equal(cluster.keys.size, 0);
});

test("a leadership goes on in another process", async (t) => {
  const cluster = new FakeCluster();
  const client = cluster.client();
  const before = await candidate(t, client);
  await before.campaign(bytes("a"));
  const session = await Session.open(client, { lease: 0x10n });
  t.after(() => session.orphan());
  const place = { key: before.key, created: before.revision };
  const after = Election.resume(session, "e", place);
  await after.proclaim(bytes("b"));
  assert.equal(cluster.value("e/10"), "b");
  await after.resign();
  assert.equal(cluster.keys.size, 0);
});

test("who observes sees every leader and what it proclaims", async () => {
  const cluster = new FakeCluster();
  const controller = new AbortController();
  const seen = observeElection(cluster.client(), "e", { signal: controller.signal });
  const next = async (): Promise<string> => said((await seen.next()).value as Leadership);
  const first = next();
  await cluster.until(() => cluster.watched.length === 1);
  cluster.put("e/a", "1");
  assert.equal(await first, "e/a=1");
  cluster.put("e/a", "2");
  cluster.put("e/a", "3");
  cluster.put("e/b", "other");
  assert.equal(await next(), "e/a=2");
  assert.equal(await next(), "e/a=3");
  cluster.delete("e/a");
  assert.equal(await next(), "e/b=other");
  const end = seen.next();
  controller.abort();
  assert.equal((await end).done, true);
});
