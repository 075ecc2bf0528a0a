// The commands about a store that looks after itself.

import type { Command } from "../flags/command.ts";
import type { Session } from "./session.ts";

const quota: readonly Command<Session>[] = [
  {
    name: "list",
    short: "Shows the quotas of prefixes, and what is used of them",
    load: async () => (await import("./quota-list.ts")).body,
  },
  {
    name: "set",
    arguments: "<prefix> <bytes[:keys]>",
    short: "Limits what may lie below a prefix",
    load: async () => (await import("./quota-set.ts")).body,
  },
  {
    name: "remove",
    arguments: "<prefix>",
    short: "Removes the quota of a prefix",
    load: async () => (await import("./quota-remove.ts")).body,
  },
];

/** What etcd suggests for a misspelt command stays as it is. */
const ours = { group: "care", suggestionDistance: 1 };

export const care: readonly Command<Session>[] = [
  {
    name: "du",
    arguments: "[prefix]",
    short: "Shows what lies below a prefix, and why it grows",
    ...ours,
    load: async () => (await import("./du.ts")).body,
  },
  {
    name: "top",
    arguments: "[prefix]",
    short: "Shows live what changes the store most",
    ...ours,
    load: async () => (await import("./top.ts")).body,
  },
  {
    name: "writers",
    short: "Shows who writes",
    ...ours,
    load: async () => (await import("./writers.ts")).body,
  },
  {
    name: "forecast",
    short: "Says when the quota is reached",
    ...ours,
    load: async () => (await import("./forecast.ts")).body,
  },
  {
    name: "quota",
    short: "Quotas of prefixes",
    listed: "Quotas of prefixes; see `etcdctl quota --help`",
    ...ours,
    commands: quota,
  },
  {
    name: "care",
    short: "Shows what self-care has done, and why",
    ...ours,
    load: async () => (await import("./care.ts")).body,
  },
  {
    name: "recover",
    short: "Brings a cluster back that has run out of space",
    ...ours,
    load: async () => (await import("./recover.ts")).body,
  },
];
