// `etcd --help`, and the short usage that follows a mistake.

import { FLAG_SECTIONS } from "./flag-table.ts";

export const USAGE = `Usage:

  etcd [flags]
    Start an etcd server.

  etcd --version
    Show the version of etcd.

  etcd -h | --help
    Show the help information about etcd.

  etcd --config-file FILE
    Take all options from a YAML or JSON file; flags and variables are then ignored.
    Durations are whole nanoseconds there (600000000000 for 10m).

Every flag has a variable: ETCD_MAX_WALS for --max-wals.

`;

export function helpText(): string {
  const sections = FLAG_SECTIONS.map(([title, flags]) => {
    const lines = flags.map((one) => {
      const later = one.later === undefined ? "" : `\n    Not available yet: ${one.later}.`;
      return `  --${one.name} '${one.kind.show(one.initial)}'\n    ${one.help}${later}`;
    });
    return `\n${title}:\n${lines.join("\n")}\n`;
  });
  return sections.join("");
}
