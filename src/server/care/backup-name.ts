// How the backups are named that a member makes by itself:
//
//   <cluster>-<member>-<UTC>-r<revision>.db      cdf8…-8e9e…-20261128T031500Z-r4711.db

import { isoTime, unixMsOfIso } from "../../io/iso-time.ts";

const NAME = /(?:^|\/)[0-9a-f]{1,16}-[0-9a-f]{1,16}-\d{8}T\d{6}Z-r\d+\.db$/;

/** The path of a backup that a member has made. */
export function isBackupName(path: string): boolean {
  return NAME.test(path);
}

/** `prefix` has the ids and ends with a dash. */
export function backupName(prefix: string, unixMs: number, revision: number): string {
  return `${prefix}${isoTime(unixMs).replace(/[-:]|\.\d+/g, "")}-r${revision}.db`;
}

/** When it was made; undefined: it is none with this prefix. */
export function unixMsOf(name: string, prefix: string): number | undefined {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(name.slice(prefix.length)) ?? [];
  if (second === undefined) return undefined;
  return unixMsOfIso(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
