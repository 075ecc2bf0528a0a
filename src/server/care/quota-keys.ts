// Quotas of prefixes are ordinary keys of the cluster:
//
//   quorate.io/quotas//events/ = 200M:50000       /events/ may hold 200 MiB and 50,000 keys
//   quorate.io/quotas//jobs/   = :1000            /jobs/ may hold 1,000 keys of any size
//
// Bytes may have K, M or G behind them (powers of 1024). So they are replicated, backed up, guarded
// by roles and carried along to and from Go members, by requests that all of them know.

import type { PrefixQuota } from "./prefix-quotas.ts";

/** Keys below it are quotas; a quota never counts them. */
export const QUOTA_KEYS = "quorate.io/quotas/";
/** More would make every put slower than it need be: those behind are not in force. */
export const QUOTAS_MAX = 64;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const LIMITS = /^(?:(\d{1,15})([KMG]?))?(?::(\d{1,15}))?$/;

/** Why it is none, or the quota. Texts are Latin-1, as keys are. */
export function parseQuota(prefix: string, limits: string): PrefixQuota | string {
  if (prefix === "" || !prefix.endsWith("/")) return "a prefix with a quota ends with a slash";
  const [, bytes = "", unit = "", keys = ""] = LIMITS.exec(limits) ?? [];
  if (bytes === "" && keys === "") return "a quota is BYTES[K|M|G][:KEYS] or :KEYS";
  return {
    prefix,
    bytesMax: bytes === "" ? Number.POSITIVE_INFINITY : Number(bytes) * UNITS[unit]!,
    keysMax: keys === "" ? Number.POSITIVE_INFINITY : Number(keys),
  };
}
