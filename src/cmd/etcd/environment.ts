// Options from the environment: ETCD_MAX_WALS=3 is --max-wals 3. A flag and its variable together
// are a mistake that stops the start: nobody can tell which of them is meant.

import type { Fields, Logger } from "../../base/log.ts";
import { ParseError, quote } from "../flags/go-text.ts";
import { environmentName } from "./flag.ts";
import { FLAGS, type FlagValues } from "./flag-table.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The start ends with this as a fatal line of the log. */
export class FatalConflict extends Error {
  override name = "FatalConflict";
  readonly fields: Fields;

  constructor(message: string, fields: Fields) {
    super(message);
    this.fields = fields;
  }
}

/** @throws ParseError for a value that is wrong, FatalConflict for one that is given twice */
export function applyEnvironment(environment: Environment, values: FlagValues, log: Logger): void {
  const { ETCD_VERSION: version } = environment;
  if (version !== undefined && version !== "") {
    log.warn("cannot set special environment variable", { key: "ETCD_VERSION", value: version });
  }
  const byFlag = new Set(
    FLAGS.filter((flag) => values.isSet(flag.name)).map((flag) => environmentName(flag.name)),
  );
  const used = new Set(["ETCD_VERSION"]);
  let wrong: ParseError | undefined;
  for (const flag of FLAGS) {
    const variable = environmentName(flag.name);
    const value = environment[variable];
    if (value === undefined || value === "" || byFlag.has(variable) || used.has(variable)) continue;
    used.add(variable);
    try {
      values.parse(flag, value);
      log.info("recognized and used environment variable", {
        "variable-name": variable,
        "variable-value": value,
      });
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      wrong = new ParseError(`invalid value ${quote(value)} for ${variable}: ${error.message}`);
    }
  }
  checkOthers(environment, used, byFlag, log);
  if (wrong !== undefined) throw wrong;
}

function checkOthers(
  environment: Environment,
  used: ReadonlySet<string>,
  byFlag: ReadonlySet<string>,
  log: Logger,
): void {
  for (const [variable, value] of Object.entries(environment)) {
    if (used.has(variable)) continue;
    if (byFlag.has(variable)) {
      throw new FatalConflict(
        "conflicting environment variable is shadowed by corresponding command-line flag " +
          "(either unset environment variable or disable flag))",
        { "environment-variable": variable },
      );
    }
    if (variable.startsWith("ETCD_")) {
      log.warn("unrecognized environment variable", {
        "environment-variable": `${variable}=${value}`,
      });
    }
  }
}
