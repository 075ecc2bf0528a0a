// Flags from the environment: `ETCDCTL_WRITE_OUT` is `--write-out`. A variable and the flag at
// once is an error (a script would not know which one counts), an unknown variable a warning.

import type { Flag, FlagSet } from "./flag-set.ts";
import { ParseError } from "./go-text.ts";

export function variableOf(prefix: string, flagName: string): string {
  return `${prefix}_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

export interface EnvironmentReport {
  /** Variables that a flag on the command line shadows. */
  readonly conflicts: readonly string[];
  /** `NAME=value` of variables with the prefix that belong to no flag. */
  readonly unknown: readonly string[];
}

/** A value that does not parse is passed over in silence, as etcdctl does. */
export function applyEnvironment(
  prefix: string,
  flags: FlagSet,
  environment: Readonly<Record<string, string | undefined>>,
  alsoKnown: readonly string[] = [],
): EnvironmentReport {
  const byVariable = new Map<string, Flag<unknown>>();
  for (const flag of flags.sorted()) byVariable.set(variableOf(prefix, flag.name), flag);
  const conflicts: string[] = [];
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(`${prefix}_`) || value === undefined) continue;
    const flag = byVariable.get(name);
    if (flag?.changed === true) conflicts.push(name);
    else if (flag === undefined || value === "") {
      if (!alsoKnown.includes(name)) unknown.push(`${name}=${value}`);
    } else setQuietly(flag, value);
  }
  return { conflicts, unknown };
}

function setQuietly(flag: Flag<unknown>, value: string): void {
  try {
    flag.set(value);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
}
