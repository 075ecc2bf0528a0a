// --prefix-quota: PREFIX=BYTES[:KEYS], several with commas between. Bytes may have K, M or G behind
// them (powers of 1024) and may be left out: "/events/=200M:50000,/jobs/=:1000".

import type { PrefixQuota } from "../../server/care/prefix-quotas.ts";
import { ParseError, quote } from "../flags/go-text.ts";

/** More would make every put slower than it need be. */
const QUOTAS_MAX = 64;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** @throws ParseError */
export function parsePrefixQuotas(text: string): PrefixQuota[] {
  if (text === "") return [];
  const quotas = text.split(",").map(parseOne);
  if (quotas.length > QUOTAS_MAX) throw new ParseError(`more than ${QUOTAS_MAX} prefix quotas`);
  return quotas;
}

function parseOne(text: string): PrefixQuota {
  const [, prefix = "", bytes = "", unit = "", keys = ""] =
    /^(.+\/)=(?:(\d+)([KMG]?))?(?::(\d+))?$/.exec(text) ?? [];
  if (prefix === "" || (bytes === "" && keys === "")) {
    const form = "PREFIX/=BYTES[K|M|G][:KEYS]";
    throw new ParseError(`invalid prefix quota ${quote(text)}: it should be ${form}`);
  }
  return {
    prefix: Buffer.from(prefix).toString("latin1"),
    bytesMax: bytes === "" ? Number.POSITIVE_INFINITY : Number(bytes) * UNITS[unit]!,
    keysMax: keys === "" ? Number.POSITIVE_INFINITY : Number(keys),
  };
}
