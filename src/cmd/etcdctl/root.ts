// The tree of commands: names, one-line descriptions, and where the rest of each is loaded from.

import type { Command, CommandGroup } from "../flags/command.ts";
import { FlagSet } from "../flags/flag-set.ts";
import { care } from "./care-commands.ts";
import { defineGlobals, type Globals } from "./globals.ts";
import type { Session } from "./session.ts";

const groups: readonly CommandGroup[] = [
  { id: "kv", title: "Key-value commands" },
  { id: "cluster", title: "Cluster maintenance commands" },
  { id: "care", title: "Store care commands" },
  { id: "concurrency", title: "Concurrency commands" },
  { id: "auth", title: "Authentication commands" },
  { id: "util", title: "Utility commands" },
];

const lease: readonly Command<Session>[] = [
  {
    name: "grant",
    arguments: "<ttl>",
    short: "Creates a lease",
    load: async () => (await import("./lease-grant.ts")).body,
  },
  {
    name: "keep-alive",
    arguments: "[options] <leaseID>",
    short: "Keeps a lease alive",
    load: async () => (await import("./lease-keep-alive.ts")).body,
  },
  {
    name: "list",
    short: "Lists the leases",
    load: async () => (await import("./lease-list.ts")).body,
  },
  {
    name: "revoke",
    arguments: "<leaseID>",
    short: "Ends a lease and deletes its keys",
    load: async () => (await import("./lease-revoke.ts")).body,
  },
  {
    name: "timetolive",
    arguments: "<leaseID> [options]",
    short: "Shows what is left of a lease",
    load: async () => (await import("./lease-timetolive.ts")).body,
  },
];

const alarm: readonly Command<Session>[] = [
  {
    name: "disarm",
    short: "Disarms all alarms",
    load: async () => (await import("./alarm-disarm.ts")).body,
  },
  {
    name: "list",
    short: "Lists the alarms",
    load: async () => (await import("./alarm-list.ts")).body,
  },
];

const endpoint: readonly Command<Session>[] = [
  {
    name: "hashkv",
    short: "Prints the checksum of each endpoint's key history",
    load: async () => (await import("./endpoint-hashkv.ts")).body,
  },
  {
    name: "health",
    short: "Checks that each endpoint serves",
    load: async () => (await import("./endpoint-health.ts")).body,
  },
  {
    name: "status",
    short: "Prints the state of each endpoint's member",
    load: async () => (await import("./endpoint-status.ts")).body,
  },
];

const member: readonly Command<Session>[] = [
  {
    name: "add",
    arguments: "<memberName> [options]",
    short: "Adds a member",
    load: async () => (await import("./member-add.ts")).body,
  },
  {
    name: "list",
    short: "Lists the members",
    load: async () => (await import("./member-list.ts")).body,
  },
  {
    name: "promote",
    arguments: "<memberID>",
    short: "Makes a voter of a learner",
    load: async () => (await import("./member-promote.ts")).body,
  },
  {
    name: "remove",
    arguments: "<memberID>",
    short: "Removes a member",
    load: async () => (await import("./member-remove.ts")).body,
  },
  {
    name: "update",
    arguments: "<memberID> [options]",
    short: "Changes the peer URLs of a member",
    load: async () => (await import("./member-update.ts")).body,
  },
];

const snapshot: readonly Command<Session>[] = [
  {
    name: "save",
    arguments: "<filename>",
    short: "Saves the database of a member to a file",
    load: async () => (await import("./snapshot-save.ts")).body,
  },
  {
    name: "restore",
    arguments: "<filename> [options]",
    short: "Older spelling of `etcdutl snapshot restore`",
    hidden: true,
    load: async () => (await import("./snapshot-restore.ts")).body,
  },
  {
    name: "status",
    arguments: "<filename>",
    short: "Older spelling of `etcdutl snapshot status`",
    hidden: true,
    load: async () => (await import("./snapshot-status.ts")).body,
  },
];

const downgrade: readonly Command<Session>[] = [
  {
    name: "cancel",
    short: "Gives a downgrade up",
    load: async () => (await import("./downgrade-cancel.ts")).body,
  },
  {
    name: "enable",
    arguments: "<TARGET_VERSION>",
    short: "Begins a downgrade",
    load: async () => (await import("./downgrade-enable.ts")).body,
  },
  {
    name: "validate",
    arguments: "<TARGET_VERSION>",
    short: "Checks whether a downgrade is possible",
    load: async () => (await import("./downgrade-validate.ts")).body,
  },
];

