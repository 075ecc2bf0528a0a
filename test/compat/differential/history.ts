// What a watcher is told of all that is still known, event by event: the answers around them may
// be cut elsewhere.

import type { Client } from "../../../src/client/client.ts";
import { encodeEvent } from "../../../src/wire/messages/kv.ts";
import type { WatchResponse } from "../../../src/wire/messages/rpc-watch.ts";
import { hex } from "./answers.ts";

/** All keys, and those before "b". */
const RANGES: readonly (readonly [string, string])[] = [
  ["\0", "\0"],
  ["a", "b"],
];
const WAIT_MS = 10_000;

export async function history(client: Client): Promise<string[]> {
  const { header, compactRevision } = await client.maintenance.hashKV({});
  const current = header!.revision;
  const lines = [`revision ${current}, compacted at ${compactRevision}`];
  for (const [key, rangeEnd] of RANGES) {
    for (const prevKv of [true, false]) {
      const stream = await client.watch.watch({ timeoutMs: WAIT_MS });
      const range = { key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd) };
      const startRevision = compactRevision + 1;
      stream.send({ createRequest: { ...range, startRevision, prevKv } });
      lines.push(`from ${startRevision}, prevKv ${prevKv}`);
      // A change after all others says that these were told.
      const marker = await client.kv.put({ key: Buffer.from(key), lease: 0n });
      await collect(() => stream.next(), marker.header!.revision, lines);
      stream.cancel();
    }
  }
  return lines;
}

async function collect(
  next: () => Promise<WatchResponse | undefined>,
  last: number,
  lines: string[],
): Promise<void> {
  for (;;) {
    const answer = await next();
    if (answer === undefined || answer.canceled) {
      lines.push(`ended: ${answer?.cancelReason} ${answer?.compactRevision}`);
      return;
    }
    for (const event of answer.events) {
      lines.push(hex(encodeEvent(event)));
      if (event.kv!.modRevision === last) return;
    }
  }
}
