// Names of alarms as etcd prints them.

import { AlarmType } from "../wire/messages/rpc-maintenance.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(AlarmType).map(([name, type]) => [type, name]),
);

/** "NOSPACE", "CORRUPT"; the number of one that is not known. */
export function alarmName(type: number): string {
  return NAMES.get(type) ?? String(type);
}
