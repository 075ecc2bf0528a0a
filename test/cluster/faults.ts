// What goes wrong in a round, and how it ends. Each fault is chosen by chance; the seed is told.

import type { Lcg } from "../compat/mixed-load.ts";
import type { ProcessCluster } from "./process-cluster.ts";

/** Between two heartbeats and several elections. */
const PAUSE_MS = [50, 2500] as const;

export interface Fault {
  readonly name: string;
  /** Until it has happened and is over; what still is broken then, `restore` mends. */
  readonly strike: (cluster: ProcessCluster, random: Lcg) => Promise<void>;
}

export const FAULTS: readonly Fault[] = [
  {
    name: "one is killed",
    strike: async ({ members }, random) => {
      await pick(members, random).stop();
      await pause(random);
    },
  },
  {
    name: "two are killed",
    strike: async ({ members }, random) => {
      const spared = pick(members, random);
      await Promise.all(members.filter((m) => m !== spared).map((member) => member.stop()));
      await pause(random);
    },
  },
  {
    name: "all are killed",
    strike: async ({ members }, random) => {
      await Promise.all(members.map((member) => member.stop()));
      await pause(random);
    },
  },
  {
    name: "one is stopped in good order",
    strike: async ({ members }, random) => {
      await pick(members, random).stop("SIGTERM");
      await pause(random);
    },
  },
  {
    name: "one sleeps",
    strike: async ({ members }, random) => {
      const member = pick(members, random);
      member.signal("SIGSTOP");
      await pause(random);
      member.signal("SIGCONT");
      await pause(random);
    },
  },
  {
    name: "one is cut off",
    strike: async (cluster, random) => {
      const lonely = pick(cluster.members, random);
      for (const other of cluster.members) if (other !== lonely) cluster.cut(lonely, other);
      await pause(random);
    },
  },
  {
    name: "two do not hear each other",
    strike: async (cluster, random) => {
      const middle = pick(cluster.members, random);
      const [a, b] = cluster.members.filter((member) => member !== middle);
      cluster.cut(a!, b!);
      await pause(random);
    },
  },
  {
    name: "one cannot dial another",
    strike: async ({ members }, random) => {
      const from = pick(members, random);
      const to = pick(
        members.filter((member) => member !== from),
        random,
      );
      to.cutDialsOf(from);
      await pause(random);
    },
  },
  {
    name: "one is cut off and killed",
    strike: async (cluster, random) => {
      const lonely = pick(cluster.members, random);
      for (const other of cluster.members) if (other !== lonely) cluster.cut(lonely, other);
      await pause(random);
      await lonely.stop();
    },
  },
];

/** Cables are whole again, who is down starts. */
export function restore(cluster: ProcessCluster, flags: readonly string[]): void {
  cluster.heal();
  for (const member of cluster.members) if (!member.isRunning) member.start(flags);
}

function pick<T>(all: readonly T[], random: Lcg): T {
  return all[random.below(all.length)]!;
}

function pause(random: Lcg): Promise<void> {
  const [low, high] = PAUSE_MS;
  return new Promise((resolve) => setTimeout(resolve, low + random.below(high - low)));
}
