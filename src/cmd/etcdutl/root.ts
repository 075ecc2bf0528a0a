// The tree of commands: names, one-line descriptions, and where the rest of each is loaded from.

import type { Command } from "../flags/command.ts";
import { FlagSet } from "../flags/flag-set.ts";
import type { Globals, Session } from "./session.ts";

const SECOND_NS = 1e9;

const snapshot: readonly Command<Session>[] = [
  {
    name: "restore",
    arguments: "<filename> --data-dir {output dir} [options]",
    short: "Makes the data directory of a member out of a backup",
    load: async () => (await import("./snapshot-restore.ts")).body,
  },
  {
    name: "status",
    arguments: "<filename>",
    short: "Checks a backup and says what is in it",
    load: async () => (await import("./snapshot-status.ts")).body,
  },
];

const commands: readonly Command<Session>[] = [
  {
    name: "completion",
    arguments: "[bash|zsh|fish|powershell]",
    short: "Prints a script that completes commands in a shell",
    withoutFlagsInUsage: true,
    load: async () => (await import("./completion.ts")).body,
  },
  {
    name: "defrag",
    short: "Frees unused space of the database of a member that is stopped",
    load: async () => (await import("./defrag.ts")).body,
  },
  {
    name: "doctor",
    arguments: "<data directory or filename>",
    short: "Says what is wrong with the data of a stopped member, and what to do",
    load: async () => (await import("./doctor.ts")).body,
  },
  {
    name: "hashkv",
    arguments: "<filename>",
    short: "Prints the checksum of the key history in a file",
    load: async () => (await import("./hashkv.ts")).body,
  },
  {
    name: "migrate",
    short: "Prepares the data of a stopped member for another version of etcd",
    load: async () => (await import("./migrate.ts")).body,
  },
  {
    name: "snapshot",
    short: "Backups of a member",
    commands: snapshot,
  },
  {
    name: "version",
    short: "Prints the version of etcdutl",
    load: async () => (await import("./version.ts")).body,
  },
];

export function rootCommand(): { root: Command<Session>; globals: Globals } {
  const flags = new FlagSet();
  const globals: Globals = {
    flags,
    timeoutNs: flags.durationNs(
      "timeout",
      10 * SECOND_NS,
      "how long to wait for the lock of the database, 0 for ever",
    ),
    writeOut: flags.string(
      "write-out",
      "simple",
      "output format (fields, json, protobuf, simple, table)",
      { short: "w" },
    ),
  };
  const root: Command<Session> = {
    name: "etcdutl",
    short: "Works on the files of etcd, without a server.",
    persistent: flags,
    commands,
  };
  return { root, globals };
}
