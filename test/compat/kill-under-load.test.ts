// kill -9 at any moment under load: every acknowledged write is found again, in the order in which
// the server said it happened, and the database is sound. QUORATE_KILL_ROUNDS sets how often.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "./member-process.ts";
import { Lcg } from "./mixed-load.ts";

const ROUNDS = Number(process.env["QUORATE_KILL_ROUNDS"] ?? 25);
/** Five times what it takes: a hang is a failure like others, and CI goes on. */
const TIMEOUT_MS = 60_000 + ROUNDS * 10_000;
const WRITERS = 40;
const KEYS_PER_WRITER = 20;
const root = mkdtempSync(join(tmpdir(), "quorate-kill-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** What a key must be: the value acknowledged last, or one whose answer never came. */
interface Expected {
  revision: number;
  value: string;
  /** Sent after it, fate unknown. */
  unknown: string[];
}

class Writer {
  readonly expected: Map<string, Expected>;
  acknowledged = 0;
  #isStopped = false;

  constructor(expected: Map<string, Expected>) {
    this.expected = expected;
  }

  /** Writes until the connection breaks. */
  async run(client: Client, name: string, random: Lcg): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const key = `/kill/${name}/${random.below(KEYS_PER_WRITER)}`;
      const value = `${count}-${random.below(2 ** 30)}-${"x".repeat(random.below(300))}`;
      const known = this.expected.get(key) ?? { revision: 0, value: "", unknown: [] };
      this.expected.set(key, known);
      known.unknown.push(value);
      try {
        const { header } = await client.kv.put({ key: bytes(key), value: bytes(value) });
        assert.ok(header!.revision > known.revision, "revisions grow");
        known.revision = header!.revision;
        known.value = value;
        known.unknown = [];
        this.acknowledged++;
      } catch {
        return;
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}

async function verify(client: Client, expected: Map<string, Expected>): Promise<void> {
  const prefix = { key: bytes("/kill/"), rangeEnd: bytes("/kill0") };
  const { kvs } = await client.kv.range(prefix);
  const found = new Map(kvs.map((kv) => [Buffer.from(kv.key).toString(), kv]));
  for (const [key, { revision, value, unknown }] of expected) {
    const kv = found.get(key);
    if (kv === undefined) {
      assert.equal(revision, 0, `${key} was acknowledged at revision ${revision} and is gone`);
      continue;
    }
    const text = Buffer.from(kv.value).toString();
    assert.ok(kv.modRevision >= revision, `${key} went back from revision ${revision}`);
    const isKnown = kv.modRevision === revision ? text === value : unknown.includes(text);
    assert.ok(isKnown, `${key} at ${kv.modRevision} is ${text}, which nobody wrote`);
    Object.assign(expected.get(key)!, { revision: kv.modRevision, value: text, unknown: [] });
  }
}

test("no acknowledged write is lost", { timeout: TIMEOUT_MS }, async () => {
  const dataDir = join(root, "data");
  const ports = await freePorts();
  const random = new Lcg(Date.now());
  const expected = new Map<string, Expected>();
  const flags = ["--snapshot-count", "2000", "--backend-batch-limit", "300"];
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const member = await MemberProcess.start(OUR_ETCD, dataDir, ports, flags);
    await verify(member.client, expected);
    const writer = new Writer(expected);
    const running = Array.from({ length: WRITERS }, (_, at) =>
      writer.run(member.client, `w${at}`, random),
    );
    await new Promise((resolve) => setTimeout(resolve, 100 + random.below(600)));
    const killed = member.kill();
    writer.stop();
    await Promise.all([killed, ...running]);
    acknowledged += writer.acknowledged;
  }
  const last = await MemberProcess.start(OUR_ETCD, dataDir, ports, flags);
  await verify(last.client, expected);
  await last.stop();
  assert.ok(acknowledged > ROUNDS * 10, `only ${acknowledged} writes were acknowledged`);
  console.log(`# ${ROUNDS} kills, ${acknowledged} acknowledged writes, all found`);
});
