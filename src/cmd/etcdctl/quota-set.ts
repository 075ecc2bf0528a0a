// A quota is a key: `put` of it is all. Beside that, mistakes are told before, and members that do
// not know of quotas after.

import { latin1 } from "../../base/latin1.ts";
import { bytes } from "../../client/bytes.ts";
import { Care } from "../../client/care.ts";
import { Cluster } from "../../client/cluster.ts";
import { errorText } from "../../client/errors.ts";
import { Kv } from "../../client/kv.ts";
import { parseQuota, QUOTA_KEYS } from "../../server/care/quota-keys.ts";
import { Code, RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

async function warnOfOthers(session: Session): Promise<void> {
  const cluster = new Cluster(await session.caller());
  const { members } = await cluster.memberList({ linearizable: false }, session.callOptions);
  for (const { name, clientURLs } of members) {
    if (clientURLs[0] === undefined) continue;
    try {
      const care = new Care(await session.callerOf(clientURLs[0]));
      await care.quotas(session.callOptions);
    } catch (error) {
      const isOther = error instanceof RpcError && error.code === Code.Unimplemented;
      const why = isOther
        ? "it is not Quorate: what is written through it is not checked"
        : `it could not be asked whether it knows of quotas: ${errorText(error)}`;
      session.console.err(`warning: member ${name}: ${why}\n`);
    }
  }
}

export const body: Body<Session> = {
  long: `Limits what may lie below a prefix, for all members: bytes of the newest records, keys, or
both. A put that would exceed it is refused with an error that names the prefix. What is there stays,
and history is not counted.

The quota is the key "${QUOTA_KEYS}<prefix>": roles, backups and mirrors see it as such.`,
  example: `  etcdctl quota set /events/ 200M:50000
  etcdctl quota set /jobs/ :1000`,
  prepare: () => async (session, args) => {
    const [prefix, limits] = args;
    if (prefix === undefined || limits === undefined || args.length > 2) {
      throw badArguments("quota set command needs a prefix and BYTES[K|M|G][:KEYS] or :KEYS");
    }
    const key = bytes(QUOTA_KEYS + prefix);
    const quota = parseQuota(latin1(key, QUOTA_KEYS.length, key.length), limits);
    if (typeof quota === "string") throw badArguments(`${quota}: ${prefix} ${limits}`);
    const kv = new Kv(await session.caller());
    await kv.put({ key, value: bytes(limits) }, session.callOptions);
    session.print("OK\n");
    await warnOfOthers(session);
  },
};
