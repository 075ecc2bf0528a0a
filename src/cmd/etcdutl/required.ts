import type { FlagSet } from "../flags/flag-set.ts";

/** Tells which of these flags were not given, as cobra does. */
export function requireFlags(
  ...names: readonly string[]
): (args: readonly string[], flags: FlagSet) => string | undefined {
  return (_args, flags) => {
    const missing = names.filter((name) => flags.lookup(name)?.changed !== true);
    if (missing.length === 0) return undefined;
    return `required flag(s) ${missing.map((name) => `"${name}"`).join(", ")} not set`;
  };
}
