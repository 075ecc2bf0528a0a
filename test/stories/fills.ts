// The story of a full store: 10,000 Services that are created, updated and deleted, and a standby
// that polls a lock. Who fills it? The screens that an operator would look at, one after another.
//
//   npm run story -- fills [POLLS]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bytes } from "../../src/client/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { encodePutRequest } from "../../src/wire/messages/rpc-kv.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "../compat/member-process.ts";

const SERVICES = 10_000;
const UPDATES = 10;
const AT_ONCE = 200;
const POLLS = Number(process.argv[3] ?? 4000);
const MANIFEST_BYTES = 900;

const bin = dirname(OUR_ETCD);

async function inParallel(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** As Kubernetes keeps them: the object and its slice of endpoints, which changes more often. */
async function services({ kv }: Client): Promise<void> {
  const name = (at: number): string => `service-${at.toString().padStart(5, "0")}`;
  const put = (kind: string, at: number, sizeBytes: number): Promise<unknown> =>
    kv.put({
      key: bytes(`/registry/${kind}/default/${name(at)}`),
      value: new Uint8Array(sizeBytes),
    });
  await inParallel(SERVICES, (at) => put("services/specs", at, MANIFEST_BYTES));
  for (let update = 0; update < UPDATES; update++) {
    await inParallel(SERVICES, (at) => put("endpointslices", at, MANIFEST_BYTES / 2));
  }
  await inParallel(SERVICES, async (at) => {
    for (const kind of ["services/specs", "endpointslices"]) {
      await kv.deleteRange({ key: bytes(`/registry/${kind}/default/${name(at)}`) });
    }
  });
}

/** concurrency.Mutex.TryLock of etcd's Go client, while somebody else holds the lock. */
async function polledLock({ kv, lease }: Client): Promise<void> {
  const { id: holder } = await lease.leaseGrant({ ttl: 600 });
  const key = (id: bigint): Uint8Array => bytes(`jobs/lock/${id.toString(16)}`);
  await kv.put({ key: key(holder), lease: holder });
  const { id: standby } = await lease.leaseGrant({ ttl: 600 });
  for (let poll = 0; poll < POLLS; poll++) {
    const requestPut = encodePutRequest({ key: key(standby), lease: standby });
    await kv.txn({ success: [{ requestPut }] });
    await kv.deleteRange({ key: key(standby) });
  }
}

function screen(program: string, ...args: string[]): void {
  console.log(`\n$ ${program} ${args.join(" ")}`);
  const { stdout, stderr } = spawnSync(join(bin, program), args, { encoding: "utf8" });
  process.stdout.write(stdout + stderr);
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-fills-"));
  const dataDir = join(directory, "data");
  // It only reports: nothing shall be tidied up before it was seen.
  const flags = ["--self-care=observe", `--quota-backend-bytes=${256 * 1024 * 1024}`];
  const member = await MemberProcess.start(OUR_ETCD, dataDir, await freePorts(), flags);
  try {
    await services(member.client);
    await polledLock(member.client);
    const at = `--endpoints=${member.endpoint}`;
    for (const command of ["du", "writers", "forecast", "care"]) screen("etcdctl", command, at);
    screen("etcdctl", "top", at, "--count=1");
    screen("etcdctl", "recover", at, "--dry-run");
  } finally {
    await member.stop();
  }
  screen("etcdutl", "doctor", dataDir);
  rmSync(directory, { recursive: true });
}

await main();