const auth: readonly Command<Session>[] = [
  {
    name: "disable",
    short: "Turns authentication off",
    load: async () => (await import("./auth-disable.ts")).body,
  },
  {
    name: "enable",
    short: "Turns authentication on",
    load: async () => (await import("./auth-enable.ts")).body,
  },
  {
    name: "status",
    short: "Tells whether authentication is on",
    load: async () => (await import("./auth-status.ts")).body,
  },
];

const user: readonly Command<Session>[] = [
  {
    name: "add",
    arguments: "<user name or user:password> [options]",
    short: "Adds a user",
    load: async () => (await import("./user-add.ts")).body,
  },
  {
    name: "delete",
    arguments: "<user name>",
    short: "Deletes a user",
    load: async () => (await import("./user-delete.ts")).body,
  },
  {
    name: "get",
    arguments: "<user name> [options]",
    short: "Shows the roles of a user",
    load: async () => (await import("./user-get.ts")).body,
  },
  {
    name: "grant-role",
    arguments: "<user name> <role name>",
    short: "Gives a user a role",
    load: async () => (await import("./user-grant-role.ts")).body,
  },
  {
    name: "list",
    short: "Lists the users",
    load: async () => (await import("./user-list.ts")).body,
  },
  {
    name: "passwd",
    arguments: "<user name> [options]",
    short: "Changes the password of a user",
    load: async () => (await import("./user-passwd.ts")).body,
  },
  {
    name: "revoke-role",
    arguments: "<user name> <role name>",
    short: "Takes a role from a user",
    load: async () => (await import("./user-revoke-role.ts")).body,
  },
];

const role: readonly Command<Session>[] = [
  {
    name: "add",
    arguments: "<role name>",
    short: "Adds a role",
    load: async () => (await import("./role-add.ts")).body,
  },
  {
    name: "delete",
    arguments: "<role name>",
    short: "Deletes a role",
    load: async () => (await import("./role-delete.ts")).body,
  },
  {
    name: "get",
    arguments: "<role name>",
    short: "Shows the permissions of a role",
    load: async () => (await import("./role-get.ts")).body,
  },
  {
    name: "grant-permission",
    arguments: "[options] <role name> <permission type> <key> [endkey]",
    short: "Lets a role read or write keys",
    load: async () => (await import("./role-grant-permission.ts")).body,
  },
  {
    name: "list",
    short: "Lists the roles",
    load: async () => (await import("./role-list.ts")).body,
  },
  {
    name: "revoke-permission",
    arguments: "<role name> <key> [endkey]",
    short: "Takes a permission from a role",
    load: async () => (await import("./role-revoke-permission.ts")).body,
  },
];

const check: readonly Command<Session>[] = [
  {
    name: "datascale",
    arguments: "[options]",
    short: "Measures the memory that a load takes",
    load: async () => (await import("./check-datascale.ts")).body,
  },
  {
    name: "perf",
    arguments: "[options]",
    short: "Measures throughput and latency under a load",
    load: async () => (await import("./check-perf.ts")).body,
  },
];

function endpointFlags(): FlagSet {
  const flags = new FlagSet();
  flags.boolean("cluster", false, "ask all members of the cluster instead of the endpoints");
  return flags;
}

