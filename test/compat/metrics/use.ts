// A little of everything that /metrics counts, and what /metrics then says: names, types, labels,
// bounds of histograms.

import { bytes } from "../../../src/client/bytes.ts";
import { AlarmAction, AlarmType } from "../../../src/wire/messages/rpc-maintenance.ts";
import type { MemberProcess } from "../member-process.ts";

export async function use({ client, endpoint }: MemberProcess): Promise<void> {
  const [key, value] = [bytes("key"), bytes("value")];
  await client.kv.put({ key, value });
  await client.kv.put({ key, value });
  await client.kv.range({ key });
  await client.kv.txn({ success: [{ requestPut: { key, value } }] });
  await client.kv.deleteRange({ key });
  await client.kv.compact({ revision: 3, physical: true });
  const { id } = await client.lease.leaseGrant({ ttl: 100 });
  await client.lease.leaseRevoke({ id });
  const { header } = await client.maintenance.status();
  const alarm = { memberID: header!.memberId, alarm: AlarmType.NOSPACE };
  await client.maintenance.alarm({ action: AlarmAction.ACTIVATE, ...alarm });
  await client.maintenance.defragment();
  await client.maintenance.hashKV({ revision: 0 });
  for await (const _ of client.maintenance.snapshot());
  for (const path of ["/health", "/livez", "/readyz"]) await fetch(`http://${endpoint}${path}`);
}

export async function scrape(endpoint: string): Promise<string> {
  return (await fetch(`http://${endpoint}/metrics`)).text();
}

/** `name | type | labels | bounds`, sorted; without Go's own and those that are ours alone. */
export function metricRows(text: string): string[] {
  const types = new Map<string, string>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) types.set(name!, type!);
  const labels = new Map<string, Set<string>>();
  const bounds = new Map<string, Set<string>>();
  for (const [, sample, pairs = ""] of text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? \S+$/gm)) {
    const name = types.has(sample!) ? sample! : sample!.replace(/_(bucket|sum|count)$/, "");
    const of = (map: Map<string, Set<string>>) => {
      if (!map.has(name)) map.set(name, new Set());
      return map.get(name)!;
    };
    for (const [, label, value] of pairs.matchAll(/(\w+)="([^"]*)"/g)) {
      if (label === "le") of(bounds).add(value!);
      else of(labels).add(label!);
    }
  }
  const joined = (set: Set<string> | undefined, by: string) => [...(set ?? ["-"])].join(by);
  return [...types]
    .filter(([name]) => !/^(go|quorate)_/.test(name))
    .map(([name, type]) => {
      const sorted = new Set([...(labels.get(name) ?? [])].sort());
      const shown = sorted.size === 0 ? "-" : joined(sorted, ",");
      return `${name} | ${type} | ${shown} | ${joined(bounds.get(name), " ")}`;
    })
    .sort();
}
