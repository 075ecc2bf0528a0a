// A session with the command lines that people have, once on stock etcd and once on us: what it
// shows differs in ids, times and sizes only, which the recorder replaces by names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareTranscripts, showDifference } from "./golden/compare.ts";
import type { Item } from "./golden/transcript.ts";
import { type ClientVersion, record } from "./session/record.ts";

async function compare(name: string, client: ClientVersion): Promise<Item[]> {
  const theirs = await record(name, "stock", client);
  const ours = await record(name, "ours", client);
  const differences = compareTranscripts(name, theirs, ours, []).map(showDifference);
  assert.equal(differences.join("\n\n"), "");
  return ours;
}

function answerOf(items: readonly Item[], command: string): string {
  const step = items.find((item) => item.kind === "step" && item.command === command);
  assert.ok(step?.kind === "step", command);
  return step.answer.join("\n");
}

test("etcdctl 3.7.3", { timeout: 120_000 }, async () => {
  const items = await compare("session", "3.7");
  assert.match(answerOf(items, "etcdctl get app/ --prefix"), /^\| app\/name\n\| etcd$/m);
  assert.match(
    answerOf(items, "etcdctl get greeting --rev 2"),
    /etcdserver: mvcc: required revision has been compacted/,
  );
});

test("Debian's etcdctl 3.4", { timeout: 120_000 }, async () => {
  const items = await compare("session", "3.4");
  assert.match(answerOf(items, "etcdctl version"), /etcdctl version: 3\.4\./);
  assert.match(answerOf(items, "etcdctl get app/ --prefix"), /^\| app\/name\n\| etcd$/m);
});

test("etcdutl 3.7.3 on a snapshot, and a member restored from it", async () => {
  const items = await compare("etcdutl", "3.7");
  assert.match(answerOf(items, 'etcdctl get "" --prefix -w fields'), /"Value" : "2"/);
});