const commands: readonly Command<Session>[] = [
  {
    name: "get",
    arguments: "[options] <key> [range_end]",
    short: "Gets a key or a range of keys",
    group: "kv",
    load: async () => (await import("./get.ts")).body,
  },
  {
    name: "put",
    arguments: "[options] <key> <value> (<value> can also be given from stdin)",
    short: "Puts a key",
    group: "kv",
    load: async () => (await import("./put.ts")).body,
  },
  {
    name: "del",
    arguments: "[options] <key> [range_end]",
    short: "Deletes a key or a range of keys [key, range_end)",
    group: "kv",
    load: async () => (await import("./del.ts")).body,
  },
  {
    name: "txn",
    arguments: "[options]",
    short: "Does several requests in one transaction",
    group: "kv",
    load: async () => (await import("./txn.ts")).body,
  },
  {
    name: "compaction",
    arguments: "[options] <revision>",
    short: "Forgets old revisions",
    group: "kv",
    aliases: ["compact"],
    load: async () => (await import("./compaction.ts")).body,
  },
  {
    name: "alarm",
    short: "Alarms",
    listed: "Alarms; see `etcdctl alarm --help`",
    group: "cluster",
    commands: alarm,
  },
  {
    name: "defrag",
    short: "Gives free space of the members' databases back",
    group: "cluster",
    load: async () => (await import("./defrag.ts")).body,
  },
  {
    name: "endpoint",
    short: "Members behind the endpoints",
    listed: "Members behind the endpoints; see `etcdctl endpoint --help`",
    group: "cluster",
    commands: endpoint,
  },
  {
    name: "move-leader",
    arguments: "<transferee-member-id>",
    short: "Hands leadership to another member",
    group: "cluster",
    load: async () => (await import("./move-leader.ts")).body,
  },
  {
    name: "watch",
    arguments: "[options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
    short: "Watches keys or prefixes for changes",
    group: "kv",
    load: async () => (await import("./watch.ts")).body,
  },
  {
    name: "version",
    short: "Prints the version of etcdctl",
    group: "util",
    load: async () => (await import("./version.ts")).body,
  },
  {
    name: "lease",
    short: "Leases",
    listed: "Leases; see `etcdctl lease --help`",
    group: "kv",
    commands: lease,
  },
  {
    name: "member",
    short: "Members of the cluster",
    listed: "Members of the cluster; see `etcdctl member --help`",
    group: "cluster",
    commands: member,
  },
  {
    name: "snapshot",
    short: "Backups of a member",
    listed: "Backups of a member; see `etcdctl snapshot --help`",
    group: "cluster",
    commands: snapshot,
  },
  ...care,
  {
    name: "make-mirror",
    arguments: "[options] <destination>",
    short: "Mirrors keys to another cluster",
    group: "util",
    load: async () => (await import("./make-mirror.ts")).body,
  },
  {
    name: "lock",
    arguments: "<lockname> [exec-command arg1 arg2 ...]",
    short: "Acquires a named lock",
    group: "concurrency",
    load: async () => (await import("./lock.ts")).body,
  },
  {
    name: "elect",
    arguments: "<election-name> [proposal]",
    short: "Watches or takes part in an election",
    group: "concurrency",
    load: async () => (await import("./elect.ts")).body,
  },
  {
    name: "auth",
    short: "Authentication of the cluster",
    listed: "Authentication of the cluster; see `etcdctl auth --help`",
    group: "auth",
    commands: auth,
  },
  {
    name: "user",
    short: "Users",
    listed: "Users; see `etcdctl user --help`",
    group: "auth",
    commands: user,
  },
  {
    name: "role",
    short: "Roles and their permissions",
    listed: "Roles and their permissions; see `etcdctl role --help`",
    group: "auth",
    commands: role,
  },
  {
    name: "check",
    short: "Fitness of the cluster for a load",
    listed: "Fitness of the cluster for a load; see `etcdctl check --help`",
    group: "util",
    commands: check,
  },
  {
    name: "completion",
    arguments: "[bash|zsh|fish|powershell]",
    short: "Prints a script that completes commands in a shell",
    group: "util",
    withoutFlagsInUsage: true,
    load: async () => (await import("./completion.ts")).body,
  },
  {
    name: "downgrade",
    short: "Downgrade of the cluster",
    listed: "Downgrade of the cluster; see `etcdctl downgrade --help`",
    group: "cluster",
    commands: downgrade,
  },
  {
    name: "options",
    short: "Lists the flags of all commands",
    group: "util",
    load: async () => (await import("./options.ts")).body,
  },
];

export function rootCommand(): { root: Command<Session>; globals: Globals } {
  const globals = defineGlobals();
  const root: Command<Session> = {
    name: "etcdctl",
    short: "The command line client of etcd.",
    footer:
      'Use "etcdctl options" for a list of global command-line options ' +
      "(applies to all commands).",
    persistent: globals.flags,
    groups,
    // Flags hold the values of one command line, so each root has its own.
    commands: commands.map((one) =>
      one.commands === endpoint ? { ...one, persistent: endpointFlags() } : one,
    ),
  };
  return { root, globals };
}
