// All options in the order of the help, and the values that a start has for them.

import { assert } from "../../base/assert.ts";
import type { GateSettings } from "./feature-gates.ts";
import { type Flag, flag, text, truth } from "./flag.ts";
import { CARE_FLAGS } from "./flags-care.ts";
import {
  AUTH_FLAGS,
  CLUSTER_FLAGS,
  DISCOVERY_FLAGS,
  MONITORING_FLAGS,
  TRACING_FLAGS,
} from "./flags-cluster.ts";
import {
  DEPRECATED_FLAGS,
  FEATURE_FLAGS,
  LOGGING_FLAGS,
  MEMBER_FLAGS,
  UNSAFE_FLAGS,
} from "./flags-member.ts";
import { SECURITY_FLAGS } from "./flags-security.ts";
import type { EtcdUrl } from "./urls.ts";

const GENERAL_FLAGS: readonly Flag[] = [
  flag(
    "config-file",
    text,
    "",
    "Read the options from this YAML or JSON file and ignore all others.",
  ),
  flag("version", truth, false, "Print the version and exit."),
];

export const FLAG_SECTIONS: readonly (readonly [string, readonly Flag[]])[] = [
  ["General", GENERAL_FLAGS],
  ["Member", MEMBER_FLAGS],
  ["Clustering", CLUSTER_FLAGS],
  ["Discovery", DISCOVERY_FLAGS],
  ["Security", SECURITY_FLAGS],
  ["Auth", AUTH_FLAGS],
  ["Monitoring", MONITORING_FLAGS],
  ["Logging", LOGGING_FLAGS],
  ["Distributed tracing", TRACING_FLAGS],
  ["Features", FEATURE_FLAGS],
  ["Self-care", CARE_FLAGS],
  ["Unsafe", UNSAFE_FLAGS],
  ["Deprecated", DEPRECATED_FLAGS],
];

/** In the order of their names. */
export const FLAGS: readonly Flag[] = FLAG_SECTIONS.flatMap(([, flags]) => flags).sort((a, b) =>
  a.name < b.name ? -1 : 1,
);

const byName: ReadonlyMap<string, Flag> = new Map(FLAGS.map((one) => [one.name, one]));

export function findFlag(name: string): Flag | undefined {
  return byName.get(name);
}

/**
 * What each option is set to, and which were set at all. The getters are asked by literal names
 * only, so a name or a type that is wrong shows the first time a configuration is built.
 */
export class FlagValues {
  readonly #values = new Map<string, unknown>();

  /** @throws ParseError */
  parse(one: Flag, value: string): void {
    this.#values.set(one.name, one.kind.parse(value, this.#get(one.name)));
  }

  /** A value that needs no parsing, from a file. */
  set(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  clear(): void {
    this.#values.clear();
  }

  isSet(name: string): boolean {
    return this.#values.has(name);
  }

  isDefault(one: Flag): boolean {
    return this.show(one) === one.kind.show(one.initial);
  }

  show(one: Flag): string {
    return one.kind.show(this.#get(one.name));
  }

  text(name: string): string {
    const value = this.#get(name);
    assert(typeof value === "string", `--${name} is not a text`);
    return value;
  }

  truth(name: string): boolean {
    const value = this.#get(name);
    assert(typeof value === "boolean", `--${name} is not a boolean`);
    return value;
  }

  number(name: string): number {
    const value = this.#get(name);
    assert(typeof value === "number", `--${name} is not a number`);
    return value;
  }

  /** Of a duration, in milliseconds. */
  ms(name: string): number {
    return this.number(name) / 1e6;
  }

  list(name: string): readonly string[] {
    const value = this.#get(name);
    assert(Array.isArray(value), `--${name} is not a list`);
    return value as readonly string[];
  }

  urls(name: string): readonly EtcdUrl[] {
    const value = this.#get(name);
    assert(Array.isArray(value), `--${name} is not a list`);
    return value as readonly EtcdUrl[];
  }

  gates(name: string): GateSettings {
    const value = this.#get(name);
    assert(value instanceof Map, `--${name} is not a map`);
    return value as GateSettings;
  }

  #get(name: string): unknown {
    const one = byName.get(name);
    assert(one !== undefined, `no flag --${name}`);
    return this.#values.has(name) ? this.#values.get(name) : one.initial;
  }
}
